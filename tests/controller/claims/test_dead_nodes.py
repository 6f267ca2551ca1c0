"""For a node that is gone the controller unbinds; for one that may live it does not."""

import pytest

from ipamd.kube.resources import NODES, PODS
from simulator.cloud import InstanceOrder


@pytest.fixture
def controller(world):
    return world.start_controller()


@pytest.fixture
def instance(world):
    return world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))


@pytest.fixture
def bound(world, controller, instance):
    """Returns what makes a Pod with a bound EIP on `node`."""
    (eni,) = world.region.snapshot()["enis"].values()

    def bound(name, *, node, never=False):
        world.create_pod(name, node=node, never=never)
        eip_id = world.wait_provisioned(name).address.eip_id
        world.bind(name, eni_id=eni["eni_id"], ip=next(iter(eni["addresses"])), node=node)
        return eip_id

    return bound


def test_when_the_node_object_is_gone_the_eip_is_unbound_and_released(world, bound):
    bound("web-0", node="node-a")

    world.client.delete(NODES, "node-a")
    world.remove_pod("web-0")

    world.wait_gone("web-0")
    assert world.eips() == {}


def test_when_the_cvm_is_gone_the_node_object_does_not_matter(world, bound, instance):
    world.add_node("node-b", ready=False, instance_id=instance.instance_id)
    bound("web-0", node="node-b")

    world.region.terminate_instance(instance.instance_id)
    world.remove_pod("web-0")

    world.wait_gone("web-0")
    assert world.eips() == {}


def test_a_node_that_is_only_not_ready_is_waited_for(world, bound, instance):
    world.add_node("node-b", ready=False, instance_id=instance.instance_id)
    eip_id = bound("web-0", node="node-b")

    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").deleting)
    world.wait(lambda: world.region.audit.calls().get("DescribeInstances"))

    assert world.claim("web-0").binding
    assert world.eips()[eip_id]["status"].value == "BIND"


class TestLostNode:
    """Seen not to be ready for more than a minute, with a CVM that exists."""

    @pytest.fixture
    def node(self, world, controller, instance):
        world.add_node("node-b", ready=False, instance_id=instance.instance_id, since=1)
        world.wait(lambda: controller.leader.cluster.node("node-b"))
        world.elapsed += 61
        return "node-b"

    def test_when_the_pod_is_gone_too_its_eip_is_free_for_another_node(self, world, bound, node):
        eip_id = bound("web-0", node=node, never=True)

        world.remove_pod("web-0")
        world.create_pod("web-0", never=True, node="node-a")

        world.wait(lambda: (c := world.claim("web-0")).binding is None and c.node == "node-a")
        world.wait_eip(eip_id, "UNBIND")
        assert world.claim("web-0").address.eip_id == eip_id

    def test_while_the_pod_is_not_deleted_for_good_its_eip_stays(self, world, bound, node):
        eip_id = bound("web-0", node=node)
        world.client.patch(PODS, "web-0", {"metadata": {"finalizers": ["test/held"]}}, "default")
        world.remove_pod("web-0")
        world.delete_claim("web-0")

        world.wait(lambda: world.claim("web-0").deleting)
        world.wait(lambda: world.kube.traffic.count(verb="get", resource="pods", user_agent="ctl-"))

        assert world.claim("web-0").binding
        assert world.eips()[eip_id]["status"].value == "BIND"
        world.client.patch(PODS, "web-0", {"metadata": {"finalizers": None}}, "default")

    def test_a_node_that_was_just_seen_not_to_be_ready_is_waited_for(self, world, bound, instance):
        """Whatever the date of it says: it is by the clock of another machine, and ours may be wrong too."""
        world.add_node("node-c", ready=False, instance_id=instance.instance_id, since=3600)
        eip_id = bound("web-0", node="node-c")

        world.remove_pod("web-0")
        world.wait(lambda: world.claim("web-0").deleting)
        world.wait(lambda: world.region.audit.calls().get("DescribeInstances"))

        assert world.claim("web-0").binding
        assert world.eips()[eip_id]["status"].value == "BIND"


def test_a_node_of_which_nobody_says_whether_it_is_ready_is_not_lost(world, controller, bound, instance):
    """Its agent may live, and give the kept EIP to the Pod that comes next."""
    world.add_node("node-d", ready=None, instance_id=instance.instance_id)
    world.wait(lambda: controller.leader.cluster.node("node-d"))
    world.elapsed += 61
    eip_id = bound("web-0", node="node-d", never=True)

    world.remove_pod("web-0")
    pod = world.create_pod("web-0", never=True, node="node-a")
    # A second look means that the first one has led to nothing.
    world.wait(lambda: (world.region.audit.calls().get("DescribeInstances") or 0) >= 2)

    assert pod["metadata"]["uid"] != world.claim("web-0").binding.pod_uid
    assert world.eips()[eip_id]["status"].value == "BIND"


def test_the_agent_of_a_living_node_unbinds_by_itself(world, bound):
    eip_id = bound("web-0", node="node-a")

    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").deleting)
    assert world.eips()[eip_id]["status"].value == "BIND"
    world.unbind("web-0")

    world.wait_gone("web-0")


def test_a_retained_eip_follows_its_pod_off_a_node_that_died(world, bound):
    world.add_node("node-b")
    eip_id = bound("web-0", node="node-a", never=True)

    world.client.delete(NODES, "node-a")
    world.remove_pod("web-0")
    pod = world.create_pod("web-0", never=True, node="node-b")

    claim = world.wait(lambda: (c := world.claim("web-0")).binding is None and c.node == "node-b" and c)
    assert claim.pod.uid == pod["metadata"]["uid"]
    assert claim.address.eip_id == eip_id
    assert world.eips()[eip_id]["status"].value == "UNBIND"
    assert world.orders() == 1


def test_an_eip_that_was_bound_elsewhere_meanwhile_is_not_torn_away(world, controller, bound):
    eip_id = bound("web-0", node="node-a", never=True)
    controller.cloud.disassociate_eip(eip_id)
    world.wait_eip(eip_id, "UNBIND")
    world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    other = next(
        eni
        for eni in world.region.snapshot()["enis"].values()
        if eni["eni_id"] != world.claim("web-0").binding.eni_id
    )
    controller.cloud.associate_eip(eip_id, other["eni_id"], next(iter(other["addresses"])))
    world.wait_eip(eip_id, "BIND")

    world.client.delete(NODES, "node-a")
    world.remove_pod("web-0")

    world.wait(lambda: world.claim("web-0").binding is None)
    assert world.eips()[eip_id]["status"].value == "BIND"
