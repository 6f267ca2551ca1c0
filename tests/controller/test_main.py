"""What the controller's process allows its parts."""

import pytest

from ipamd.controller import main


@pytest.mark.parametrize("workers", [1, 16, 64])
def test_each_worker_and_each_thread_beside_them_has_a_connection_of_its_own(workers):
    assert main.connections(workers) == workers + 8
