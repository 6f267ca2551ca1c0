"""The small parts that make threads wait for each other: locks, pending ADDs, the ledger."""

import threading
import time

import pytest

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import errors, model
from ipamd.core.ledger import ledger
from ipamd.core.timing.deadline import Deadline
from ipamd.store.database import Database, StoreError

NOW = 1000.0


def soon(seconds=5.0):
    return Deadline.after(seconds, time.monotonic)


@pytest.fixture
def database(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield database


def adopt(*ips):
    return lambda shared_ledger: ledger.adopt(shared_ledger, "eni-1", ips, 1.0)


def sandbox(container_id):
    return model.SandboxKey(container_id=container_id, ifname="eth0")


def test_turns_of_one_sandbox_exclude_each_other_and_others_do_not_wait():
    locks = PodLocks()
    with (
        locks.of_sandbox(sandbox("a"), soon()),
        locks.of_sandbox(sandbox("b"), soon(0)),
        locks.of_address("10.0.1.10", soon(0)),
        pytest.raises(errors.TryAgainError, match="sandbox a eth0"),
        locks.of_sandbox(sandbox("a"), soon(0)),
    ):
        pytest.fail("two at once")
    with locks.of_sandbox(sandbox("a"), soon(0)):
        pass


def test_turn_passes_to_the_one_who_waits():
    locks, order = PodLocks(), []

    def second():
        with locks.of_address("10.0.1.10", soon()):
            order.append("second")

    with locks.of_address("10.0.1.10", soon()):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_del_ends_the_adds_of_its_sandbox_that_are_under_way_and_no_others():
    attempts = PendingAdds()
    assert not attempts.mark_deleted(sandbox("a"))
    with (
        attempts.begun(sandbox("a"), lambda: False, NOW) as first,
        attempts.begun(sandbox("a"), lambda: False, NOW) as second,
        attempts.begun(sandbox("b"), lambda: False, NOW) as other,
    ):
        assert attempts.mark_deleted(sandbox("a"))

        assert (first.is_over, second.is_over, other.is_over) == (True, True, False)
        other.check()
        with pytest.raises(errors.TryAgainError, match="deleted while its ADD"):
            first.check()
        with attempts.begun(sandbox("a"), lambda: False, NOW) as later:
            later.check()
    assert not attempts.are_under_way(sandbox("a"))


def test_add_whose_caller_has_left_is_over():
    attempts = PendingAdds()
    left: list[bool] = []
    with attempts.begun(sandbox("a"), lambda: bool(left), NOW) as attempt:
        attempt.check()
        left.append(True)

        assert attempts.are_under_way(sandbox("a"))
        with pytest.raises(errors.TryAgainError, match="stopped to wait"):
            attempt.check()


def test_change_is_on_disk_before_anybody_sees_it(database):
    shared_ledger, seen = SharedLedger(database, ledger.Ledger()), []
    shared_ledger.on_change(lambda: seen.append(len(database.load())))

    shared_ledger.apply(adopt("10.0.1.1", "10.0.1.2"))

    assert seen == [2]
    assert set(shared_ledger.current.addresses) == {"10.0.1.1", "10.0.1.2"}


def test_change_that_cannot_be_stored_did_not_happen(database):
    shared_ledger = SharedLedger(database, ledger.Ledger())
    database.close()

    with pytest.raises(StoreError, match="check free space"):
        shared_ledger.apply(adopt("10.0.1.1"))
    assert shared_ledger.current == ledger.Ledger()


def test_waiting_ends_when_the_ledger_changes_or_the_time_is_over(database):
    shared_ledger = SharedLedger(database, ledger.Ledger())
    thread = threading.Thread(target=lambda: shared_ledger.apply(adopt("10.0.1.1")))
    thread.start()

    assert shared_ledger.wait(lambda current: bool(current.addresses), soon())
    thread.join(5)
    assert not shared_ledger.wait(lambda current: len(current.addresses) > 1, soon(0.05))


def test_waiting_ends_when_somebody_wakes_for_another_reason(database):
    shared_ledger, reason = SharedLedger(database, ledger.Ledger()), threading.Event()

    def waker():
        reason.set()
        shared_ledger.wake()

    thread = threading.Thread(target=waker)
    thread.start()
    assert shared_ledger.wait(lambda _: reason.is_set(), soon())
    thread.join(5)


def test_simultaneous_changes_are_all_kept(database):
    shared_ledger = SharedLedger(database, ledger.Ledger())
    threads = [threading.Thread(target=shared_ledger.apply, args=(adopt(f"10.0.1.{n}"),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(shared_ledger.current.addresses) == 20
    assert len(database.load()) == 20
