"""Which of the user's EIPs a claim gets, and what each reason against one says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import tags
from ipamd.core.claim import actions as do
from ipamd.core.claim import eip_selection
from ipamd.core.claim.eip_selection import SelectionFacts
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimPod
from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.model import EipStatus
from tests.testkit.claims import CLUSTER, NOW, eip, facts, listing, pod

A, B, C = "eip-aaaaaaaa", "eip-bbbbbbbb", "eip-cccccccc"


def users(eip_id, status=EipStatus.UNBIND, **changes):
    return replace(eip(eip_id, status, tagged=False), **changes)


def holder(eip_id, *, name="api-0", **changes):
    address = ClaimAddress(eip_id=eip_id, public_ip="198.18.0.1", owned=False)
    return listing(eip_id, name=name, uid="claim-9", address=address, **changes)


def scene(*eips, held=(), tagged_only=False, lot=0.0):
    return SelectionFacts(
        cluster_id=CLUSTER,
        tagged_only=tagged_only,
        eips={e.eip_id: e for e in eips},
        holders={c.address.eip_id: c for c in held},
        lot=lot,
    )


def settle(*eips, claim=None, among=(A,), **conditions):
    claim = claim or listing(*among)
    return eip_selection.settle(claim, do.Choose(address_ids=among), scene(*eips, **conditions))


# -- which entries


def test_the_number_of_the_name_picks_the_entry():
    assert decide(facts(listing(A, B), pod())) == do.Choose(address_ids=(A,))
    second = listing(A, B, name="web-1")
    assert decide(facts(second, pod(name="web-1"))) == do.Choose(address_ids=(B,))


def test_without_a_number_any_entry_will_do():
    replica_set = OwnerRef(api_version="apps/v1", kind="ReplicaSet", name="web", uid="rs-1")
    generated = replace(pod(name="web-24567"), controller=replica_set)

    assert decide(facts(listing(A, B, name="web-24567"), generated)) == do.Choose(address_ids=(A, B))


@pytest.mark.parametrize("number", [2, 7])
def test_an_index_past_the_list_says_which_entry_the_list_lacks(number):
    action = decide(facts(listing(A, B, name=f"web-{number}"), pod(name=f"web-{number}")))

    assert isinstance(action, do.MarkNotProvisioned)
    assert action.reason is Reason.NO_SUCH_ENTRY
    assert f"Pod default/web-{number} takes entry {number + 1}" in action.message
    assert "has 2" in action.message


def test_a_pod_on_its_way_out_gets_none():
    assert decide(facts(listing(A), pod(deleting=True))) == do.Idle()


# -- which of them


def test_a_free_one_is_recorded_as_the_user_s():
    assert settle(users(A)) == do.RecordAddress(
        address=ClaimAddress(eip_id=A, public_ip="198.18.0.1", owned=False), reason=Reason.CHOSEN
    )


@pytest.mark.parametrize(("lot", "eip_id"), [(0.0, A), (0.49, A), (0.5, C), (0.999, C)])
def test_of_several_free_ones_the_lot_decides(lot, eip_id):
    bound = users(B, EipStatus.BIND, instance_id="ins-1")

    outcome = settle(users(A), bound, users(C), among=(A, B, C), lot=lot)

    assert outcome.address.eip_id == eip_id


@pytest.mark.parametrize(
    ("found", "held", "reason", "said"),
    [
        ((), (), Reason.EIP_NOT_FOUND, "does not exist in this account and region"),
        ((users(A, EipStatus.OFFLINING),), (), Reason.EIP_NOT_FOUND, "does not exist"),
        ((users(A, is_blocked=True),), (), Reason.EIP_BLOCKED, "is blocked"),
        ((users(A, is_arrears=True),), (), Reason.EIP_IN_ARREARS, "top up"),
        ((users(A, cascade_release=True),), (), Reason.EIP_RELEASED_WHEN_UNBOUND, "lost with its first Pod"),
        (
            (users(A, EipStatus.BIND, eni_id="eni-7", private_ip="10.0.9.9", instance_id="ins-7"),),
            (),
            Reason.EIP_BOUND_ELSEWHERE,
            "10.0.9.9 on eni-7 of ins-7",
        ),
        ((users(A, EipStatus.BIND, instance_id="nat-3"),), (), Reason.EIP_BOUND_ELSEWHERE, "to nat-3"),
        ((users(A, EipStatus.BINDING, instance_id="lb-3"),), (), Reason.EIP_BOUND_ELSEWHERE, "to lb-3"),
        ((users(A, EipStatus.UNKNOWN),), (), Reason.EIP_BOUND_ELSEWHERE, "UNKNOWN"),
        (
            (users(A, tags={tags.CLUSTER_ID: "cls-other"}),),
            (),
            Reason.EIP_OF_OTHER_CLUSTER,
            "belongs to cluster cls-other",
        ),
        (
            (users(A, tags=tags.of_claim(CLUSTER, "claim-7")),),
            (),
            Reason.EIP_OF_OTHER_CLAIM,
            "claim-7",
        ),
        ((users(A),), (holder(A),), Reason.EIP_IN_USE, "held by EIPClaim default/api-0"),
        (
            (users(A, EipStatus.BIND, eni_id="eni-7", private_ip="10.0.9.9"),),
            (holder(A),),
            Reason.EIP_IN_USE,
            "(bound to 10.0.9.9 on eni-7) is held by EIPClaim default/api-0",
        ),
        (
            (users(A),),
            (holder(A, never=True, pod=ClaimPod(uid="p", last_seen=NOW)),),
            Reason.EIP_IN_USE,
            "kubectl delete eipc api-0 -n default",
        ),
        ((users(A),), (holder(A, deleting=True),), Reason.EIP_IN_USE, "being deleted"),
    ],
)
def test_each_obstacle_has_its_own_reason_and_words(found, held, reason, said):
    outcome = settle(*found, held=held)

    assert isinstance(outcome, do.MarkNotProvisioned)
    assert outcome.reason is reason
    assert A in outcome.message
    assert said in outcome.message


@pytest.mark.parametrize("status", [EipStatus.UNBINDING, EipStatus.CREATING])
def test_one_that_is_just_coming_free_is_waited_for(status):
    assert isinstance(settle(users(A, status)), do.Wait)


def test_one_that_a_claim_leaves_can_be_had_again():
    """Waiting for another claim is no failure: time mends it, and ADD may wait."""
    assert Reason.EIP_IN_USE not in FAILURES
    assert Reason.NO_FREE_EIP not in FAILURES


def test_when_none_of_several_is_free_each_is_told():
    mixed = settle(users(A), held=(holder(A),), among=(A, B))
    hopeless = settle(among=(A, B))

    assert mixed.reason is Reason.NO_FREE_EIP
    assert "held by EIPClaim default/api-0" in mixed.message
    assert f"{B} does not exist" in mixed.message
    assert hopeless.reason is Reason.EIP_NOT_FOUND


# -- the rule about namespaces


@pytest.mark.parametrize("value", ["default", "team-a default", "team-a,default", "team-a, default", "*"])
def test_a_tag_may_allow_the_namespace(value):
    tagged = users(A, tags={tags.NAMESPACES: value})

    assert isinstance(settle(tagged, tagged_only=True), do.RecordAddress)


@pytest.mark.parametrize("found", [{}, {tags.NAMESPACES: ""}, {tags.NAMESPACES: "default-2 team-a"}])
def test_without_a_fitting_tag_the_eip_is_refused_and_the_tag_is_named(found):
    others = users(A, tags=found)

    refused = settle(others, held=(holder(A, name="secret-0"),), tagged_only=True)

    assert refused.reason is Reason.EIP_NOT_ALLOWED
    assert "tke-eip-namespaces" in refused.message
    assert '"default"' in refused.message
    assert "secret-0" not in refused.message
    assert isinstance(settle(others), do.RecordAddress)


# -- all together

some_eips = st.lists(
    st.builds(
        users,
        st.sampled_from([A, B, C]),
        st.sampled_from(EipStatus),
        is_blocked=st.booleans(),
        is_arrears=st.booleans(),
        tags=st.sampled_from([{}, {tags.CLUSTER_ID: "cls-other"}, tags.of_claim(CLUSTER, "claim-7")]),
    ),
    max_size=3,
    unique_by=lambda e: e.eip_id,
)


@given(some_eips, st.sets(st.sampled_from([A, B, C])), st.floats(0, 1, exclude_max=True), st.booleans())
def test_only_a_free_eip_is_ever_given(eips, held, lot, tagged_only):
    outcome = settle(*eips, held=[holder(i) for i in held], among=(A, B, C), lot=lot, tagged_only=tagged_only)

    if isinstance(outcome, do.RecordAddress):
        chosen = next(e for e in eips if e.eip_id == outcome.address.eip_id)
        assert chosen.status is EipStatus.UNBIND
        assert chosen.eip_id not in held
        assert not chosen.is_blocked
        assert not chosen.is_arrears
        assert not chosen.tags
        assert not outcome.address.owned
        assert not tagged_only
