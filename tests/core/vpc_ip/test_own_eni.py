"""A claim of an ENI of its own: made once, adopted, made anew when lost, and deleted when nothing uses it."""

from dataclasses import replace

import pytest

from ipamd.core.claim.actions import ClearBinding, DeleteClaim, DropFinalizer, Idle, Wait
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.facts import LivePod, NodeState
from ipamd.core.claim.release import SETTLE
from ipamd.core.kubernetes.annotation_names import NETWORKS, VPC_IP_DELETE_POLICY
from ipamd.core.model import EniState, Subnet
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import own_eni as own_eni_rules
from ipamd.core.vpc_ip import provision, status, vpcip
from ipamd.core.vpc_ip.facts import AddressHolder, AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.state_machine import decide
from ipamd.core.vpc_ip.vpcipclaim import AddressBinding, AddressOrder
from tests.testkit.own_enis import own_eni
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import EXCLUSIVE, OWN_ENI, fixed_claim

NOW = 1_800_000_000.0
SUBNET = Subnet(
    subnet_id="subnet-aaaaaaaa",
    vpc_id="vpc-1",
    zone="ap-test-1",
    cidr="10.0.3.0/24",
    available_ips=9,
    route_table_id="",
)
NAMED = replace(EXCLUSIVE, nominated_ip="10.0.3.7")
BEGUN = AddressOrder(attempt=2, subnet_id="subnet-aaaaaaaa", started=NOW - 5.0)
SERVED = ClaimPod(uid="u1", node="node-a")
BOUND = AddressBinding(node="node-a", eni_id="eni-own", pod_uid="u1")
POD = pod_view({VPC_IP_DELETE_POLICY: "Never", NETWORKS: "tke-direct-eni"}, nodeName="node-a")
TAKEN = frozenset({"10.0.3.7"})


def claim_of(request=EXCLUSIVE, **changes):
    return fixed_claim(request, **{"pod": SERVED, **changes})


def line(ip="10.0.3.7"):
    obj = vpcip.new_object(claim_of(), replace(OWN_ENI, ip=ip))
    obj["metadata"] |= {"uid": f"line-{ip}", "resourceVersion": "1"}
    return vpcip.read(obj)


def step(request=EXCLUSIVE, *, claim=None, **known):
    claim = claim or claim_of(request)
    looked = {"book": (), "subnets": (SUBNET,), "node_zone": "ap-test-1", "enis": ()}
    facts = VpcIpFacts(now=NOW, claim=claim, pod=pod_view(nodeName="node-a"), **{**looked, **known})
    return provision.provision(facts, claim)


def test_nothing_is_made_before_all_looks_and_no_reservation_is_looked_at():
    assert step(book=None) == do.LookAtBook()
    assert step(subnets=None) == do.LookAtSubnets()
    assert step(enis=None) == do.LookAtEnis()


def test_an_eni_is_asked_for_once_and_then_for_the_very_same():
    assert step() == do.MakeOwnEni(
        order=AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", started=NOW), begun=False
    )
    assert step(claim=claim_of(allocation=BEGUN)) == do.MakeOwnEni(order=BEGUN, begun=True)
    ended = AddressOrder(attempt=2, subnet_id="subnet-aaaaaaaa")
    again = step(claim=claim_of(allocation=ended))
    assert isinstance(again, do.MakeOwnEni)
    assert (again.order.attempt, again.begun) == (3, False)


def test_an_eni_has_the_nominated_address_or_the_one_that_is_in_the_book():
    assert step(NAMED).order.ip == "10.0.3.7"
    assert step(book=(line("10.0.3.9"),)).order.ip == "10.0.3.9"


def test_where_the_book_alone_keeps_addresses_a_free_one_is_named():
    crowded = frozenset({"subnet-aaaaaaaa"})

    assert step(crowded=crowded) == do.LookForAddress(subnet_id="subnet-aaaaaaaa")
    assert step(crowded=crowded, candidate="10.0.3.200").order.ip == "10.0.3.200"


def test_reservations_that_are_refused_do_not_keep_an_eni_from_being_made():
    refused = AddressRefusal(VpcIpReason.NOT_ASSIGNABLE, "the cloud assigns no reserved address")

    assert isinstance(step(refusal=refused), do.MakeOwnEni)


def test_an_eni_that_is_there_is_entered_and_then_recorded():
    assert step(enis=(own_eni(),)) == do.WriteLine(address=OWN_ENI)
    kept = step(enis=(own_eni(),), book=(line(),))
    assert isinstance(kept, do.KeepAddress)
    assert (kept.address, kept.reason) == (OWN_ENI, VpcIpReason.RESERVED)


@pytest.mark.parametrize(
    "unready", [own_eni(state=EniState.PENDING), own_eni(ip="")], ids=["state", "address"]
)
def test_an_eni_that_is_being_made_is_waited_for(unready):
    assert isinstance(step(enis=(unready,)), Wait)


def test_a_line_of_before_goes_when_the_eni_has_another_address():
    stray = line("10.0.3.9")

    assert step(enis=(own_eni(),), book=(stray,)) == do.DropLine(line=stray)


def test_several_enis_are_an_error_and_nothing_is_done():
    what = step(enis=(own_eni(), own_eni("eni-2", "10.0.3.8")))

    assert isinstance(what, do.MarkWithoutAddress)
    assert what.reason is VpcIpReason.AMBIGUOUS_ENI
    assert "eni-own (10.0.3.7), eni-2 (10.0.3.8)" in what.message


def test_an_eni_with_another_claims_address_is_deleted_only_if_nothing_uses_it():
    assert step(enis=(own_eni(),), foreign_ips=TAKEN) == do.DeleteOwnEni(eni_id="eni-own")
    for used in (own_eni(instance_id="ins-1"), own_eni(eip_id="eip-1")):
        what = step(enis=(used,), foreign_ips=TAKEN)
        assert isinstance(what, do.MarkWithoutAddress)
        assert what.reason is VpcIpReason.ADDRESS_TAKEN


def test_an_address_that_somebody_has_is_not_asked_for():
    what = step(NAMED, foreign_ips=TAKEN, taken_by="10.0.3.7 is in use")

    assert isinstance(what, do.MarkWithoutAddress)
    assert what.reason is VpcIpReason.ADDRESS_TAKEN
    assert "10.0.3.7 is in use" in what.message


@pytest.mark.parametrize("reason", [VpcIpReason.QUOTA_EXCEEDED, VpcIpReason.ENI_REFUSED])
def test_a_refusal_is_told_and_nothing_takes_the_enis_place(reason):
    what = step(eni_refusal=AddressRefusal(reason, "no more"))

    assert what == do.MarkWithoutAddress(reason=reason, message="no more")


def test_a_full_subnet_is_told():
    what = step(full=frozenset({"subnet-aaaaaaaa"}))

    assert isinstance(what, do.MarkWithoutAddress)
    assert what.reason is VpcIpReason.SUBNET_FULL


def test_a_claim_whose_network_was_dropped_orders_nothing():
    lost = replace(claim_of(), request=None, problem="spec.network is not tke-direct-eni")

    what = step(claim=lost)

    assert isinstance(what, do.MarkWithoutAddress)
    assert what.reason is VpcIpReason.INVALID_SPEC
    assert "spec.network" in what.message


# -- a claim without a Pod


def test_what_was_asked_for_a_pod_that_went_is_adopted():
    away = claim_of(allocation=BEGUN, pod=ClaimPod(uid="u1", node="node-a", last_seen=NOW))

    def next_for(**known):
        return decide(VpcIpFacts(now=NOW, claim=away, pod=None, book=(), **known))

    assert next_for() == do.LookAtEnis()
    assert next_for(enis=()) == Idle()
    assert isinstance(next_for(enis=(own_eni(),)), do.WriteLine)


# -- an ENI that somebody has deleted

LOST = replace(OWN_ENI, eni_id="")


def restored(claim=None, **known):
    claim = claim or claim_of(address=LOST)
    facts = VpcIpFacts(now=NOW, claim=claim, pod=pod_view(nodeName="node-a"), **known)
    return provision.reserve_kept(facts, claim)


def test_a_lost_eni_is_made_anew_with_the_very_address():
    assert restored() is None
    assert restored(reserve_again=True) == do.LookAtEnis()
    made = restored(reserve_again=True, enis=())
    assert made == do.MakeOwnEni(
        order=AddressOrder(attempt=1, subnet_id="subnet-aaaaaaaa", ip="10.0.3.7", started=NOW), begun=False
    )
    begun = replace(BEGUN, ip="10.0.3.7")
    assert restored(claim_of(address=LOST, allocation=begun), reserve_again=True, enis=()) == do.MakeOwnEni(
        order=begun, begun=True
    )
    # What was begun before was for whatever address, and has come and gone.
    assert restored(claim_of(address=LOST, allocation=BEGUN), reserve_again=True, enis=()).order.attempt == 3


def test_an_eni_that_turns_up_again_is_the_claims_if_it_has_its_address():
    kept = restored(reserve_again=True, enis=(own_eni(),))
    assert isinstance(kept, do.KeepAddress)
    assert kept.address == OWN_ENI
    assert isinstance(restored(reserve_again=True, enis=(own_eni(state=EniState.PENDING),)), Wait)
    for unfit in ((own_eni(ip="10.0.3.8"),), (own_eni(), own_eni("eni-2"))):
        what = restored(reserve_again=True, enis=unfit)
        assert isinstance(what, do.MarkUnreserved)
        assert what.reason is VpcIpReason.AMBIGUOUS_ENI


def test_a_lost_eni_whose_address_somebody_took_is_told():
    for known in ({"foreign_ips": TAKEN}, {"full": frozenset({"subnet-aaaaaaaa"})}):
        what = restored(reserve_again=True, enis=(), **known)
        assert isinstance(what, do.MarkUnreserved)
        assert what.reason is VpcIpReason.ADDRESS_TAKEN
    refused = AddressRefusal(VpcIpReason.QUOTA_EXCEEDED, "no more")
    what = restored(reserve_again=True, enis=(), eni_refusal=refused)
    assert what == do.MarkUnreserved(reason=VpcIpReason.QUOTA_EXCEEDED, message="no more")


def test_an_eni_that_is_there_is_not_made_again():
    assert restored(claim_of(address=OWN_ENI), reserve_again=True) is None


# -- a node that is gone


def taken_off(**known):
    claim = claim_of(address=OWN_ENI, binding=BOUND, pod=ClaimPod(uid="u2", node="node-b"))
    moved = pod_view(uid="u2", nodeName="node-b")
    return decide(VpcIpFacts(now=NOW, claim=claim, pod=moved, node_fate=NodeState.GONE, **known))


def test_the_eni_of_a_gone_node_is_detached_with_its_eip_and_then_is_free():
    assert taken_off() == do.LookAtEnis()
    at_node = own_eni(instance_id="ins-a", eip_id="eip-1")
    assert taken_off(enis=(at_node,)) == do.DetachOwnEni(eni_id="eni-own", instance_id="ins-a")
    assert isinstance(taken_off(enis=(replace(at_node, state=EniState.DETACHING),)), Wait)
    assert isinstance(taken_off(enis=(own_eni(eip_id="eip-1"),)), ClearBinding)
    assert isinstance(taken_off(enis=()), ClearBinding)


def test_the_eni_of_a_lost_node_is_detached_only_when_the_pod_is_gone():
    claim = claim_of(address=OWN_ENI, binding=BOUND, pod=ClaimPod(uid="u2", node="node-b"))
    moved = pod_view(uid="u2", nodeName="node-b")
    lost = VpcIpFacts(
        now=NOW,
        claim=claim,
        pod=moved,
        node_fate=NodeState.LOST,
        enis=(own_eni(instance_id="ins-a"),),
    )

    assert isinstance(decide(replace(lost, live_pod=LivePod(pod_view(nodeName="node-a")))), Wait)
    assert isinstance(decide(replace(lost, live_pod=LivePod(moved))), do.DetachOwnEni)


# -- the end

NOBODY = AddressHolder(place="")


def released(claim=None, **known):
    claim = claim or claim_of(address=OWN_ENI, deleting=True)
    patch = status.releasing(claim, NOW)
    assert patch
    claim = replace(claim, conditions=tuple(patch["status"]["conditions"]))  # it says that it waits
    return decide(VpcIpFacts(now=NOW, claim=claim, pod=None, **{"book": (line(),), **known}))


def test_an_eni_is_deleted_then_the_line_and_then_the_claim_goes():
    assert released(book=None) == do.LookAtBook()
    assert released() == do.LookAtEnis()
    assert released(enis=(own_eni(),)) == do.DeleteOwnEni(eni_id="eni-own")
    gone = {"enis": (), "released": frozenset({"eni-own"})}
    assert released(**gone) == do.DropLine(line=line())
    assert released(**gone, book=()) == DropFinalizer()


def test_an_eni_that_is_attached_is_never_deleted():
    what = released(enis=(own_eni(instance_id="ins-a"),))

    assert isinstance(what, Wait)
    assert what.warning == "AddressStillAssigned"
    assert "ins-a" in what.reason


def test_an_eni_with_an_eip_is_never_deleted():
    foreign = released(enis=(own_eni(eip_id="eip-1"),))
    assert isinstance(foreign, Wait)
    assert foreign.warning == "EIPStillBound"
    assert "unbind it in the console" in foreign.reason

    claimed = released(enis=(own_eni(eip_id="eip-1"),), claimed_eips=frozenset({"eip-1"}))
    assert isinstance(claimed, Wait)
    assert not claimed.warning


@pytest.mark.parametrize("state", [state for state in EniState if state is not EniState.AVAILABLE])
def test_an_eni_in_change_is_waited_for(state):
    assert isinstance(released(enis=(own_eni(state=state),)), Wait)


def test_a_list_without_the_eni_is_not_believed_while_the_vpc_shows_it():
    assert released(enis=()) == do.LookAtUse(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa")
    shown = AddressHolder(place="ENI eni-own", eni_id="eni-own")
    assert isinstance(released(enis=(), use=shown), Wait)
    assert isinstance(released(enis=(), use=NOBODY), do.DropLine)
    another = AddressHolder(place="ENI eni-9", eni_id="eni-9")
    assert isinstance(released(enis=(), use=another), do.DropLine)


def test_all_that_was_made_for_the_claim_is_deleted():
    two = (own_eni(), own_eni("eni-2", "10.0.3.8"))

    assert released(enis=two) == do.DeleteOwnEni(eni_id="eni-own")
    assert released(enis=two, released=frozenset({"eni-own"})) == do.DeleteOwnEni(eni_id="eni-2")


def test_an_eni_that_was_asked_for_and_may_still_turn_up_holds_the_claim():
    asked = claim_of(deleting=True, allocation=replace(BEGUN, started=NOW - 10.0))

    what = released(asked, enis=(), book=())
    assert isinstance(what, Wait)
    assert what.seconds == pytest.approx(SETTLE - 10.0)
    assert "an ENI" in what.reason
    settled = replace(asked, allocation=replace(BEGUN, started=NOW - SETTLE))
    assert released(settled, enis=(), book=()) == DropFinalizer()


# -- a Pod of the other network


@pytest.mark.parametrize(
    ("claim", "has", "asks"),
    [
        (fixed_claim(EXCLUSIVE, address=OWN_ENI), "tke-direct-eni", "tke-route-eni"),
        (fixed_claim(EXCLUSIVE, made_for=""), "tke-direct-eni", "tke-route-eni"),
    ],
    ids=["has an ENI", "a person made it"],
)
def test_a_pod_of_the_other_network_is_told_both_and_nothing_changes(claim, has, asks):
    pod = pod_view({VPC_IP_DELETE_POLICY: "Never"}, uid="u2", nodeName="node-b")

    what = decide(VpcIpFacts(now=NOW, claim=claim, pod=pod))

    assert isinstance(what, do.RefusePod)
    assert (what.reason, what.passes) == (VpcIpReason.NETWORK_DIFFERS, True)
    assert f"asks for {asks}" in what.message
    assert f"is of {has}" in what.message


def test_a_claim_that_keeps_nothing_yet_is_made_anew_for_a_pod_of_the_other_network():
    pod = pod_view({VPC_IP_DELETE_POLICY: "Never"}, uid="u2", nodeName="node-b")
    facts = VpcIpFacts(now=NOW, claim=fixed_claim(EXCLUSIVE), pod=pod, live_pod=LivePod(pod))

    assert isinstance(decide(facts), DeleteClaim)


# -- an ENI that the agent did not find

MISSED = {"type": "Assigned", "status": "False", "reason": "ENILost", "message": "no such ENI"}


def missed(**known):
    claim = claim_of(address=OWN_ENI, conditions=(MISSED,), **known.pop("changes", {}))
    return own_eni_rules.forget(VpcIpFacts(now=NOW, claim=claim, pod=None, **known), claim)


def test_an_eni_that_the_agent_missed_is_forgotten_after_two_looks():
    assert missed() == do.LookAtEnis()
    assert missed(enis=()) == do.LookAtUse(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa")
    what = missed(enis=(), use=NOBODY)
    assert isinstance(what, do.ForgetEni)
    assert "eni-own was deleted" in what.message


def test_an_eni_that_is_there_or_that_nobody_missed_is_not_forgotten():
    assert missed(enis=(own_eni(),)) is None
    assert missed(enis=(), use=AddressHolder(place="ENI eni-own", eni_id="eni-own")) is None
    assert missed(changes={"binding": BOUND}) is None
    for conditions in ((), ({**MISSED, "status": "True"},), ({**MISSED, "reason": "AssignFailed"},)):
        claim = claim_of(address=OWN_ENI, conditions=conditions)
        assert own_eni_rules.forget(VpcIpFacts(now=NOW, claim=claim, pod=None), claim) is None
    lost = claim_of(address=LOST, conditions=(MISSED,))
    assert own_eni_rules.forget(VpcIpFacts(now=NOW, claim=lost, pod=None), lost) is None


def test_a_forgotten_eni_is_made_anew_in_the_same_round():
    claim = claim_of(address=OWN_ENI, conditions=(MISSED,))
    seen = VpcIpFacts(now=NOW, claim=claim, pod=POD, enis=(), use=NOBODY)

    assert isinstance(decide(seen), do.ForgetEni)
    forgotten = replace(seen, claim=replace(claim, address=LOST), reserve_again=True)
    assert isinstance(decide(forgotten), do.MakeOwnEni)
