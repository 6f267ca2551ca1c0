"""What the controller does next, for every stage of a claim and every Pod that may have its name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import claim_actions as do
from ipamd.core import claims, tags, timestamps
from ipamd.core.claim_facts import Bearer, Facts, LivePod, NodeFate, Stage, bearer_of, stage_of
from ipamd.core.claim_release import ATTEMPT_WINDOW, SETTLE
from ipamd.core.claim_rules import _TABLE, decide
from ipamd.core.claims import Allocation, Claim, ClaimAddress, ClaimBinding, ClaimPod, Reason
from ipamd.core.eip_attributes import EIP_ATTRIBUTES, DeletePolicy, EipRequest
from ipamd.core.model import Eip, EipOrder, EipStatus, PodRef
from ipamd.core.pods import PodView

CLUSTER = "cls-1"
NOW = 1_700_000_000.0
OWN = ClaimAddress(eip_id="eip-1", public_ip="198.18.0.1", owned=True)
GIVEN = ClaimAddress(eip_id="eip-9", public_ip="198.18.0.9", owned=False)
ON_A = ClaimBinding(node="node-a", eni_id="eni-a", private_ip="10.0.1.5", pod_uid="pod-1")


def pod(uid="pod-1", *, node="node-a", wants=True, phase="Running", deleting=False):
    return PodView(
        ref=PodRef(namespace="default", name="web-0", uid=uid),
        node=node,
        phase=phase,
        deleting=deleting,
        annotations={EIP_ATTRIBUTES: ""} if wants else {},
    )


def claim(*, never=False, **changes) -> Claim:
    policy = DeletePolicy.NEVER if never else DeletePolicy.DELETE
    fields = {
        "namespace": "default",
        "name": "web-0",
        "uid": "claim-1",
        "resource_version": "7",
        "deleting": False,
        "held": True,
        "node": "node-a",
        "made_for": "pod-1",
        "request": EipRequest(order=EipOrder(), delete_policy=policy),
        "problem": "",
        "pod": ClaimPod(uid="pod-1", node="node-a"),
        "address": None,
        "binding": None,
        "allocation": None,
        "conditions": (),
    }
    return Claim(**{**fields, **changes})


def eip(eip_id="eip-1", status=EipStatus.UNBIND, *, tagged=True, eni="", ip="", public_ip="198.18.0.1"):
    return Eip(
        eip_id=eip_id,
        public_ip=public_ip,
        status=status,
        eni_id=eni,
        private_ip=ip,
        tags=tags.of_claim(CLUSTER, "claim-1") if tagged else {},
    )


def facts(claim=None, pod=None, **known) -> Facts:
    return Facts(cluster_id=CLUSTER, now=NOW, claim=claim, pod=pod, **known)


def test_every_pair_that_can_occur_has_a_rule():
    impossible = {(Stage.ABSENT, Bearer.SAME)}

    assert set(_TABLE) == {(stage, bearer) for stage in Stage for bearer in Bearer} - impossible


# -- a claim comes into being ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nobody", [None, pod(wants=False), pod(phase="Succeeded"), pod(phase="Failed"), pod(deleting=True)]
)
def test_a_pod_that_wants_no_eip_gets_no_claim(nobody):
    assert decide(facts(pod=nobody)) == do.Idle()


def test_a_pod_that_asks_gets_a_claim():
    asking = pod()

    assert decide(facts(pod=asking)) == do.Create(
        pod=asking, request=EipRequest(order=EipOrder(), delete_policy=DeletePolicy.DELETE)
    )


def test_wrong_annotations_get_an_event_and_no_claim():
    wrong = replace(pod(), annotations={EIP_ATTRIBUTES: '{"ISP":"STARLINK"}'})

    action = decide(facts(pod=wrong))

    assert isinstance(action, do.Reject)
    assert action.reason is Reason.INVALID_ATTRIBUTES
    assert "STARLINK" in action.message


def test_a_claim_without_our_finalizer_gets_it_before_anything_else():
    assert decide(facts(claim(held=False), pod())) == do.Hold()


def test_label_and_pod_are_recorded_before_an_eip_is_ordered():
    fresh = claim(node="", pod=None)

    assert decide(facts(fresh, pod())) == do.MoveTo(node="node-a")
    assert decide(facts(replace(fresh, node="node-a"), pod())) == do.Serve(
        pod=ClaimPod(uid="pod-1", node="node-a")
    )


def test_an_unscheduled_pod_is_provisioned_already():
    unscheduled = claim(node="", pod=ClaimPod(uid="pod-1"))

    assert decide(facts(unscheduled, pod(node=""))) == do.LookAtCloud()


# -- an EIP is found or ordered ----------------------------------------------------------------------------


def test_the_cloud_is_looked_at_before_an_order():
    assert decide(facts(claim(), pod())) == do.LookAtCloud()


def test_none_there_means_order():
    assert decide(facts(claim(), pod(), eips=())) == do.Allocate(attempt=1, begun=False, order=EipOrder())


def test_one_there_is_adopted():
    assert decide(facts(claim(), pod(), eips=(eip(),))) == do.RecordAddress(
        address=OWN, reason=Reason.ADOPTED
    )


def test_the_one_that_was_ordered_is_recorded():
    ordered = facts(claim(), pod(), eips=(eip(),), ordered="eip-1")

    assert decide(ordered) == do.RecordAddress(address=OWN, reason=Reason.ALLOCATED)


@pytest.mark.parametrize(
    "status", [EipStatus.CREATING, EipStatus.UNBINDING, EipStatus.OFFLINING, EipStatus.UNKNOWN]
)
def test_an_eip_that_is_not_ready_is_waited_for(status):
    assert isinstance(decide(facts(claim(), pod(), eips=(eip(status=status),))), do.Wait)


def test_more_than_one_is_told_and_nothing_is_done():
    action = decide(facts(claim(), pod(), eips=(eip("eip-1"), eip("eip-2"))))

    assert isinstance(action, do.Refuse)
    assert action.reason is Reason.AMBIGUOUS_EIP
    assert "eip-1" in action.message
    assert "eip-2" in action.message


@pytest.mark.parametrize(
    "strange",
    [
        eip(tagged=False),
        replace(eip(), tags={**tags.of_claim("cls-2", "claim-1")}),
        replace(eip(), tags={**tags.of_claim(CLUSTER, "claim-2")}),
    ],
)
def test_what_another_created_is_not_adopted(strange):
    assert isinstance(decide(facts(claim(), pod(), eips=(strange,))), do.Allocate)


def test_an_attempt_keeps_its_number_while_its_token_is_good_and_gets_another_after():
    begun = claim(allocation=Allocation(attempt=2, started=NOW - ATTEMPT_WINDOW))
    spent = claim(allocation=Allocation(attempt=2, started=NOW - ATTEMPT_WINDOW - 1))
    refused = claim(allocation=Allocation(attempt=2, started=None))

    assert decide(facts(begun, pod(), eips=())) == do.Allocate(attempt=2, begun=True, order=EipOrder())
    assert decide(facts(spent, pod(), eips=())) == do.Allocate(attempt=3, begun=False, order=EipOrder())
    assert decide(facts(refused, pod(), eips=())) == do.Allocate(attempt=2, begun=False, order=EipOrder())


def test_an_eip_that_was_promised_is_waited_for_but_not_for_ever():
    begun = claim(allocation=Allocation(attempt=1, started=NOW - 1))
    spent = claim(allocation=Allocation(attempt=1, started=NOW - ATTEMPT_WINDOW - 1))

    assert isinstance(decide(facts(begun, pod(), eips=(), ordered="eip-1")), do.Wait)
    assert isinstance(decide(facts(spent, pod(), eips=(), ordered="eip-1")), do.Allocate)


def test_a_pod_on_its_way_out_gets_no_new_eip():
    assert decide(facts(claim(), pod(deleting=True))) == do.Idle()


def test_a_claim_that_a_person_spoiled_is_told_and_orders_nothing():
    spoiled = claim(request=None, problem="spec.attributes.isp is None")

    action = decide(facts(spoiled, pod()))

    assert isinstance(action, do.Refuse)
    assert "spec.attributes.isp" in action.message


# -- the Pod goes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [{}, {"address": OWN}, {"address": OWN, "binding": ON_A}])
@pytest.mark.parametrize("gone", [None, pod(phase="Succeeded"), pod("pod-2"), pod("pod-2", wants=False)])
def test_a_claim_is_deleted_only_after_a_live_look_at_its_pod(stage, gone):
    assert decide(facts(claim(**stage), gone)) == do.LookAtPod()
    assert isinstance(decide(facts(claim(**stage), gone, live_pod=LivePod(None))), do.DeleteClaim)
    assert isinstance(decide(facts(claim(**stage), gone, live_pod=LivePod(pod("pod-2")))), do.DeleteClaim)
    assert isinstance(decide(facts(claim(**stage), gone, live_pod=LivePod(pod()))), do.Wait)


def test_a_pod_that_ended_counts_as_gone_also_live():
    ended = pod(phase="Failed")

    assert isinstance(decide(facts(claim(address=OWN), ended, live_pod=LivePod(ended))), do.DeleteClaim)


def test_a_retained_claim_notes_once_when_its_pod_went_and_then_rests():
    kept = claim(never=True, address=OWN)

    noted = decide(facts(kept, None, live_pod=LivePod(None)))
    rests = decide(facts(replace(kept, pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW - 5)), None))

    assert noted == do.Serve(pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW))
    assert rests == do.Idle()


def test_a_retained_claim_serves_the_next_pod_of_its_name():
    kept = claim(never=True, address=OWN, pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW - 5))
    successor = pod("pod-2", node="node-b")

    served = decide(facts(kept, successor))
    moved = decide(facts(replace(kept, pod=ClaimPod(uid="pod-2", node="node-b")), successor))

    assert served == do.Serve(pod=ClaimPod(uid="pod-2", node="node-b"))
    assert moved == do.MoveTo(node="node-b")


def test_a_retained_claim_is_not_given_to_a_pod_that_wants_none():
    kept = claim(never=True, address=OWN, pod=ClaimPod(uid="pod-1", last_seen=NOW))

    assert decide(facts(kept, pod("pod-2", wants=False))) == do.Idle()


def test_an_order_that_was_begun_for_a_retained_claim_is_finished_but_no_new_one_given():
    kept = claim(
        never=True,
        allocation=Allocation(attempt=1, started=NOW - 5),
        pod=ClaimPod(uid="pod-1", last_seen=NOW),
    )

    assert decide(facts(kept, None)) == do.LookAtCloud()
    assert decide(facts(kept, None, eips=(eip(),))) == do.RecordAddress(address=OWN, reason=Reason.ADOPTED)
    assert decide(facts(kept, None, eips=())) == do.Idle()


# -- a node goes -------------------------------------------------------------------------------------------

MOVED = claim(
    never=True,
    address=OWN,
    binding=ON_A,
    node="node-b",
    pod=ClaimPod(uid="pod-2", node="node-b"),
)
ABANDONED = claim(
    never=True, address=OWN, binding=ON_A, pod=ClaimPod(uid="pod-1", node="node-a", last_seen=NOW)
)
DELETED = claim(deleting=True, address=OWN, binding=ON_A)


@pytest.mark.parametrize(
    ("stuck", "bearer"), [(MOVED, pod("pod-2", node="node-b")), (ABANDONED, None), (DELETED, None)]
)
def test_only_the_agent_unbinds_while_its_node_lives_and_only_a_look_tells_that(stuck, bearer):
    assert decide(facts(stuck, bearer)) == do.LookAtNode(node="node-a")
    assert isinstance(decide(facts(stuck, bearer, node_fate=NodeFate.ALIVE)), do.Wait)
    assert decide(facts(stuck, bearer, node_fate=NodeFate.GONE)) == do.LookAtCloud()


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.5"),), do.Disassociate),
        ((eip(status=EipStatus.BIND_ENI, eni="eni-a", ip="10.0.1.5"),), do.Disassociate),
        ((eip(status=EipStatus.BIND, eni="eni-b", ip="10.0.1.5"),), do.ClearBinding),
        ((eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.6"),), do.ClearBinding),
        ((eip(status=EipStatus.UNBINDING),), do.Wait),
        ((eip(status=EipStatus.BINDING, eni="eni-a", ip="10.0.1.5"),), do.Wait),
        ((eip(status=EipStatus.UNBIND),), do.ClearBinding),
        ((), do.ClearBinding),
    ],
)
def test_for_a_node_that_is_gone_just_its_own_binding_is_unbound(seen, expected):
    for stuck in (ABANDONED, DELETED):
        assert isinstance(decide(facts(stuck, None, node_fate=NodeFate.GONE, eips=seen)), expected)


# -- a deleted claim ---------------------------------------------------------------------------------------

LEAVING = claim(deleting=True, address=OWN, allocation=Allocation(attempt=1, started=NOW - 3600))


def test_an_eip_is_released_when_the_cloud_shows_it_unbound():
    assert decide(facts(LEAVING)) == do.LookAtCloud()
    assert decide(facts(LEAVING, eips=(eip(),))) == do.Release(eip_ids=("eip-1",))


def test_a_released_eip_is_waited_for_and_then_the_claim_goes():
    assert isinstance(decide(facts(LEAVING, eips=(eip(),), released=frozenset({"eip-1"}))), do.Wait)
    assert decide(facts(LEAVING, eips=(), released=frozenset({"eip-1"}))) == do.DropFinalizer()


def test_all_that_was_created_for_the_claim_is_released():
    action = decide(facts(LEAVING, eips=(eip("eip-1"), eip("eip-2"))))

    assert action == do.Release(eip_ids=("eip-1", "eip-2"))


def test_our_own_eip_is_released_even_if_somebody_removed_its_tags():
    assert decide(facts(LEAVING, eips=(eip(tagged=False),))) == do.Release(eip_ids=("eip-1",))


def test_a_user_s_eip_is_never_released():
    supplied = claim(deleting=True, address=GIVEN)

    assert decide(facts(supplied)) == do.DropFinalizer()


@pytest.mark.parametrize(
    "status", [EipStatus.CREATING, EipStatus.UNBINDING, EipStatus.BINDING, EipStatus.OFFLINING]
)
def test_an_eip_in_change_is_waited_for(status):
    assert isinstance(decide(facts(LEAVING, eips=(eip(status=status),))), do.Wait)


def test_a_bound_eip_without_a_recorded_binding_is_left_to_its_node_s_agent():
    bound = (eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.5"),)

    assert decide(facts(LEAVING, eips=bound)) == do.LookAtNode(node="node-a")
    waiting = decide(facts(LEAVING, eips=bound, node_fate=NodeFate.ALIVE))
    assert isinstance(waiting, do.Wait)
    assert waiting.blocked
    assert "10.0.1.5" in waiting.reason
    assert decide(facts(LEAVING, eips=bound, node_fate=NodeFate.GONE)) == do.Disassociate(eip_id="eip-1")


def test_an_ordered_eip_that_may_still_turn_up_holds_the_claim():
    recent = replace(LEAVING, address=None, allocation=Allocation(attempt=1, started=NOW - 10))

    action = decide(facts(recent, eips=()))

    assert isinstance(action, do.Wait)
    assert action.seconds == pytest.approx(ATTEMPT_WINDOW + SETTLE - 10)


def test_a_recorded_eip_may_be_missing_in_an_old_list_only_while_it_is_young():
    def recorded(seconds_ago):
        since = timestamps.to_text(NOW - seconds_ago)
        ready = {"type": "Provisioned", "status": "True", "lastTransitionTime": since}
        return replace(LEAVING, allocation=Allocation(attempt=1, started=NOW - 70), conditions=(ready,))

    young = decide(facts(recorded(10), eips=()))

    assert isinstance(young, do.Wait)
    assert young.seconds == pytest.approx(SETTLE - 10)
    assert decide(facts(recorded(SETTLE), eips=())) == do.DropFinalizer()


@pytest.mark.parametrize(
    "certain",
    [
        claim(deleting=True),
        claim(deleting=True, allocation=Allocation(attempt=4, started=None)),
        claim(deleting=True, allocation=Allocation(attempt=1, started=NOW - ATTEMPT_WINDOW - SETTLE)),
    ],
)
def test_a_claim_without_any_eip_goes_at_once(certain):
    assert decide(facts(certain, eips=())) == do.DropFinalizer()


def test_a_claim_that_others_hold_is_none_of_our_business():
    assert decide(facts(claim(deleting=True, held=False), pod())) == do.Idle()


# -- all together ------------------------------------------------------------------------------------------

pods_of_the_name = st.none() | st.builds(
    pod,
    st.sampled_from(["pod-1", "pod-2"]),
    node=st.sampled_from(["", "node-a", "node-b"]),
    wants=st.booleans(),
    phase=st.sampled_from(["Pending", "Running", "Succeeded"]),
    deleting=st.booleans(),
)
some_claim = st.none() | st.builds(
    claim,
    never=st.booleans(),
    deleting=st.booleans(),
    held=st.booleans(),
    node=st.sampled_from(["", "node-a", "node-b"]),
    made_for=st.sampled_from(["", "pod-1", "pod-2"]),
    pod=st.none()
    | st.builds(
        ClaimPod,
        uid=st.sampled_from(["pod-1", "pod-2"]),
        node=st.sampled_from(["", "node-a", "node-b"]),
        last_seen=st.none() | st.just(NOW - 9),
    ),
    address=st.sampled_from([None, OWN, GIVEN]),
    binding=st.sampled_from([None, ON_A, replace(ON_A, node=""), replace(ON_A, node="node-b")]),
    allocation=st.none()
    | st.builds(
        Allocation, attempt=st.integers(1, 3), started=st.none() | st.floats(NOW - 300, NOW, allow_nan=False)
    ),
)
some_eips = st.none() | st.lists(
    st.builds(
        eip,
        st.sampled_from(["eip-1", "eip-2", "eip-9"]),
        st.sampled_from(EipStatus),
        tagged=st.booleans(),
        eni=st.sampled_from(["", "eni-a", "eni-b"]),
        ip=st.sampled_from(["", "10.0.1.5"]),
    ),
    max_size=3,
    unique_by=lambda e: e.eip_id,
).map(tuple)
everything = st.builds(
    facts,
    some_claim,
    pods_of_the_name,
    live_pod=st.none() | st.builds(LivePod, pods_of_the_name),
    node_fate=st.sampled_from(NodeFate),
    eips=some_eips,
    ordered=st.sampled_from(["", "eip-1"]),
    released=st.frozensets(st.sampled_from(["eip-1", "eip-2"])),
)


@given(everything)
def test_whatever_is_known_nothing_is_freed_on_doubt(known):
    action = decide(known)

    listed = {e.eip_id: e for e in known.eips or ()}
    if isinstance(action, do.Release):
        assert known.claim is not None
        assert known.claim.deleting
        assert known.claim.binding is None
        for eip_id in action.eip_ids:
            assert listed[eip_id].status is EipStatus.UNBIND
            recorded = known.claim.address
            assert recorded is None or recorded.owned
            assert tags.created_for(listed[eip_id].tags, CLUSTER, "claim-1") or recorded == OWN
    if isinstance(action, do.Disassociate):
        assert known.node_fate is NodeFate.GONE
        assert listed[action.eip_id].bound
    if isinstance(action, do.DeleteClaim):
        assert known.live_pod is not None
        live = known.live_pod.pod
        assert live is None or live.finished or live.ref.uid != known.claim.pod_uid
        assert not known.claim.retained
    if isinstance(action, do.DropFinalizer):
        assert known.claim.binding is None
        assert known.eips is not None or not known.claim.address.owned
    if isinstance(action, do.Allocate):
        assert bearer_of(known.claim, known.pod) is Bearer.SAME
        assert stage_of(known.claim) is Stage.PENDING
        assert known.eips is not None
        assert not [e for e in listed.values() if tags.created_for(e.tags, CLUSTER, "claim-1")]


@given(everything)
def test_what_was_looked_at_is_not_asked_for_again(known):
    action = decide(known)

    if isinstance(action, do.LookAtPod):
        assert known.live_pod is None
    if isinstance(action, do.LookAtCloud):
        assert known.eips is None
    if isinstance(action, do.LookAtNode):
        assert known.node_fate is NodeFate.UNKNOWN


def test_names_of_the_api_stay():
    assert claims.NODE_LABEL == "networking.tke.cloud.tencent.com/node"
    assert claims.FINALIZER == "networking.tke.cloud.tencent.com/eip"
    assert claims.API_VERSION == "networking.tke.cloud.tencent.com/v1"
