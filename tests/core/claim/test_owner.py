"""With --enable-ownerref a retained claim goes with its Pod's workload, and is not made again after it."""

from dataclasses import replace

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes.annotation_names import DELETE_POLICY
from ipamd.core.kubernetes.owners import OwnerRef, Workload, controller_of, passes_on
from tests.testkit.claims import OWN, claim, facts, pod

CASCADE = ClusterRules(cascade=True)
SET = OwnerRef(api_version="apps/v1", kind="StatefulSet", name="web", uid="set-1")


def owned_pod(uid="pod-1", *, never=True, **options):
    asking = pod(uid, **options)
    policy = {DELETE_POLICY: "Never"} if never else {}
    return replace(asking, controller=SET, annotations={**asking.annotations, **policy})


def test_the_owner_is_looked_at_before_the_claim_is_made_and_stands_in_it():
    asking = owned_pod()

    assert decide(facts(None, asking, rules=CASCADE)) == do.LookAtOwners(pod=asking)
    made = decide(facts(None, asking, rules=CASCADE, workload=Workload(SET)))
    assert isinstance(made, do.Create)
    assert made.owner == SET


def test_no_claim_is_made_again_when_the_workload_is_on_its_way_out():
    leaving = Workload(SET, leaving=True)

    assert isinstance(decide(facts(None, owned_pod(), rules=CASCADE, workload=leaving)), do.Wait)


@pytest.mark.parametrize(
    ("asking", "rules"),
    [(owned_pod(), ClusterRules()), (owned_pod(never=False), CASCADE), (pod(), CASCADE)],
)
def test_no_owner_without_the_flag_nor_for_what_goes_with_its_pod_nor_for_a_bare_pod(asking, rules):
    action = decide(facts(None, asking, rules=rules))

    assert isinstance(action, do.Create)
    assert action.owner is None


KEPT = claim(never=True, address=OWN)


def test_a_claim_from_before_is_adopted_while_its_pod_lives():
    assert isinstance(decide(facts(KEPT, owned_pod(), rules=CASCADE)), do.LookAtOwners)
    adopt = facts(KEPT, owned_pod(), rules=CASCADE, workload=Workload(SET))
    assert decide(adopt) == do.SetOwnerReference(owner=SET)


@pytest.mark.parametrize(
    ("kept", "asking", "rules"),
    [
        (replace(KEPT, has_owner=True), owned_pod(), CASCADE),
        (KEPT, owned_pod(), ClusterRules()),
        (KEPT, pod(), CASCADE),
        (KEPT, owned_pod(deleting=True), CASCADE),
        (claim(address=OWN), owned_pod(), CASCADE),
        (replace(KEPT, request=None), owned_pod(), CASCADE),
    ],
)
def test_which_claims_are_not_adopted(kept, asking, rules):
    assert decide(facts(kept, asking, rules=rules)) == do.Idle()


def test_a_workload_that_is_leaving_adopts_nothing():
    leaving = Workload(SET, leaving=True)

    assert decide(facts(KEPT, owned_pod(), rules=CASCADE, workload=leaving)) == do.Idle()


def test_the_next_pod_is_served_before_the_owner_is_looked_at():
    waiting = replace(KEPT, pod=ClaimPod(uid="pod-1", last_seen=1.0))

    assert isinstance(decide(facts(waiting, owned_pod("pod-2"), rules=CASCADE)), do.RecordPod)


@pytest.mark.parametrize(
    ("references", "kind"),
    [
        (None, ""),
        ("junk", ""),
        ([None, 5, {"controller": True}], ""),
        ([{"kind": "ConfigMap", "uid": "1"}], ""),
        ([{"kind": "ConfigMap", "uid": "1"}, {"kind": "Job", "uid": "2", "controller": True}], "Job"),
    ],
)
def test_the_controller_among_the_owners_is_found(references, kind):
    found = controller_of({"ownerReferences": references})

    assert (found.kind if found else "") == kind


def test_only_a_replica_set_of_kubernetes_passes_on():
    assert passes_on(OwnerRef(api_version="apps/v1", kind="ReplicaSet", name="a", uid="1"))
    assert not passes_on(OwnerRef(api_version="apps.kruise.io/v1", kind="ReplicaSet", name="a", uid="1"))
    assert not passes_on(OwnerRef(api_version="batch/v1", kind="Job", name="a", uid="1"))
