"""What Pods have been through, as the parts of the agent tell it, and as who watches hears it."""

import pytest

from ipamd.agent.diagnosis.history import PodHistory
from ipamd.core.history.changes import PodChange
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.timing.boottime import Boottime
from tests.testkit import claims
from tests.testkit.addresses import of_pod

POD = "default/web-0"
USED = Ledger.of([of_pod("10.0.1.9")])
ALL_ANEW = Ledger().changed(*USED.addresses.values())


@pytest.fixture
def history():
    return PodHistory("node-a", clock=lambda: Boottime(100.0))


def steps(history):
    return [event.step for event in history.of(POD)]


def heard(events):
    found = []
    while not events.empty():
        found.append(events.get().text)
    return found


def change(number):
    return PodChange(pod=POD, step="ADD", text=f"{'x' * number} failed", failed=True)


def test_who_watches_hears_what_happens_meanwhile_and_nothing_after(history):
    history.note(PodChange(pod=POD, step="ADD", text="before"))
    with history.watched() as events, history.watched() as others:
        history.note(PodChange(pod=POD, step="ADD", text="meanwhile"))
        assert heard(events) == heard(others) == ["meanwhile"]
    history.note(PodChange(pod=POD, step="ADD", text="after"))

    assert heard(events) == []


def test_who_does_not_come_along_misses_what_is_too_much(history):
    with history.watched() as events:
        for number in range(300):
            history.note(change(number))

        assert len(heard(events)) == 256
        history.note(change(1))
        assert len(heard(events)) == 1


def test_a_pod_and_its_claim_are_told_as_gone_when_they_are_deleted(history):
    pod, claim = claims.pod(), claims.claim()
    history.pod_changed("added", pod)
    history.claim_changed("added", claim)
    before = steps(history)

    history.pod_changed("modified", pod)
    history.claim_changed("modified", claim)
    assert steps(history) == before

    history.claim_changed("deleted", claim)
    history.pod_changed("deleted", pod)
    assert steps(history)[-1] == "gone"
    assert len(steps(history)) == len(before) + 2


def test_what_an_earlier_agent_has_left_is_told_once(history):
    history.begin(USED)
    history.ledger_changed(ALL_ANEW, lambda: USED)

    assert steps(history) == ["address"]


def test_what_the_ledger_shows_anew_is_an_event(history):
    history.begin(Ledger())
    history.ledger_changed(ALL_ANEW, lambda: USED)

    assert len(steps(history)) == 1


@pytest.mark.parametrize(
    ("reason", "step"),
    [
        ("FailedAddNetwork", "ADD"),
        ("FailedAssociateEIP", "bind"),
        ("FailedDisassociateEIP", "bind"),
        ("FailedAssignVpcIP", "address"),
        ("NetworkLost", "NetworkLost"),
    ],
)
def test_events_about_a_pod_are_told_under_the_step_that_they_are_about(history, reason, step):
    history.pod_told(POD, reason, "it failed", warning=True)

    (event,) = history.of(POD)
    assert (event.step, event.text, event.failed) == (step, "it failed", True)


@pytest.mark.parametrize("reason", ["AssociatedEIP", "AssignedVpcIP"])
def test_what_the_ledger_has_recorded_is_not_told_twice(history, reason):
    history.pod_told(POD, reason, "it is bound", warning=False)

    assert history.of(POD) == ()
