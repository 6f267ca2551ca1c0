"""Whatever is known about claim and Pod, one rule decides, and nothing is freed on doubt."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import tags
from ipamd.core.claim import actions as do
from ipamd.core.claim import eipclaim
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import Allocation, ClaimPod
from ipamd.core.claim.facts import ClaimStage, LivePod, NodeState, PodRelation, relation_of, stage_of
from ipamd.core.claim.state_machine import _TABLE, decide
from ipamd.core.model import EipStatus
from tests.testkit.claims import CLUSTER, GIVEN, NOW, ON_A, OWN, claim, eip, facts, pod


def test_every_pair_that_can_occur_has_a_rule():
    impossible = {(ClaimStage.ABSENT, PodRelation.SAME)}

    assert set(_TABLE) == {(stage, bearer) for stage in ClaimStage for bearer in PodRelation} - impossible


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
        last_seen=st.sampled_from([None, NOW - 9, NOW - 300]),
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
    rules=st.builds(ClusterRules, expire_after=st.sampled_from([None, 300.0, 600.0])),
    live_pod=st.none() | st.builds(LivePod, pods_of_the_name),
    node_fate=st.sampled_from(NodeState),
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
            assert tags.created_for(listed[eip_id].tags, "", CLUSTER, "claim-1") or recorded == OWN
    if isinstance(action, do.DisassociateEip):
        live = known.live_pod
        pod_is_gone = live is not None and (live.pod is None or live.pod.ref.uid != "pod-1")
        assert known.node_fate is NodeState.GONE or (known.node_fate is NodeState.LOST and pod_is_gone)
        assert listed[action.eip_id].bound
    if isinstance(action, do.DeleteClaim):
        assert known.live_pod is not None
        live = known.live_pod.pod
        assert live is None or live.finished or live.ref.uid != known.claim.pod_uid
        seen = known.claim.pod.last_seen if known.claim.pod else None
        expired = known.rules.expire_after == 300.0 and seen == NOW - 300
        worthless = known.claim.address is None and known.claim.binding is None
        assert not known.claim.retained or expired or worthless
    if isinstance(action, do.DropFinalizer):
        assert known.claim.binding is None
        assert known.eips is not None or not known.claim.address.owned
    if isinstance(action, do.Allocate):
        assert relation_of(known.claim, known.pod) is PodRelation.SAME
        assert stage_of(known.claim) is ClaimStage.PENDING
        assert known.eips is not None
        assert not [e for e in listed.values() if tags.created_for(e.tags, "", CLUSTER, "claim-1")]


@given(everything)
def test_what_was_looked_at_is_not_asked_for_again(known):
    action = decide(known)

    if isinstance(action, do.LookAtPod):
        assert known.live_pod is None
    if isinstance(action, do.LookAtCloud):
        assert known.eips is None
    if isinstance(action, do.LookAtNode):
        assert known.node_fate is NodeState.UNKNOWN


@given(everything)
def test_only_who_waits_for_eips_to_be_shown_again_waits_for_the_sweep(known):
    action = decide(known)

    if isinstance(action, do.Wait):
        assert not action.until_sweep or known.blind


def test_a_claim_with_an_eip_is_bound_from_its_binding_on():
    assert stage_of(claim()) is ClaimStage.PENDING
    assert stage_of(claim(address=OWN)) is ClaimStage.PROVISIONED
    assert stage_of(claim(address=OWN, binding=ON_A)) is ClaimStage.BOUND
    assert stage_of(claim(binding=ON_A)) is ClaimStage.PENDING, "its EIP was lost and is replaced first"
    assert stage_of(claim(address=OWN, binding=ON_A, deleting=True)) is ClaimStage.UNBINDING
    assert stage_of(claim(address=OWN, deleting=True)) is ClaimStage.RELEASING
    assert stage_of(claim(address=OWN, held=False)) is ClaimStage.UNHELD
    assert stage_of(claim(held=False, deleting=True)) is ClaimStage.LEFT
    assert stage_of(None) is ClaimStage.ABSENT


def test_names_of_the_api_stay():
    assert eipclaim.NODE_LABEL == "networking.tke.cloud.tencent.com/node"
    assert eipclaim.FINALIZER == "networking.tke.cloud.tencent.com/eip"
    assert eipclaim.API_VERSION == "networking.tke.cloud.tencent.com/v1"
