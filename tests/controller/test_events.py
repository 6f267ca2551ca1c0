"""Who is told what: the object that an Event is about, and what is told once only."""

import pytest

from ipamd.controller.events import ClaimEvents
from tests.testkit import claims
from tests.testkit.pods import pod_ref


class Recorder:
    def __init__(self):
        self.events: list[tuple[str, str, str, str, str]] = []

    def record(self, about, kind, reason, message):
        self.events.append((about["kind"], about["name"], kind, reason, message))
        self.about = about


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def teller(recorder):
    return ClaimEvents(recorder)


def test_a_claim_that_serves_a_pod_is_told_of_on_both(teller, recorder):
    teller.both(claims.claim(), "Normal", "Changed", "it has 50 Mbps")

    said = ("Normal", "Changed", "it has 50 Mbps")
    assert recorder.events == [("EIPClaim", "web-0", *said), ("Pod", "web-0", *said)]
    assert (recorder.about["namespace"], recorder.about["uid"]) == ("default", "pod-1")


def test_one_that_serves_none_is_told_of_alone(teller, recorder):
    teller.both(claims.claim(pod=None, made_for=""), "Warning", "Refused", "no")

    assert recorder.events == [("EIPClaim", "web-0", "Warning", "Refused", "no")]


def test_a_hint_is_told_once_to_each_pod(teller, recorder):
    for pod in (pod_ref("a", "1"), pod_ref("b", "2"), pod_ref("a", "1")):
        teller.pod_once(pod, "Hint", "look")
    teller.pod_once(pod_ref("a", "1"), "Hint", "look elsewhere")
    teller.pod_once(pod_ref("a", "1"), "Other", "look")

    assert [(name, reason, text) for _, name, _, reason, text in recorder.events] == [
        ("a", "Hint", "look"),
        ("b", "Hint", "look"),
        ("a", "Hint", "look elsewhere"),
        ("a", "Other", "look"),
    ]
    assert {kind for _, _, kind, _, _ in recorder.events} == {"Warning"}


def test_of_thousands_of_hints_the_one_said_longest_ago_may_be_said_again(teller, recorder):
    def hint(number):
        before = len(recorder.events)
        teller.pod_once(pod_ref("web", str(number)), "Hint", "look")
        return len(recorder.events) > before

    assert all(hint(number) for number in range(4096))
    assert not hint(0), "and is the newest now"
    assert hint(4096)
    assert not hint(0)
    assert hint(1)


@pytest.mark.parametrize(
    ("tell", "kind", "name"),
    [
        (lambda t: t.eip_pool("web", "u", "Warning", "R", "m"), "EIPPool", "web"),
        (lambda t: t.node("node-a", "u", "R", "m"), "Node", "node-a"),
        (lambda t: t.node_eni_config("gpus", "u", "R", "m"), "NodeENIConfig", "gpus"),
        (lambda t: t.config_map("kube-system", "conf", uid="", reason="R", message="m"), "ConfigMap", "conf"),
        (lambda t: t.lease("kube-system", "lease", "Warning", "R", "m"), "Lease", "lease"),
    ],
)
def test_other_objects_are_told_of_by_their_kind_and_name(teller, recorder, tell, kind, name):
    tell(teller)

    assert recorder.events == [(kind, name, "Warning", "R", "m")]
