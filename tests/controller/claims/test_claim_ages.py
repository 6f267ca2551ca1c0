"""For how long claims wait, as it is shown."""

from ipamd.controller.claims.claim_ages import ClaimAges
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.reason import Reason
from tests.runtime.manual_clock import ManualClock
from tests.testkit.claims import NOW, OWN, claim


def waiting(uid="claim-1", pod="pod-1", reason=Reason.QUOTA_EXCEEDED, **changes):
    served = ClaimPod(uid=pod, node="node-a")
    patch = status.not_provisioned(claim(), reason, "no", NOW, certain=True)
    assert patch
    return claim(uid=uid, pod=served, conditions=tuple(patch["status"]["conditions"]), **changes)


def shown(ages, *claims):
    return {metric.name: metric.samples for metric in ages.metrics(claims)}


def test_the_oldest_wait_counts_from_when_it_was_first_seen():
    clock = ManualClock()
    ages = ClaimAges(clock.now)
    shown(ages, waiting("a"))
    clock.advance(60)

    found = shown(ages, waiting("a"), waiting("b"))

    assert found["tke_eni_claims_not_ready"] == {("order", "QuotaExceeded"): 2}
    assert found["tke_eni_claims_not_ready_seconds"] == {("order", "QuotaExceeded"): 60}
    assert found["tke_eni_claims_releasing_seconds"] == {(): 0}


def test_another_reason_goes_on_and_another_pod_begins_anew():
    clock = ManualClock()
    ages = ClaimAges(clock.now)
    shown(ages, waiting("a"))
    clock.advance(60)
    assert shown(ages, waiting("a", reason=Reason.NO_MONEY))["tke_eni_claims_not_ready_seconds"] == {
        ("order", "NoMoney"): 60
    }

    found = shown(ages, waiting("a", pod="pod-2"))

    assert found["tke_eni_claims_not_ready_seconds"] == {("order", "QuotaExceeded"): 0}


def test_a_claim_that_was_ready_meanwhile_begins_anew():
    clock = ManualClock()
    ages = ClaimAges(clock.now)
    shown(ages, waiting("a"))
    shown(ages)
    clock.advance(60)

    assert shown(ages, waiting("a"))["tke_eni_claims_not_ready_seconds"] == {("order", "QuotaExceeded"): 0}


def test_a_deleted_claim_is_shown_by_its_age_alone():
    clock = ManualClock()
    ages = ClaimAges(clock.now)
    leaving = claim(address=OWN, deleting=True)
    shown(ages, leaving)
    clock.advance(3600)

    found = shown(ages, leaving)

    assert found["tke_eni_claims_releasing_seconds"] == {(): 3600}
    assert found["tke_eni_claims_not_ready"] == {}
    assert found["tke_eni_claims"][("Releasing",)] == 1
