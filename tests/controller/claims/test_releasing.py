"""What a claim without its Pod comes to: released if it is not retained, kept if it is; never on doubt."""

import pytest

from ipamd.core.claim import eipclaim
from ipamd.kube.resources import EIPCLAIMS
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.cloud import InstanceOrder
from simulator.kube import Fault, FaultKind


@pytest.fixture
def controller(world):
    return world.start_controller()


@pytest.fixture
def port(world):
    """A secondary address of an attached ENI: id and IP."""
    world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    (eni,) = world.region.snapshot()["enis"].values()
    return eni["eni_id"], next(iter(eni["addresses"]))


def test_claim_and_eip_go_with_the_pod(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.remove_pod("web-0")

    world.wait_gone("web-0")
    assert world.eips() == {}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_ended_needs_no_eip_any_more(world, controller, phase):
    world.create_pod("job")
    world.wait_provisioned("job")

    world.end_pod("job", phase)

    world.wait_gone("job")
    assert world.eips() == {}


def test_nothing_is_released_before_the_agent_has_unbound(world, controller, port):
    eni_id, ip = port
    world.create_pod("web-0")
    eip_id = world.wait_provisioned("web-0").address.eip_id
    world.bind("web-0", eni_id=eni_id, ip=ip)

    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").deleting)
    assert world.eips()[eip_id]["status"].value == "BIND"

    world.unbind("web-0")
    world.wait_gone("web-0")
    assert world.eips() == {}


def test_an_eip_that_the_agent_has_just_seen_unbound_is_released_without_another_look(
    world, controller, port
):
    eni_id, ip = port
    world.create_pod("web-0")
    eip_id = world.wait_provisioned("web-0").address.eip_id
    world.bind("web-0", eni_id=eni_id, ip=ip)
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").deleting)
    blind = CloudFault(kind=CloudFaultKind.THROTTLE, action="DescribeAddresses", count=None)
    world.region.faults.add(blind)

    world.unbind("web-0")
    world.wait(lambda: eip_id not in world.eips())
    world.region.faults.clear()

    world.wait_gone("web-0")
    assert world.eips() == {}


def test_an_eip_that_somebody_has_bound_since_the_agent_saw_it_unbound_is_not_taken(world, controller, port):
    eni_id, ip = port
    world.create_pod("web-0")
    eip_id = world.wait_provisioned("web-0").address.eip_id
    world.bind("web-0", eni_id=eni_id, ip=ip)
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").deleting)

    world.tell_unbound("web-0")
    (event,) = world.wait(lambda: world.events("EIPStillBound"))

    assert eip_id in event["message"]
    assert world.events("FailedReleaseEIP") == []
    assert world.eips()[eip_id]["status"].value == "BIND"


def test_an_eip_that_is_bound_without_a_record_is_not_taken_away(world, controller, port):
    eni_id, ip = port
    world.create_pod("web-0")
    eip_id = world.wait_provisioned("web-0").address.eip_id
    controller.cloud.associate_eip(eip_id, eni_id, ip)
    world.wait_eip(eip_id, "BIND")

    world.remove_pod("web-0")
    (event,) = world.wait(lambda: world.events("EIPStillBound"))

    assert eip_id in event["message"]
    assert ip in event["message"]
    assert world.claim("web-0")
    assert world.eips()[eip_id]["status"].value == "BIND"


def test_a_claim_deleted_by_hand_is_made_again_while_its_pod_lives(world, controller):
    world.create_pod("web-0")
    first = world.wait_provisioned("web-0")

    world.delete_claim("web-0")

    world.wait(lambda: (c := world.claim("web-0")) and c.uid != first.uid and c.address)
    assert set(world.eips()) == {world.claim("web-0").address.eip_id}


def test_a_deleted_claim_without_a_pod_goes_with_its_eip_also_if_retained(world, controller):
    world.create_pod("web-0", never=True)
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen)

    world.delete_claim("web-0")

    world.wait_gone("web-0")
    assert world.eips() == {}


def test_a_retained_claim_outlives_its_pod_and_serves_the_next(world, controller):
    world.add_node("node-b")
    world.create_pod("web-0", never=True)
    first = world.wait_provisioned("web-0")

    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen)
    second_pod = world.create_pod("web-0", never=True, node="node-b")
    claim = world.wait(lambda: (c := world.claim("web-0")).pod.uid == second_pod["metadata"]["uid"] and c)

    assert claim.uid == first.uid
    assert claim.address == first.address
    assert claim.pod.last_seen is None
    world.wait(lambda: world.claim("web-0").node == "node-b")
    assert world.orders() == 1


def test_a_claim_that_is_not_retained_goes_before_the_next_pod_gets_its_own(world, controller):
    world.create_pod("web-0")
    first = world.wait_provisioned("web-0")

    world.remove_pod("web-0")
    pod = world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"7"}'})

    claim = world.wait(lambda: (c := world.claim("web-0")) and c.uid != first.uid and c.address and c)
    assert claim.pod.uid == pod["metadata"]["uid"]
    assert claim.request.order.bandwidth_mbps == 7
    assert set(world.eips()) == {claim.address.eip_id}


def test_the_successor_of_another_kind_does_not_inherit(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.remove_pod("web-0")
    world.create_pod("web-0", {})

    world.wait_gone("web-0")
    assert world.eips() == {}


def test_a_user_s_eip_is_left_as_it_is(world, controller):
    eip_id = world.users_eip()
    world.create_pod("web-0", never=True)
    first = world.wait_provisioned("web-0")
    world.client.patch(
        EIPCLAIMS,
        "web-0",
        {"status": {"address": {"id": eip_id, "ip": "198.18.9.9", "owned": False}}},
        "default",
        subresource="status",
    )

    world.delete_claim("web-0")
    world.wait(lambda: (c := world.claim("web-0")) and c.uid != first.uid and c.address)

    assert world.eips()[eip_id]["status"].value == "UNBIND"


def test_while_the_api_server_cannot_tell_about_the_pod_nothing_is_freed(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    blind = world.kube.inject(
        Fault(kind=FaultKind.STATUS, verb="get", resource="pods", code=500, user_agent=controller.name)
    )

    world.remove_pod("web-0")
    world.wait(lambda: world.kube.traffic.count(verb="get", resource="pods", user_agent=controller.name) >= 2)
    assert not world.claim("web-0").deleting
    assert len(world.eips()) == 1

    world.kube.heal(blind)
    world.wait_gone("web-0")
    assert world.eips() == {}


def test_while_the_cloud_cannot_tell_about_the_eip_nothing_is_freed(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    number = world.region.faults.add(
        CloudFault(kind=CloudFaultKind.ERROR, action="DescribeAddresses", count=None)
    )

    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").deleting)
    world.wait(world.region.faults.injected)
    assert world.claim("web-0").held
    assert len(world.eips()) == 1

    world.region.faults.remove(number)
    world.wait_gone("web-0")
    assert world.eips() == {}


@pytest.mark.parametrize("was_bound", [False, True])
def test_a_release_whose_task_fails_is_given_again(world, controller, port, was_bound):
    eni_id, ip = port
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    if was_bound:
        world.bind("web-0", eni_id=eni_id, ip=ip)
        world.unbind("web-0")
    world.region.faults.add(CloudFault(kind=CloudFaultKind.TASK_FAILURE, action="ReleaseAddresses"))

    world.remove_pod("web-0")

    world.wait(lambda: not world.claim("web-0"))
    assert world.eips() == {}


def test_a_claim_that_a_person_made_is_held_before_anything_is_ordered(world, controller):
    world.create_pod("web-0", {})
    world.client.create(
        EIPCLAIMS,
        {
            "metadata": {"name": "web-0", "namespace": "default"},
            "spec": {
                "attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
                "deletePolicy": "Never",
            },
        },
    )

    world.wait(lambda: eipclaim.FINALIZER in world.claim_object("web-0")["metadata"].get("finalizers", []))
    assert world.eips() == {}
