"""The ledger and a disk that refuses to be written: promises fail, what has happened is kept for later."""

import pytest

from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.ledger import ledger
from ipamd.store.database import StoreError
from tests.runtime.manual_clock import ManualClock


class Disk:
    """Takes transitions, unless it is full."""

    def __init__(self):
        self.is_full = False
        self.written: list[set[str]] = []

    def commit(self, *transitions):
        if self.is_full:
            raise StoreError("the disk is full")
        self.written += [set(transition.ledger.addresses) for transition in transitions]


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def shared(disk):
    return SharedLedger(disk, ledger.Ledger(), clock=ManualClock().now)


def adopt(ip):
    return lambda current: ledger.adopt(current, "eni-1", [ip], 1000.0)


def test_a_promise_that_cannot_be_written_is_none(shared, disk):
    disk.is_full = True

    with pytest.raises(StoreError):
        shared.apply(adopt("10.0.1.1"))

    assert shared.current == ledger.Ledger()
    assert shared.unwritten() == []


def test_what_has_happened_is_seen_at_once_and_written_before_the_next_promise(shared, disk):
    disk.is_full = True
    shared.note(adopt("10.0.1.1"))
    shared.note(adopt("10.0.1.2"))
    assert set(shared.current.addresses) == {"10.0.1.1", "10.0.1.2"}
    assert shared.unwritten() == ["the disk is full"]

    disk.is_full = False
    shared.apply(adopt("10.0.1.3"))

    assert [len(addresses) for addresses in disk.written] == [1, 2, 3]
    assert shared.unwritten() == []


def test_what_was_refused_is_written_once_as_soon_as_it_can_be(shared, disk):
    disk.is_full = True
    shared.note(adopt("10.0.1.1"))
    shared.write()
    assert shared.unwritten() == ["the disk is full"]

    disk.is_full = False
    shared.write()
    shared.write()

    assert disk.written == [{"10.0.1.1"}]
    assert shared.unwritten() == []


def test_listeners_hear_of_changes_and_of_nothing_else(shared):
    heard = []
    shared.on_change(lambda: heard.append(len(shared.current.addresses)))

    shared.apply(adopt("10.0.1.1"))
    shared.apply(adopt("10.0.1.1"))
    shared.note(adopt("10.0.1.2"))

    assert heard == [1, 2]


def test_followers_hear_what_a_change_was_once_it_is_seen(shared):
    heard = []
    shared.on_transition(lambda change: heard.append((change.ledger is shared.current, change.address.ip)))

    shared.apply(adopt("10.0.1.1"))
    shared.apply(adopt("10.0.1.1"))
    shared.note(adopt("10.0.1.2"))

    assert heard == [(True, "10.0.1.1"), (True, "10.0.1.2")]
