"""The work queue: serial for a key, nothing missed, failures spread out."""

import threading
import time

import pytest

from ipamd.core.timing.backoff import Backoff
from ipamd.runtime.work_queue import Turn, WorkQueue
from tests.testkit.clock import Clock
from tests.testkit.eventually import comes_about


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def queue(clock):
    return WorkQueue(backoff=Backoff(first=4.0, longest=64.0), monotonic=clock)


def named(key):
    return {"release": Turn.FIRST, "wait": Turn.PATIENT}.get(key.partition("-")[0], Turn.ORDINARY)


def ready(queue):
    """The keys that can be taken now, in order; given back at once."""
    queue.add("begin")
    keys = []
    while (key := queue.get()) != "begin":  # what is due joins those that wait
        keys.append(key)
    queue.done("begin")
    queue.add("end")
    while (key := queue.get()) != "end":
        keys.append(key)
    for key in [*keys, "end"]:
        queue.done(key)
    return keys


def test_keys_come_in_the_order_of_their_arrival_and_once(queue):
    for key in ("a", "b", "a", "c", "b"):
        queue.add(key)

    assert ready(queue) == ["a", "b", "c"]


def test_a_key_that_a_worker_has_is_given_to_no_other_and_comes_again(queue):
    queue.add("a")
    assert queue.get() == "a"

    queue.add("a")
    assert ready(queue) == []
    queue.done("a")

    assert ready(queue) == ["a"]
    assert ready(queue) == []


def test_a_delay_ends_in_time_and_the_earlier_of_two_counts(queue, clock):
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    queue.add_after("a", 20)
    clock.now += 4.9
    assert ready(queue) == []
    clock.now += 0.2

    assert ready(queue) == ["a"]
    clock.now += 60
    assert ready(queue) == []


def test_a_change_ends_a_delay(queue, clock):
    queue.add_after("a", 10)
    queue.add("a")

    assert ready(queue) == ["a"]
    clock.now += 60
    assert ready(queue) == []


def test_failures_back_off_and_success_forgets_them(queue):
    delays = [queue.failed("a") for _ in range(8)]
    queue.succeeded("a")

    for delay, ceiling in zip(delays, [4, 8, 16, 32, 64, 64, 64, 64], strict=True):
        assert ceiling / 2 <= delay <= ceiling
    assert queue.failed("a") <= 4
    assert queue.failed("b", at_least=30) >= 30


def test_the_echo_of_a_failed_round_does_not_end_its_back_off_at_once(queue, clock):
    queue.add("a")
    assert queue.get() == "a"
    queue.add("a")
    queue.failed("a", at_least=60)
    queue.done("a")

    assert ready(queue) == []
    clock.now += 1.1
    assert ready(queue) == ["a"]


def test_a_change_after_a_failed_round_is_worked_on_at_once(queue):
    queue.add("a")
    assert queue.get() == "a"
    queue.failed("a", at_least=60)
    queue.done("a")

    queue.add("a")

    assert ready(queue) == ["a"]


def test_a_delay_of_centuries_does_not_stop_a_worker():
    """A person may write any date into a claim."""
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("far", 1e12)
    taken = []
    worker = threading.Thread(target=lambda: taken.append(queue.get()))
    worker.start()

    queue.add("near")
    worker.join(5)

    assert taken == ["near"]


def test_closing_ends_waiting_workers():
    queue: WorkQueue[str] = WorkQueue()
    got = []
    workers = [threading.Thread(target=lambda: got.append(queue.get())) for _ in range(3)]
    for worker in workers:
        worker.start()

    queue.close()
    for worker in workers:
        worker.join(5)

    assert got == [None, None, None]


def test_no_key_is_ever_with_two_workers_and_none_is_lost():
    queue: WorkQueue[int] = WorkQueue()
    busy: set[int] = set()
    seen: dict[int, int] = {}
    lock = threading.Lock()
    wrong = []

    def work():
        while (key := queue.get()) is not None:
            with lock:
                if key in busy:
                    wrong.append(key)
                busy.add(key)
            version = written[key]
            time.sleep(0.0005)
            with lock:
                busy.discard(key)
                seen[key] = version
            queue.done(key)

    written = dict.fromkeys(range(5), 0)
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for number in range(1, 400):
        key = number % 5
        written[key] = number
        queue.add(key)
        if number % 7 == 0:
            queue.add_after(key, 0.001)
    comes_about(lambda: seen == written, 10.0)
    queue.close()
    for worker in workers:
        worker.join(5)

    assert wrong == []
    assert seen == written


def test_keys_that_are_due_in_a_week_and_come_at_every_resync_leave_nothing_behind(queue, clock):
    """Kept claims expire in days and are looked at every five minutes; one entry each is all there is."""
    week, number = 7 * 86400.0, 200
    for resync in range(50):
        clock.now = resync * 300.0
        for key in range(number):
            queue.add(key)
        for key in range(number):
            taken = queue.get()
            queue.succeeded(taken)
            queue.add_after(taken, week - clock.now + key * 1e-3 + resync * 1e-6)
            queue.done(taken)

    assert len(queue) == number
    assert len(queue._heap) <= 2 * number + 64
    clock.now = week + 60.0
    assert sorted(key for key in ready(queue) if key != "begin") == list(range(number))


def test_what_gives_something_back_goes_first_and_does_not_stop_the_others(clock):
    queue: WorkQueue[str] = WorkQueue(turn=named, monotonic=clock)
    for number in range(6):
        queue.add(f"order-{number}")
    for number in range(6):
        queue.add(f"release-{number}")

    taken = [queue.get() for _ in range(12)]

    assert taken[:3] == ["release-0", "release-1", "release-2"]
    assert taken[3] == "order-0"
    assert taken.index("release-5") == 6
    assert [key for key in taken if key.startswith("order")] == [f"order-{n}" for n in range(6)]


def test_a_key_that_waits_and_begins_to_give_back_goes_first(clock):
    leaving: set[str] = set()
    queue: WorkQueue[str] = WorkQueue(
        turn=lambda k: Turn.FIRST if k in leaving else Turn.ORDINARY, monotonic=clock
    )
    for key in "abc":
        queue.add(key)
    leaving.add("c")
    queue.add("c")

    assert [queue.get() for _ in range(3)] == ["c", "a", "b"]


def test_of_what_is_patient_only_a_few_are_with_workers_and_the_others_pass_it(clock):
    queue: WorkQueue[str] = WorkQueue(turn=named, patient=2, monotonic=clock)
    for number in range(5):
        queue.add(f"wait-{number}")

    assert [queue.get(), queue.get()] == ["wait-0", "wait-1"]
    queue.add("order-0")
    assert queue.get() == "order-0"
    queue.add("order-1")
    queue.done("wait-1")
    assert [queue.get() for _ in range(2)] == ["wait-2", "order-1"]  # each fourth is the oldest
    queue.done("wait-2")
    queue.done("wait-0")
    assert [queue.get() for _ in range(2)] == ["wait-3", "wait-4"]


def test_a_worker_that_waits_takes_the_next_patient_key_when_one_is_given_back():
    queue: WorkQueue[str] = WorkQueue(turn=named, patient=1)
    queue.add("wait-0")
    queue.add("wait-1")
    assert queue.get() == "wait-0"
    taken = []
    worker = threading.Thread(target=lambda: taken.append(queue.get()))
    worker.start()

    queue.done("wait-0")
    worker.join(5)

    assert taken == ["wait-1"]


def test_a_patient_key_whose_wait_is_over_passes_the_others(clock):
    over: set[str] = set()
    queue: WorkQueue[str] = WorkQueue(
        turn=lambda k: Turn.ORDINARY if k in over else Turn.PATIENT, patient=1, monotonic=clock
    )
    for key in "abc":
        queue.add(key)
    assert queue.get() == "a"
    over.add("c")
    queue.add("c")

    assert queue.get() == "c"
