"""Liveness of the agent: the ledger's lock."""

import threading

from ipamd.agent.health import AgentHealth
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.ledger.ledger import Ledger
from ipamd.store.database import Database


def test_an_agent_whose_ledger_is_stuck_is_dead_and_one_that_starts_is_not(tmp_path):
    health = AgentHealth(tmp_path / "a.sock", patience=0.1)
    assert health.alive() == ""

    database = Database(tmp_path / "ipamd.db")
    shared_ledger = SharedLedger(database, Ledger())
    health.watch(shared_ledger)
    assert health.alive() == ""

    inside, go_on = threading.Event(), threading.Event()

    def stuck(ledger):
        inside.set()
        go_on.wait(10)
        return

    holder = threading.Thread(target=shared_ledger.apply, args=(stuck,))
    holder.start()
    inside.wait(10)
    try:
        assert "the ledger's lock" in health.alive()
    finally:
        go_on.set()
        holder.join()
    assert health.alive() == ""
    database.close()
