"""CVMs that come and go, in the middle of everything."""

import pytest

from simulator.cloud import InstanceOrder
from simulator.cloud.config import NatGatewayConfig, RegionConfig
from simulator.cloud.fleet import FleetError
from simulator.fabric.api import FabricError


def test_a_cvm_boots_with_its_primary_eni(cloud):
    node = cloud.node()
    eni = cloud.shown_eni(cloud.primary_eni(node))
    assert eni["State"] == "AVAILABLE"
    assert (eni["Primary"], eni["EniType"], eni["Attachment"]["DeviceIndex"]) == (True, 1, 0)
    assert cloud.fabric.ports[eni["NetworkInterfaceId"]].primary_ip == "10.0.1.2"


def test_an_ordinary_public_ip_is_translated(cloud):
    node = cloud.node(public_ip=True)
    (instance,) = cloud.call("DescribeInstances", {"InstanceIds": [node]}, product="cvm")["InstanceSet"]
    assert cloud.fabric.eips == {instance["PublicIpAddresses"][0]: instance["PrivateIpAddresses"][0]}


def test_instances_and_gateways_of_the_config_are_there_at_once(make_cloud):
    cloud = make_cloud(
        instances=(InstanceOrder(instance_id="ins-00000001"), InstanceOrder(instance_id="ins-00000002")),
        nat_gateways=(NatGatewayConfig(),),
    )
    assert cloud.call("DescribeInstances", product="cvm")["TotalCount"] == 2
    assert cloud.call("DescribeNatGateways")["TotalCount"] == 1


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (InstanceOrder(instance_type="Z9.HUGE"), "Z9.HUGE.*S5.LARGE8"),
        (InstanceOrder(subnet_id="subnet-x"), "subnet-x.*subnet-demo0001"),
        (InstanceOrder(instance_id="ins-00000001"), "in use"),
        (InstanceOrder(private_ip="10.0.1.2"), "10.0.1.2 is not free"),
    ],
)
def test_an_order_that_cannot_be_met_says_why(cloud, order, words):
    cloud.node(instance_id="ins-00000001")
    with pytest.raises(FleetError, match=words):
        cloud.region.create_instance(order)
    assert len(cloud.region.snapshot()["enis"]) == 1


def test_a_cvm_that_the_data_plane_cannot_make_leaves_nothing(cloud):
    cloud.fabric.broken = "attach_eni"
    with pytest.raises(FabricError):
        cloud.region.create_instance(InstanceOrder(public_ip=True))
    snapshot = cloud.region.snapshot()
    assert (snapshot["instances"], snapshot["enis"], snapshot["addresses"]) == ({}, {}, {})


def test_terminating_returns_what_lives_with_the_cvm_and_keeps_the_rest(cloud):
    node = cloud.node("S5.4XLARGE32", public_ip=True)
    primary = cloud.primary_eni(node)
    eni = cloud.eni(node, secondaries=1)
    cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": primary, "SecondaryPrivateIpAddressCount": 1}
    )
    cloud.pass_time()
    on_primary, on_eni = cloud.eips(2)
    cloud.bind(on_primary, primary, cloud.ips(primary)[0])
    cloud.bind(on_eni, eni, cloud.ips(eni)[0])
    cloud.region.terminate_instance(node)
    assert cloud.status(on_primary) == "UNBIND"
    assert cloud.status(on_eni) == "BIND_ENI"
    assert cloud.shown_eni(eni)["Attachment"] is None
    snapshot = cloud.region.snapshot()
    assert list(snapshot["enis"]) == [eni]
    assert set(snapshot["addresses"]) == {on_primary, on_eni}
    assert cloud.fabric.ips == {}
    assert list(cloud.fabric.eips) == [cloud.shown_eip(on_eni)["AddressIp"]]
    with pytest.raises(FleetError, match="does not exist"):
        cloud.region.terminate_instance(node)


def begin_everything(cloud, node):
    """Begin a task of each kind on a CVM; give the ids of EIPs and ENIs that outlive it."""
    primary = cloud.primary_eni(node)
    cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": primary, "SecondaryPrivateIpAddressCount": 4}
    )
    attached = cloud.eni(node, secondaries=2)
    leaving = cloud.eni(node)
    free = cloud.eni()
    eips = cloud.eips(4)
    ips = cloud.ips(primary)
    cloud.bind(eips[0], primary, ips[0])
    cloud.bind(eips[1], primary, ips[1])
    cloud.call("DisassociateAddress", {"AddressId": eips[0]})
    one = [{"PrivateIpAddress": ips[1]}]
    cloud.call("UnassignPrivateIpAddresses", {"NetworkInterfaceId": primary, "PrivateIpAddresses": one})
    cloud.bind(eips[2], primary, ips[2], wait=False)
    cloud.bind(eips[3], attached, cloud.ips(attached)[0], wait=False)
    cloud.call("DetachNetworkInterface", {"NetworkInterfaceId": leaving, "InstanceId": node})
    cloud.call("AttachNetworkInterface", {"NetworkInterfaceId": free, "InstanceId": node})
    created = cloud.call(
        "CreateAndAttachNetworkInterface",
        {
            "VpcId": "vpc-demo0001",
            "SubnetId": "subnet-demo0001",
            "NetworkInterfaceName": "x",
            "InstanceId": node,
            "SecondaryPrivateIpAddressCount": 2,
        },
    )
    return eips, [attached, leaving, free, created["NetworkInterface"]["NetworkInterfaceId"]]


def test_a_cvm_that_ends_in_the_middle_of_everything_leaves_nothing_hanging(cloud):
    node = cloud.node("S5.16XLARGE256")
    eips, enis = begin_everything(cloud, node)
    cloud.region.terminate_instance(node)
    cloud.pass_time()
    assert cloud.region.snapshot()["pending_transitions"] == 0
    assert [cloud.status(i) for i in eips] == ["UNBIND", "UNBIND", "UNBIND", "BIND_ENI"]
    for eni in enis:
        assert (cloud.shown_eni(eni)["State"], cloud.shown_eni(eni)["Attachment"]) == ("AVAILABLE", None)
    assert cloud.fabric.ips == {}
    assert list(cloud.fabric.eips) == [cloud.shown_eip(eips[3])["AddressIp"]]
    for eni in enis:
        cloud.call("DeleteNetworkInterface", {"NetworkInterfaceId": eni})
    cloud.pass_time()
    cloud.call("ReleaseAddresses", {"AddressIds": eips})
    cloud.pass_time()
    snapshot = cloud.region.snapshot()
    assert (snapshot["enis"], snapshot["addresses"]) == ({}, {})


def test_a_cvm_that_ends_while_an_address_moves_off_it(cloud):
    node, other = cloud.node(), cloud.node()
    source, target = cloud.primary_eni(node), cloud.primary_eni(other)
    cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": source, "SecondaryPrivateIpAddressCount": 1}
    )
    cloud.pass_time()
    (ip,) = cloud.ips(source)
    address_id = cloud.eip()
    cloud.bind(address_id, source, ip)
    migration = {
        "SourceNetworkInterfaceId": source,
        "DestinationNetworkInterfaceId": target,
        "PrivateIpAddress": ip,
    }
    cloud.call("MigratePrivateIpAddress", migration)
    cloud.region.terminate_instance(node)
    cloud.pass_time()
    assert cloud.status(address_id) == "UNBIND"
    assert cloud.ips(target) == []
    assert cloud.fabric.eips == {}
    cloud.call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": target, "SecondaryPrivateIpAddressCount": 1}
    )


def test_a_snapshot_is_plain_json(cloud):
    import json

    cloud.eni(cloud.node(public_ip=True), secondaries=1)
    snapshot = json.loads(json.dumps(cloud.region.snapshot()))
    assert snapshot["calls"] == {"CreateAndAttachNetworkInterface": 1}
    assert len(snapshot["enis"]) == 2


def test_the_audit_log_holds_writes_with_their_outcome(cloud):
    cloud.eip()
    cloud.refused("ReleaseAddresses", {"AddressIds": ["eip-00000000"]})
    cloud.call("DescribeAddresses")
    entries = cloud.region.audit.writes()
    assert [(e.action, e.code, e.principal) for e in entries] == [
        ("AllocateAddresses", "", "demo"),
        ("ReleaseAddresses", "InvalidAddressId.NotFound", "demo"),
    ]
    assert cloud.region.audit.as_dict()["refusals"] == {"ReleaseAddresses:InvalidAddressId.NotFound": 1}
    assert cloud.region.audit.calls()["DescribeAddresses"] == 1


def test_the_default_region_is_that_of_the_demo():
    config = RegionConfig()
    assert (config.region, config.vpc.subnets[0].zone) == ("ap-guangzhou", "ap-guangzhou-3")
    assert config.vpc.cidr == "10.0.0.0/16"
    assert config.vpc.subnets[0].cidr == "10.0.1.0/24"
