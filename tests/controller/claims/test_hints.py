"""What Events say about a Pod whose EIP is on its way: each hint once, however often it is looked at."""

import pytest

from ipamd.kube.resources import EIPCLAIMS, PODS, REPLICASETS
from simulator.kube import Fault, FaultKind
from tests.controller.world import PREFIX


@pytest.fixture
def controller(world):
    return world.start_controller()


def annotate(world, name, **annotations):
    changed = {PREFIX + key: value for key, value in annotations.items()}
    world.client.patch(PODS, name, {"metadata": {"annotations": changed}}, "default")


def test_an_annotation_without_the_resource_works_and_is_told_once(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    (event,) = world.wait(lambda: world.events("EIPResourceMissing"))
    assert event["type"] == "Warning"
    assert event["involvedObject"]["kind"] == "Pod"
    assert 'tke.cloud.tencent.com/eip: "1"' in event["message"]

    annotate(world, "web-0", **{"eip-claim-delete-policy": "Never"})
    world.wait(lambda: world.events("AnnotationsIgnored"))

    (event,) = world.events("EIPResourceMissing")
    assert event["count"] == 1


def test_the_resource_without_an_annotation_needs_no_hint(world, controller):
    world.create_pod("web-0", resource=True)
    world.create_pod("api-0")
    world.wait_provisioned("web-0")
    world.wait(lambda: world.events("EIPResourceMissing"))

    hinted = {event["involvedObject"]["name"] for event in world.events("EIPResourceMissing")}
    assert hinted == {"api-0"}


def test_a_change_of_the_policy_is_ignored_and_told_with_how_to_apply_it(world, controller):
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, resource=True)
    first = world.wait_provisioned("web-0")

    annotate(world, "web-0", **{"eip-claim-delete-policy": "Never"})
    (event,) = world.wait(lambda: world.events("AnnotationsIgnored"))
    assert "deletePolicy is Delete, not Never" in event["message"]
    assert "kubectl delete eipc web-0 -n default" in event["message"]
    assert world.claim("web-0").request == first.request

    world.delete_claim("web-0")
    claim = world.wait(lambda: (c := world.claim("web-0")) and c.uid != first.uid and c.address and c)
    assert claim.retained


def test_the_next_pod_of_a_retained_claim_that_asks_for_a_list_is_told_too(world, controller):
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'}, never=True)
    first = world.wait_provisioned("web-0")
    world.remove_pod("web-0")

    pod = world.create_pod("web-0", {"eip-id-list": "eip-00000001"}, never=True)

    world.wait(lambda: world.claim("web-0").pod.uid == pod["metadata"]["uid"])
    (event,) = world.wait(lambda: world.events("AnnotationsIgnored"))
    assert event["involvedObject"]["uid"] == pod["metadata"]["uid"]
    assert world.claim("web-0").address == first.address


def test_a_policy_that_a_person_writes_into_the_claim_counts_at_once(world, controller):
    world.create_pod("web-0", resource=True)
    world.wait_provisioned("web-0")

    world.client.patch(EIPCLAIMS, "web-0", {"spec": {"deletePolicy": "Never"}}, "default")
    world.wait(lambda: world.events("AnnotationsIgnored"))
    world.remove_pod("web-0")

    world.wait(lambda: world.claim("web-0").pod.last_seen)
    assert not world.claim("web-0").deleting


def test_a_claim_that_no_pod_needs_is_removed_with_a_hint(world, controller):
    world.client.create(
        EIPCLAIMS,
        {
            "metadata": {"name": "web-0", "namespace": "default"},
            "spec": {
                "attributes": {"bandwidthMbps": 1, "isp": "BGP", "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
            },
        },
    )

    world.wait_gone("web-0")
    (event,) = world.wait(lambda: world.events("UnusedClaim"))
    assert "deletePolicy Never" in event["message"]
    assert world.orders() == 0


def test_a_claim_that_the_api_server_refuses_is_told_on_the_pod(world, controller):
    world.kube.faults.add(Fault(kind=FaultKind.STATUS, verb="create", resource="eipclaims", code=403))
    world.create_pod("web-0")

    (event,) = world.wait(lambda: world.events("FailedCreateEIPClaim"))
    assert event["type"] == "Warning"
    assert event["involvedObject"]["kind"] == "Pod"
    assert "EIPClaim" in event["message"]
    assert "tried again" in event["message"]
    assert world.claim("web-0") is None


def told_of(world, reason):
    (event,) = world.wait(lambda: world.events(reason))
    return event["type"], event["involvedObject"]["name"], event["message"]


def test_an_annotation_that_was_misspelt_is_told_once_with_the_right_one(world, controller):
    world.create_pod("web-0", {"eip-attribute": "{}"})

    kind, name, message = told_of(world, "AnnotationNotKnown")
    assert (kind, name) == ("Warning", "web-0")
    assert f'"{PREFIX}eip-attribute"' in message
    assert f"if {PREFIX}eip-attributes is meant" in message

    world.client.patch(PODS, "web-0", {"metadata": {"annotations": {PREFIX + "networks": "x"}}}, "default")
    world.create_pod("api-0")
    world.wait_provisioned("api-0")
    (event,) = world.events("AnnotationNotKnown")
    assert event["count"] == 1
    assert world.claim("web-0") is None


def test_the_annotation_of_super_nodes_is_told_of_on_a_cvm(world, controller):
    world.create_pod("web-0", {})
    foreign = {f"eks.{PREFIX}eip-attributes": ""}
    world.client.patch(PODS, "web-0", {"metadata": {"annotations": foreign}}, "default")

    _, name, message = told_of(world, "AnnotationNotKnown")
    assert name == "web-0"
    assert "super nodes only" in message


def test_the_annotation_of_super_nodes_is_right_there(world, controller):
    world.add_node("eklet-1", agent="", instance_type="eklet")
    world.create_pod("web-0", {}, node="eklet-1")
    foreign = {f"eks.{PREFIX}eip-attributes": ""}
    world.client.patch(PODS, "web-0", {"metadata": {"annotations": foreign}}, "default")
    world.create_pod("api-0")
    world.wait_provisioned("api-0")

    assert world.events("AnnotationNotKnown") == []


@pytest.mark.parametrize("wish", [{"annotations": {"eip-attributes": ""}}, {"resource": True}])
def test_a_pod_of_the_host_s_network_is_told_that_it_gets_no_eip(world, controller, wish):
    world.create_pod("web-0", host_network=True, **wish)

    kind, name, message = told_of(world, "HostNetworkHasNoEIP")
    assert (kind, name) == ("Warning", "web-0")
    assert "hostNetwork: true" in message
    assert world.claim("web-0") is None


def test_nominated_subnets_alone_are_told_to_mean_nothing(world, controller):
    world.create_pod("web-0", {"nominated-eni-subnets": "subnet-demo0001"})

    kind, name, message = told_of(world, "NominatedSubnetsIgnored")
    assert (kind, name) == ("Warning", "web-0")
    assert f"add {PREFIX}vpc-ip-claim-delete-policy: Never" in message


def test_a_pod_from_before_the_controller_is_told_too(world):
    world.create_pod("web-0", {"eip-attribute": "{}"})

    world.start_controller()

    assert told_of(world, "AnnotationNotKnown")[1] == "web-0"


def test_an_eip_that_is_kept_for_a_name_that_never_comes_back_is_told(world, controller):
    replicas = world.create_workload(REPLICASETS, "web")
    world.create_pod("web-2k4x7", {"eip-attributes": ""}, never=True, owner=replicas)
    world.wait_provisioned("web-2k4x7")

    kind, name, message = told_of(world, "KeptForNobody")
    assert (kind, name) == ("Warning", "web-2k4x7")
    assert "its ReplicaSet gives each Pod a new one" in message


def test_values_as_yaml_s_blocks_give_them_are_taken(world, controller):
    as_block = {"eip-claim-delete-policy": "Never\n", "claim-expired-duration": "24h\n"}
    world.create_pod("web-0", {"eip-attributes": '{"bandwidth":"5"}\n', **as_block}, resource=True)

    claim = world.wait_provisioned("web-0")
    assert claim.retained
    assert claim.request.expire_after == 86400.0
    assert claim.request.order.bandwidth_mbps == 5
