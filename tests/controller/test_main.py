"""What the controller's process allows its parts."""

from types import SimpleNamespace

import pytest

from ipamd.controller import main


@pytest.mark.parametrize("workers", [1, 16, 64])
def test_each_worker_and_each_thread_beside_them_has_a_connection_of_its_own(workers):
    assert main.connections(workers) == workers + 8


class Shows:
    """Notes what is shown."""

    def __init__(self):
        self.shown: list[object] = []

    def show(self, what):
        self.shown.append(what)

    watch = show


@pytest.mark.parametrize("wants_metrics", [True, False])
@pytest.mark.parametrize("wants_page", [True, False])
def test_a_replica_shows_itself_where_somebody_wants_to_see_it(wants_metrics, wants_page):
    health, metrics, board = Shows(), Shows(), Shows()
    leader, answers = SimpleNamespace(metrics="of the leader"), SimpleNamespace(metrics="of the answers")

    main.Shown(health, metrics if wants_metrics else None, board if wants_page else None).watch(
        leader, answers, "ipamd-0"
    )

    assert health.shown == [leader]
    assert metrics.shown == ([leader.metrics, answers.metrics] if wants_metrics else [])
    assert len(board.shown) == int(wants_page)
