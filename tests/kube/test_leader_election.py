"""At most one candidate leads, and who cannot renew knows it before another may take over."""

import time

import pytest

from ipamd.kube.leases import Election, LeaseTiming, NotLeaderError, observe
from ipamd.kube.resources import LEASES
from ipamd.runtime import task
from simulator.kube import Fault, FaultKind
from tests.testkit.eventually import eventually

BRISK = LeaseTiming(duration=1.2, renew_within=0.8, retry=0.1)
LASTING = LeaseTiming(duration=20.0, renew_within=1.0, retry=0.1)
"""So long that whoever waits for its end is told from whoever does not, on a busy machine too."""


class Candidate:
    """An election and what its callbacks were told."""

    def __init__(self, client, identity, timing):
        self.told: list[str] = []
        self.lost_at = 0.0
        self.election = Election(
            client, namespace="kube-system", name="tke-eni-ipamd", identity=identity, timing=timing
        )

    def start(self):
        self.election.start(on_started=lambda: self.told.append("started"), on_lost=self._lost)

    def _lost(self):
        self.lost_at = time.monotonic()
        self.told.append("lost")


@pytest.fixture
def candidate(server, open_client):
    made = []

    def candidate(identity, timing=BRISK):
        made.append(Candidate(open_client(server.url, component=identity), identity, timing))
        return made[-1]

    yield candidate
    server.heal()
    for one in made:
        one.election.stop()


def holder(server):
    return server.get("leases", "tke-eni-ipamd", "kube-system", group="coordination.k8s.io")["spec"]


def test_the_first_candidate_leads_and_the_second_waits(server, candidate):
    a, b = candidate("a"), candidate("b")
    a.start()
    eventually(lambda: a.election.leading)
    b.start()
    eventually(lambda: server.traffic.count(verb="get", resource="leases", user_agent="b/") >= 3)

    assert holder(server)["holderIdentity"] == "a"
    eventually(lambda: (a.told, b.told) == (["started"], []))
    with pytest.raises(NotLeaderError, match="kube-system/tke-eni-ipamd"):
        b.election.check()
    a.election.check()


def test_a_leader_that_stops_in_order_is_followed_at_once(server, candidate):
    a, b = candidate("a", LASTING), candidate("b", LASTING)
    a.start()
    eventually(lambda: a.election.leading)
    b.start()
    began = time.monotonic()

    a.election.stop()
    eventually(lambda: b.election.leading)

    assert time.monotonic() - began < LASTING.duration / 2
    assert not a.election.leading
    assert holder(server)["leaseTransitions"] == 1
    eventually(lambda: a.told == ["started"])


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.CLOSE, FaultKind.STATUS])
def test_a_leader_cut_off_says_so_before_another_leads(server, candidate, kind):
    a, b = candidate("a"), candidate("b")
    a.start()
    eventually(lambda: a.election.leading)
    b.start()
    eventually(lambda: b.election._record is not None)

    server.inject(Fault(kind=kind, user_agent="a/", code=500))
    eventually(lambda: b.election.leading)

    assert not a.election.leading
    eventually(lambda: a.told == ["started", "lost"])
    eventually(lambda: b.told == ["started"])


def test_the_loss_is_told_within_the_time_to_renew(server, candidate):
    a = candidate("a", LASTING)
    a.start()
    eventually(lambda: a.election.leading)
    server.inject(Fault(kind=FaultKind.HANG))
    cut = time.monotonic()

    eventually(lambda: "lost" in a.told)

    assert a.lost_at - cut < LASTING.duration / 2


def test_a_leader_whose_lease_was_taken_stops_at_the_next_look(server, client, candidate):
    a = candidate("a")
    a.start()
    eventually(lambda: a.election.leading)

    client.patch(LEASES, "tke-eni-ipamd", {"spec": {"holderIdentity": "operator"}}, "kube-system")

    eventually(lambda: a.told == ["started", "lost"])
    assert not a.election.leading


def test_a_leader_regains_a_lease_that_was_deleted(server, client, candidate):
    a = candidate("a")
    a.start()
    eventually(lambda: a.election.leading)

    client.delete(LEASES, "tke-eni-ipamd", "kube-system")
    eventually(lambda: any(True for _ in client.list(LEASES, "kube-system").items))

    assert holder(server)["holderIdentity"] == "a"
    eventually(lambda: a.told == ["started"])


def test_writes_of_others_to_the_lease_do_not_end_the_leadership(server, candidate):
    server.inject(Fault(kind=FaultKind.CONFLICT, every=2))
    a = candidate("a")
    a.start()
    eventually(lambda: server.faults.hits(FaultKind.CONFLICT) >= 5)

    eventually(lambda: a.told == ["started"])


def test_a_candidate_who_comes_back_leads_again(server, candidate):
    a = candidate("a")
    a.start()
    eventually(lambda: a.election.leading)
    fault = server.inject(Fault(kind=FaultKind.STATUS, code=500))
    eventually(lambda: a.told == ["started", "lost"])

    server.heal(fault)

    eventually(lambda: a.told == ["started", "lost", "started"])


def test_another_machines_clock_does_not_matter():
    stale = {
        "metadata": {"resourceVersion": "7"},
        "spec": {
            "holderIdentity": "b",
            "leaseDurationSeconds": 15,
            "renewTime": "1999-01-01T00:00:00.000000Z",
        },
    }

    first = observe(None, stale, now=100.0)
    later = observe(first, stale, now=114.0)
    expired = observe(later, stale, now=115.5)
    renewed = observe(expired, {**stale, "metadata": {"resourceVersion": "8"}}, now=116.0)

    assert not first.free_for("a", 100.0)
    assert not later.free_for("a", 114.0)
    assert expired.free_for("a", 115.5)
    assert not renewed.free_for("a", 116.0)
    assert first.free_for("b", 100.0)


@pytest.mark.parametrize(("duration", "renew", "retry"), [(10, 10, 2), (15, 10, 10), (15, 10, 0)])
def test_times_under_which_two_could_lead_are_refused(duration, renew, retry):
    with pytest.raises(ValueError, match="retry < renew_within < duration"):
        LeaseTiming(duration=duration, renew_within=renew, retry=retry)


def test_a_lease_that_is_not_given_back_keeps_others_out_until_it_expires(server, candidate):
    a, b = candidate("a"), candidate("b")
    a.start()
    eventually(lambda: a.election.leading)

    a.election.stop(give_back=False)
    began = time.monotonic()
    b.start()
    eventually(lambda: b.election.leading)

    assert not a.election.leading
    assert time.monotonic() - began >= BRISK.duration


def test_an_election_that_has_a_defect_says_that_the_lease_is_lost_and_is_seen(candidate):
    a = candidate("a")

    def fails():
        raise ValueError("a defect of who begins the work")

    a.election.start(on_started=fails, on_lost=a._lost)

    eventually(lambda: a.told == ["lost"])
    assert not a.election.leading
    assert "election: it has ended by a defect: ValueError" in task.problem()
