"""The real ipamctl as a process, beside a node of which everything is known."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ctl.fixture_node import Ipamctl, serving


@pytest.fixture
def ipamctl(tmp_path: Path) -> Iterator[Ipamctl]:
    with serving(tmp_path / "agent.sock") as socket:
        yield Ipamctl(socket)


@pytest.fixture
def lonely(tmp_path: Path) -> Ipamctl:
    """On a node without an agent."""
    return Ipamctl(tmp_path / "nobody.sock")
