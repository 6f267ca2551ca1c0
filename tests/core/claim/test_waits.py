"""What a claim waits for, told from its conditions."""

import pytest

from ipamd.core.claim import status, waits
from ipamd.core.claim.eipclaim import BOUND, EGRESS_THROUGH_EIP, ClaimPod, read
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.waits import ClaimStep, EgressPath
from tests.testkit.claims import NOW, ON_A, OWN, claim


def patched(before, patch):
    """Return the claim with the conditions that a patch of its status writes."""
    return claim(
        address=before.address,
        binding=before.binding,
        pod=before.pod,
        deleting=before.deleting,
        conditions=tuple(patch["status"]["conditions"]),
    )


def provisioned():
    after = patched(claim(), status.provisioned(claim(), OWN, Reason.ALLOCATED, NOW))
    return claim(address=OWN, conditions=after.conditions)


def bound():
    ready = patched(provisioned(), status.bound(provisioned(), ON_A, NOW))
    return claim(address=OWN, binding=ON_A, conditions=ready.conditions)


def test_an_order_that_is_refused_is_waited_for_by_its_reason():
    refused = status.not_provisioned(claim(), Reason.QUOTA_EXCEEDED, "no", NOW, certain=True)
    assert refused

    wait = waits.wait_of(patched(claim(), refused))

    assert wait == waits.ClaimWait(step=ClaimStep.ORDER, reason="QuotaExceeded")


def test_a_bind_that_is_refused_is_waited_for_by_its_reason():
    refused = status.bind_failed(provisioned(), Reason.PERMISSION_DENIED, "no", NOW)
    assert refused

    wait = waits.wait_of(patched(provisioned(), refused))

    assert wait == waits.ClaimWait(step=ClaimStep.BIND, reason="PermissionDenied")


def test_an_eip_whose_agent_has_not_begun_is_waited_for():
    assert waits.wait_of(provisioned()) == waits.ClaimWait(step=ClaimStep.BIND, reason="Waiting")


def test_a_claim_of_which_nothing_is_said_yet_is_new():
    assert waits.wait_of(claim()) == waits.ClaimWait(step=ClaimStep.ORDER, reason="New")


def test_an_eip_that_is_lost_has_to_be_ordered_again():
    lost = status.eip_lost(bound(), "gone", NOW)

    wait = waits.wait_of(claim(conditions=tuple(lost["status"]["conditions"])))

    assert wait == waits.ClaimWait(step=ClaimStep.ORDER, reason="EIPLost")


@pytest.mark.parametrize(
    "content",
    [
        bound(),
        claim(never=True, pod=ClaimPod(uid="pod-1", last_seen=NOW)),
        claim(pod=None, made_for=""),
    ],
    ids=["bound", "kept without a Pod", "made by a person"],
)
def test_nobody_waits(content):
    assert waits.wait_of(content) is None


def test_a_deleted_claim_waits_for_its_release_whatever_it_had():
    leaving = claim(address=OWN, binding=ON_A, deleting=True, conditions=bound().conditions)

    wait = waits.wait_of(leaving)

    assert wait
    assert wait.step is ClaimStep.RELEASE


@pytest.mark.parametrize(
    ("said", "path"),
    [("True", EgressPath.EIP), ("False", EgressPath.OTHER), ("Unknown", EgressPath.UNKNOWN)],
)
def test_a_bound_claim_says_by_what_its_pod_leaves(said, path):
    condition = {"type": EGRESS_THROUGH_EIP, "status": said}

    assert (
        waits.egress_path(claim(address=OWN, binding=ON_A, conditions=(*bound().conditions, condition)))
        is path
    )


def test_nothing_is_known_of_a_bound_claim_before_the_routes_were_read():
    assert waits.egress_path(bound()) is EgressPath.UNKNOWN


def test_a_claim_that_is_not_bound_has_no_path():
    stale = {"type": EGRESS_THROUGH_EIP, "status": "False"}
    unbound = {"type": BOUND, "status": "False"}

    assert waits.egress_path(claim(address=OWN, conditions=(stale, unbound))) is None


def test_what_a_person_may_have_written_is_no_error():
    content = {"pod": {"uid": "pod-1"}, "conditions": [{"type": "Ready", "reason": None, "status": 7}]}

    odd = read({"metadata": {"name": "a", "uid": "u"}, "status": content})

    assert waits.wait_of(odd) == waits.ClaimWait(step=ClaimStep.ORDER, reason="New")
