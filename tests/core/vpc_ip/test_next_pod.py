"""A kept claim without its Pod: the next Pod of the name takes it over, or it goes and a new one is made."""

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.actions import DeleteClaim, LookAtPod, RecordPod
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.facts import LivePod
from ipamd.core.kubernetes.annotation_names import VPC_IP_DELETE_POLICY
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.state_machine import decide
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, KEPT, fixed_claim

NOW = 1_800_000_000.0
NEXT = pod_view({VPC_IP_DELETE_POLICY: "Never"}, uid="u2", nodeName="node-b")
TAKEN_OVER = RecordPod(pod=ClaimPod(uid="u2", node="node-b"))
BEFORE = ClaimPod(uid="u1", node="node-a", last_seen=NOW - 60.0)
ANOTHER_WISH = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, expire_after=600.0)
BEGUN = AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", started=NOW - 90.0)


def decided(request, live_pod=None, **changes):
    claim = fixed_claim(request, pod=BEFORE, made_for="u1", **changes)
    return decide(VpcIpFacts(now=NOW, claim=claim, pod=NEXT, live_pod=live_pod))


@pytest.mark.parametrize("begun", [{"address": ADDRESS}, {"allocation": BEGUN}])
@pytest.mark.parametrize("request_", [KEPT, ANOTHER_WISH])
def test_what_has_an_address_or_may_get_one_is_taken_over_whatever_the_pod_asks_for(begun, request_):
    assert decided(request_, **begun) == TAKEN_OVER


def test_what_has_none_is_taken_over_by_a_pod_that_asks_for_the_same():
    assert decided(KEPT) == TAKEN_OVER


def test_what_has_none_makes_room_for_a_pod_that_asks_for_something_else():
    assert isinstance(decided(ANOTHER_WISH), LookAtPod)

    gone = decided(ANOTHER_WISH, LivePod(pod=NEXT))

    assert isinstance(gone, DeleteClaim)
    assert "has no address yet, and Pod default/web-0 asks for something else now" in gone.reason


def test_what_a_person_made_is_never_made_anew():
    claim = fixed_claim(ANOTHER_WISH, pod=BEFORE, made_for="")

    assert decide(VpcIpFacts(now=NOW, claim=claim, pod=NEXT)) == TAKEN_OVER
