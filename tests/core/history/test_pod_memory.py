"""The memory of what has happened to Pods: bounded, in order, repeats counted."""

from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.history.events import PodEvent, PodMemory


def event(at=1.0, pod="default/web-0", text="tried", **more):
    return PodEvent(at=at, pod=pod, step="ADD", text=text, **more)


def test_events_of_a_pod_come_back_in_their_order():
    memory = PodMemory()
    for at, text in ((1.0, "one"), (2.0, "two")):
        memory.add(event(at, text=text))

    assert [(e.at, e.text) for e in memory.of("default/web-0")] == [(1.0, "one"), (2.0, "two")]
    assert memory.of("default/other") == ()


def test_what_repeats_itself_but_for_its_request_is_kept_once_and_counted():
    memory = PodMemory()
    for number in range(50):
        memory.add(event(float(number), text=f"refused (RequestId id-{number})", failed=True))

    (kept,) = memory.of("default/web-0")
    assert (kept.first, kept.at, kept.count) == (0.0, 49.0, 50)
    assert kept.request_id == "id-49"


def test_a_success_between_two_failures_is_no_repeat():
    memory = PodMemory()
    for failed in (True, False, True):
        memory.add(event(failed=failed))

    assert [e.failed for e in memory.of("default/web-0")] == [True, False, True]


def test_two_threads_that_read_the_clock_do_not_change_the_order():
    memory = PodMemory()
    memory.add(event(2.0, text="later"))
    memory.add(event(1.0, text="read before, told after"))

    assert [e.at for e in memory.of("default/web-0")] == [2.0, 2.0]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50), st.floats(0, 100)), max_size=200))
def test_it_never_grows_beyond_its_bounds_and_is_always_in_order(told):
    memory = PodMemory(pods=4, events=3)
    for pod, text, at in told:
        memory.add(event(at, pod=f"default/p{pod}", text=f"t{text}"))

    assert len(list(memory)) <= 4
    for pod in memory:
        times = [e.at for e in memory.of(pod)]
        assert len(times) <= 3
        assert times == sorted(times)


def test_the_pod_of_which_nothing_was_heard_for_longest_is_forgotten():
    memory = PodMemory(pods=2)
    for pod in ("a/1", "a/2", "a/1", "a/3"):
        memory.add(event(pod=pod))

    assert set(memory) == {"a/1", "a/3"}


def test_what_nobody_calls_a_failure_is_none():
    assert not event().failed
    assert event(failed=True).failed
