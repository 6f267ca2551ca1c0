"""Which of the user's EIPs a claim gets, and what each reason against one says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import tags
from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim import actions as do
from ipamd.core.claim import eip_selection
from ipamd.core.claim.eip_selection import PoolOffer, SelectionFacts
from ipamd.core.claim.eipclaim import ClaimAddress, ClaimPod
from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.model import EipStatus
from tests.testkit.claims import CLUSTER, NOW, ON_A, eip, facts, listing, pod

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


@pytest.mark.parametrize(
    ("eips", "held", "reason"),
    [
        ((users(A, is_blocked=True),), (), Reason.EIP_BLOCKED),
        ((users(B, is_blocked=True),), (), Reason.EIP_NOT_FOUND),
        ((users(A), users(B)), (A, B), Reason.EIP_IN_USE),
        ((users(A), users(B, is_blocked=True)), (A,), Reason.NO_FREE_EIP),
        ((users(A, is_blocked=True), users(B)), (B,), Reason.NO_FREE_EIP),
    ],
)
def test_of_several_reasons_the_first_is_told_unless_time_may_mend_one(eips, held, reason):
    outcome = settle(*eips, held=[holder(i, name=f"api-{i[-1]}") for i in held], among=(A, B))

    assert outcome.reason is reason
    assert outcome.message.startswith("none of the 2 EIPs of the list is free: ")


def test_a_number_counts_for_a_list_and_not_for_what_has_no_order():
    by_number = pod(name="web-1")
    names = EipSelector(names=("a", "b"))
    by_tag = EipSelector(tags=(("team", "web"),))

    def entries(*, whole=False, **request):
        wish = EipRequest(delete_policy=DeletePolicy.DELETE, **request)
        return eip_selection.entries_for(wish, by_number, whole=whole)

    assert entries(address_ids=(A, B)) == do.Choose(address_ids=(B,))
    assert entries(address_ids=(A, B), whole=True) == do.Choose(address_ids=(A, B))
    assert entries(selector=names) == do.Choose(selector=EipSelector(names=("b",)))
    assert entries(selector=names, whole=True) == do.Choose(selector=names)
    assert entries(selector=by_tag) == do.Choose(selector=by_tag)
    assert entries(pool="web") == do.Choose(pool="web")
    lacking = entries(selector=EipSelector(names=("a",)))
    assert lacking.reason is Reason.NO_SUCH_ENTRY
    assert "entry 2 of its eip-selector" in lacking.message


def test_nothing_that_a_selector_finds_is_told_with_what_it_looks_for():
    choice = do.Choose(selector=EipSelector(names=("a",)))
    outcome = eip_selection.settle(listing(), choice, scene())

    assert outcome.reason is Reason.EIP_NOT_FOUND
    assert "of the name a" in outcome.message


# -- pools


def offered(**changes):
    return PoolOffer(**{"name": "web", "uid": "pool-1", **changes})


def from_pool(*eips, offer, **conditions):
    return eip_selection.settle(
        listing(), do.Choose(pool="web"), replace(scene(*eips, **conditions), pool=offer)
    )


OF_THE_POOL = tags.of_pool(CLUSTER, "pool-1")


def test_a_pool_gives_what_was_created_for_it_and_no_other_pool_s():
    assert isinstance(from_pool(users(A, tags=OF_THE_POOL), offer=offered()), do.RecordAddress)
    for uid in ("pool-0", "pool-2"):
        refused = from_pool(users(A, tags=OF_THE_POOL), offer=offered(uid=uid))
        assert "was created for an EIPPool (UID pool-1)" in refused.message
    assert settle(users(A, tags=OF_THE_POOL)).reason is Reason.EIP_OF_POOL


def test_a_pool_asks_for_no_tag_of_namespaces():
    facts_of_pool = replace(scene(users(A), tagged_only=True), pool=offered())

    assert isinstance(eip_selection.settle(listing(), do.Choose(pool="web"), facts_of_pool), do.RecordAddress)


@pytest.mark.parametrize(("ahead", "is_served"), [(0, True), (1, True), (2, False)])
def test_who_is_behind_leaves_the_free_ones_to_those_before(ahead, is_served):
    outcome = from_pool(users(A), users(B), offer=offered(ahead=ahead, waiting=4))

    assert isinstance(outcome, do.RecordAddress) is is_served
    if not is_served:
        assert outcome.reason is Reason.POOL_EXHAUSTED
        assert outcome.message.startswith("place 3 of 5 in the line for EIPPool web: ")


def test_a_refusal_of_the_pool_comes_before_all_else():
    refused = from_pool(users(A), offer=offered(refusal=(Reason.POOL_REFUSED, "no")))

    assert (refused.reason, refused.message) == (Reason.POOL_REFUSED, "no")


def test_one_that_comes_free_is_waited_for_by_the_first_only():
    leaving = users(A, EipStatus.UNBINDING)

    assert isinstance(from_pool(leaving, offer=offered()), do.Wait)
    assert isinstance(from_pool(leaving, offer=offered(ahead=1, waiting=1)), do.MarkNotProvisioned)


@pytest.mark.parametrize(("count", "end"), [(0, ""), (8, "t7"), (9, "; and 1 more"), (11, "; and 3 more")])
def test_the_first_eight_that_are_taken_are_told(count, end):
    told = eip_selection.wait_in_line(offered(growth="grows"), [f"t{n}" for n in range(count)])

    shown = "; ".join(f"t{n}" for n in range(min(count, 8)))
    assert told.message.startswith(f"place 1 of 1 in the line for EIPPool web: {shown or 'it has no EIP'}")
    assert told.message.endswith(f"{end}: grows")


def test_a_pool_that_grows_no_more_says_what_people_can_do():
    assert "add EIPs to the pool" in eip_selection.wait_in_line(offered(), []).message


# -- what the claims alone tell


def test_when_claims_hold_all_of_a_list_nothing_is_asked_of_the_cloud():
    both = {A: holder(A), B: holder(B, name="api-1", binding=ON_A)}
    choice = do.Choose(address_ids=(A, B))

    refused = eip_selection.refuse_if_held(choice, both)

    assert refused.reason is Reason.EIP_IN_USE
    assert (
        f"{A} is held by EIPClaim default/api-0; {B} (bound to 10.0.1.5 on eni-a) is held" in refused.message
    )
    assert eip_selection.refuse_if_held(choice, {A: both[A]}) is None
    ours = replace(holder(B), address=replace(holder(B).address, owned=True))
    assert eip_selection.refuse_if_held(choice, {**both, B: ours}) is None
    alone = eip_selection.refuse_if_held(do.Choose(address_ids=(A,)), both)
    assert alone.message == f"{A} is held by EIPClaim default/api-0"


@pytest.mark.parametrize(
    "changes",
    [
        {"never": True, "pod": ClaimPod(uid="p")},
        {"never": True, "pod": None},
        {"never": False, "pod": ClaimPod(uid="p", last_seen=NOW)},
    ],
)
def test_only_a_claim_that_is_kept_after_its_pod_is_offered_for_deletion(changes):
    refused = settle(users(A), held=(holder(A, **changes),))

    assert refused.message == f"{A} is held by EIPClaim default/api-0"


@pytest.mark.parametrize(
    ("found", "has"), [({}, "it has no such tag"), ({tags.NAMESPACES: "team-a"}, 'it has "team-a"')]
)
def test_what_the_tag_of_namespaces_says_now_is_told(found, has):
    assert has in settle(users(A, tags=found), tagged_only=True).message


def test_an_eip_of_tkes_component_is_taken_only_when_an_operator_says_so():
    kept = users(A, tags={tags.CREATED_EIP: "true"})
    adopting = replace(scene(kept), adopts=True)

    assert settle(kept).reason is Reason.EIP_OF_OTHER_CLAIM
    assert "an EIPClaim (UID ?)" in settle(kept).message
    assert isinstance(
        eip_selection.settle(listing(A), do.Choose(address_ids=(A,)), adopting), do.RecordAddress
    )
    claimed = users(A, tags=tags.of_claim(CLUSTER, "claim-7"))
    still = replace(scene(claimed, held=(holder(A),)), adopts=True)
    refused = eip_selection.settle(listing(A), do.Choose(address_ids=(A,)), still)
    assert "was created for EIPClaim default/api-0" in refused.message


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
