"""A retained claim outlives its Pod for as long as it, or the operator, says."""

from dataclasses import replace

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.facts import LivePod, NodeState
from ipamd.core.claim.state_machine import decide
from tests.testkit.claims import NOW, ON_A, OWN, claim, facts, pod

HOUR = ClusterRules(expire_after=3600.0)


def left_alone(seconds_ago, *, own=None, **changes):
    kept = claim(
        never=True,
        address=OWN,
        pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW - seconds_ago),
        **changes,
    )
    assert kept.request
    return replace(kept, request=replace(kept.request, expire_after=own))


def test_without_a_word_of_anybody_it_is_kept_for_ever():
    assert decide(facts(left_alone(10**9))) == do.Idle()


@pytest.mark.parametrize(
    ("claim", "rules"),
    [
        (left_alone(3590), HOUR),
        (left_alone(290, own=300.0), ClusterRules()),
        (left_alone(290, own=300.0), HOUR),
        (left_alone(7190, own=7200.0), HOUR),
    ],
)
def test_it_is_looked_at_again_just_when_it_is_due(claim, rules):
    action = decide(facts(claim, rules=rules))

    assert isinstance(action, do.Wait)
    assert action.seconds == pytest.approx(10)


def test_what_has_to_be_done_sooner_is_not_put_off():
    bound = left_alone(10, binding=ON_A)

    action = decide(facts(bound, rules=HOUR, node_fate=NodeState.ALIVE))

    assert isinstance(action, do.Wait)
    assert action.seconds == pytest.approx(30)


def test_dates_alone_delete_nothing_before_the_process_has_missed_the_pod_for_a_while():
    """Another leader's clock may have been wrong when it wrote them."""
    action = decide(facts(left_alone(10**6), rules=HOUR, absent_for=100.0))

    assert isinstance(action, do.Wait)
    assert action.seconds == pytest.approx(HOUR.least_absence - 100.0)
    assert decide(facts(left_alone(10**6), rules=HOUR, absent_for=HOUR.least_absence)) == do.LookAtPod()


DOUBT = "the controller's clock is ahead of the cloud's"
UNSERVED = claim(never=True, pod=None)


@pytest.mark.parametrize("waiting", [left_alone(10**6), left_alone(-(10**6)), UNSERVED])
def test_while_the_clock_is_doubted_the_time_counts_for_which_this_process_missed_the_pod(waiting):
    for live in (None, LivePod(None)):
        early = facts(waiting, rules=HOUR, live_pod=live, clock_doubt=DOUBT, absent_for=3590.0)
        action = decide(early)
        assert isinstance(action, do.Wait)
        assert action.seconds == pytest.approx(10)

    late = facts(waiting, rules=HOUR, clock_doubt=DOUBT, absent_for=3600.0)
    assert decide(late) == do.LookAtPod()
    deleted = decide(replace(late, live_pod=LivePod(None)))
    assert isinstance(deleted, do.DeleteClaim)
    assert deleted.event == "ExpiredClaim"


@pytest.mark.parametrize("waiting", [left_alone(10**6), UNSERVED])
def test_while_the_clock_is_doubted_the_claim_is_looked_at_for_the_end_of_the_doubt(waiting):
    action = decide(facts(waiting, rules=HOUR, live_pod=LivePod(None), clock_doubt=DOUBT, absent_for=0.0))

    assert isinstance(action, do.Wait)
    assert action.seconds == pytest.approx(30)


def test_while_the_clock_is_doubted_what_is_kept_for_ever_is_kept_and_what_goes_with_its_pod_goes():
    kept = decide(facts(UNSERVED, live_pod=LivePod(None), clock_doubt=DOUBT))
    assert isinstance(kept, do.Wait)
    by_hand = claim(never=True, pod=None, made_for="")
    assert decide(facts(by_hand, rules=HOUR, clock_doubt=DOUBT)) == do.Idle()

    action = decide(facts(claim(address=OWN), live_pod=LivePod(None), clock_doubt=DOUBT))
    assert isinstance(action, do.DeleteClaim)


@pytest.mark.parametrize("stage", [{}, {"binding": ON_A}])
@pytest.mark.parametrize("nobody", [None, pod("pod-2", wants=False), pod("pod-1", phase="Succeeded")])
def test_when_it_is_due_the_pod_is_looked_for_once_more(stage, nobody):
    due = left_alone(3600, **stage)

    assert decide(facts(due, nobody, rules=HOUR)) == do.LookAtPod()
    deleted = decide(facts(due, nobody, rules=HOUR, live_pod=LivePod(nobody)))
    assert isinstance(deleted, do.DeleteClaim)
    assert deleted.event == "ExpiredClaim"
    assert "kept for 1h" in deleted.reason


@pytest.mark.parametrize("back", [pod("pod-2"), pod("pod-1"), pod("pod-1", deleting=True)])
def test_a_pod_that_has_come_back_unseen_keeps_it(back):
    due = left_alone(10**6)

    assert isinstance(decide(facts(due, None, rules=HOUR, live_pod=LivePod(back))), do.Wait)


def test_a_pod_that_is_there_has_its_claim_however_late():
    assert isinstance(decide(facts(left_alone(10**6), pod("pod-2"), rules=HOUR)), do.RecordPod)
    assert isinstance(decide(facts(left_alone(10**6), pod("pod-1"), rules=HOUR)), do.RecordPod)


def test_a_claim_that_cannot_be_read_does_not_expire():
    spoiled = replace(left_alone(10**9), request=None, problem="spec.expireAfter: ...")

    assert decide(facts(spoiled, rules=HOUR)) == do.Idle()


def test_a_claim_whose_pod_went_before_it_was_served_counts_from_then_on():
    unserved = claim(never=True, pod=None)

    assert decide(facts(unserved, None, live_pod=LivePod(None))) == do.RecordPod(
        pod=ClaimPod(uid="pod-1", last_seen=NOW)
    )


def test_a_claim_that_a_person_made_for_a_pod_to_come_is_kept():
    by_hand = claim(never=True, pod=None, made_for="")

    assert decide(facts(by_hand, None, rules=HOUR)) == do.Idle()
