"""With --enable-ownerref a retained claim dies with its Pods' workload, not with a Pod or a roll-out."""

import pytest

from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.kube.resources import DEPLOYMENTS, JOBS, PODS, REPLICASETS, STATEFULSETS
from simulator.kube import Fault, FaultKind

CASCADE = ClusterRules(cascade=True)


@pytest.fixture
def controller(world):
    return world.start_controller(rules=CASCADE)


def owners(world, name):
    references = world.claim_object(name)["metadata"].get("ownerReferences") or []
    return [(reference["kind"], reference["name"]) for reference in references]


def retained_pod(world, name, owner):
    pod = world.create_pod(name, never=True, owner=owner)
    world.wait_provisioned(name)
    world.age_claim(name)
    return pod


@pytest.mark.parametrize("cascade", ["Background", "Foreground"])
def test_claims_die_with_their_stateful_set(world, controller, cascade):
    owner = world.create_workload(STATEFULSETS, "web")
    retained_pod(world, "web-0", owner)
    assert owners(world, "web-0") == [("StatefulSet", "web")]

    world.delete_workload(STATEFULSETS, "web", cascade=cascade)
    world.wait(lambda: world.claim("web-0") is None or world.claim("web-0").deleting)
    world.wait_gone("web-0")

    world.wait(lambda: world.eips() == {})
    assert world.orders() == 1


def test_a_pod_that_is_deleted_alone_leaves_its_claim(world, controller):
    owner = world.create_workload(STATEFULSETS, "web")
    retained_pod(world, "web-0", owner)
    first = world.claim("web-0")

    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen)

    assert world.claim("web-0").uid == first.uid


def test_a_roll_over_of_replica_sets_leaves_the_claims_to_the_deployment(world, controller):
    deployment = world.create_workload(DEPLOYMENTS, "web")
    old = world.create_workload(REPLICASETS, "web-1", owner=deployment)
    retained_pod(world, "web-1-abcde", old)
    assert owners(world, "web-1-abcde") == [("Deployment", "web")]

    world.delete_workload(REPLICASETS, "web-1")
    world.remove_pod("web-1-abcde")
    world.wait(lambda: world.claim("web-1-abcde").pod.last_seen)
    assert not world.claim("web-1-abcde").deleting

    world.delete_workload(DEPLOYMENTS, "web")
    world.wait_gone("web-1-abcde")
    assert world.eips() == {}


def test_a_claim_is_not_made_again_for_a_pod_that_outlives_its_workload_for_a_moment(world, controller):
    owner = world.create_workload(STATEFULSETS, "web")
    pod = retained_pod(world, "web-0", owner)
    # The kubelet has not ended the Pod yet: a finalizer holds it in our place.
    world.client.patch(PODS, "web-0", {"metadata": {"finalizers": ["test/held"]}}, "default")

    world.delete_claim("web-0")
    world.wait(lambda: (c := world.claim("web-0")) and not c.deleting and c.address)
    assert world.orders() == 2
    world.age_claim("web-0")
    world.delete_workload(STATEFULSETS, "web")
    world.wait_gone("web-0")

    asked = world.kube.traffic.count(verb="get", resource="statefulsets", user_agent=controller.name)
    world.wait(lambda: world.eips() == {})
    assert world.client.get(PODS, "web-0", "default")["metadata"]["uid"] == pod["metadata"]["uid"]
    assert not world.claim("web-0")
    assert world.orders() == 2
    assert asked
    world.client.patch(PODS, "web-0", {"metadata": {"finalizers": None}}, "default")


def test_orphaned_pods_keep_their_claims(world, controller):
    owner = world.create_workload(STATEFULSETS, "web")
    retained_pod(world, "web-0", owner)
    first = world.claim("web-0")

    world.delete_workload(STATEFULSETS, "web", cascade="Orphan")
    world.wait(lambda: owners(world, "web-0") == [])

    assert world.claim("web-0").uid == first.uid
    again = world.create_workload(STATEFULSETS, "web")
    world.remove_pod("web-0")
    world.create_pod("web-0", never=True, owner=again)
    world.wait(lambda: owners(world, "web-0") == [("StatefulSet", "web")])
    assert world.claim("web-0").address == first.address


def test_a_job_s_claims_go_with_the_job_and_not_with_what_started_it(world, controller):
    schedule = world.create_workload(DEPLOYMENTS, "nightly")  # in the place of a CronJob
    job = world.create_workload(JOBS, "nightly-1", owner=schedule)
    retained_pod(world, "nightly-1-abcde", job)

    assert owners(world, "nightly-1-abcde") == [("Job", "nightly-1")]


def test_an_owner_of_a_kind_that_nobody_here_knows_is_taken_as_it_stands(world, controller):
    config = world.client.create(
        PODS,
        {
            "metadata": {"name": "other", "namespace": "default"},
            "spec": {"containers": [{"name": "m", "image": "x"}]},
        },
    )
    stranger = {**config, "kind": "Pod", "apiVersion": "v1"}
    retained_pod(world, "web-0", stranger)

    assert owners(world, "web-0") == [("Pod", "other")]


def test_an_owner_that_may_not_be_read_is_taken_as_it_stands(world, controller):
    owner = world.create_workload(STATEFULSETS, "web")
    world.kube.inject(Fault(kind=FaultKind.STATUS, verb="get", resource="statefulsets", code=403))

    retained_pod(world, "web-0", owner)

    assert owners(world, "web-0") == [("StatefulSet", "web")]


def test_claims_from_before_the_flag_are_adopted(world):
    before = world.start_controller()
    owner = world.create_workload(STATEFULSETS, "web")
    retained_pod(world, "web-0", owner)
    assert owners(world, "web-0") == []
    world.stop_controller(before)

    world.start_controller(rules=CASCADE)

    world.wait(lambda: owners(world, "web-0") == [("StatefulSet", "web")])


def test_what_is_not_retained_goes_with_its_pod_as_ever(world, controller):
    owner = world.create_workload(STATEFULSETS, "web")
    world.create_pod("web-0", owner=owner)
    world.wait_provisioned("web-0")

    assert owners(world, "web-0") == []
