"""EIPs from order to return, under a clock that the test moves."""

import pytest

BIND = 0.15


def test_a_new_eip_is_creating_then_unbind(cloud):
    answer = cloud.call("AllocateAddresses")
    (address_id,) = answer["AddressSet"]
    assert cloud.status(address_id) == "CREATING"
    assert cloud.task(answer) == "RUNNING"
    cloud.pass_time(0.04)
    assert cloud.status(address_id) == "CREATING"
    cloud.pass_time(0.02)
    assert cloud.status(address_id) == "UNBIND"
    assert cloud.task(answer) == "SUCCESS"


def test_task_ids_are_text_in_answers_and_numbers_in_questions(cloud):
    answer = cloud.call("AllocateAddresses")
    assert isinstance(answer["TaskId"], str)
    result = cloud.call("DescribeTaskResult", {"TaskId": int(answer["TaskId"])})
    assert result["TaskId"] == int(answer["TaskId"])


def test_a_new_eip_has_the_documented_defaults(cloud):
    shown = cloud.shown_eip(cloud.eip())
    assert shown["AddressName"] == "未命名"
    assert shown["AddressType"] == "EIP"
    assert shown["InternetServiceProvider"] == "BGP"
    assert shown["InternetChargeType"] == "TRAFFIC_POSTPAID_BY_HOUR"
    assert shown["Bandwidth"] == 1
    assert shown["InstanceId"] is None
    assert shown["NetworkInterfaceId"] is None
    assert shown["PrivateAddressIp"] is None
    assert shown["CreatedTime"].endswith("Z")
    assert shown["TagSet"] == []


def test_an_order_keeps_its_parameters(cloud):
    tags = [{"Key": "tke-clusterId", "Value": "cls-1"}, {"Key": "tke-created-eip", "Value": "true"}]
    shown = cloud.shown_eip(
        cloud.eip(
            InternetServiceProvider="CMCC",
            InternetChargeType="BANDWIDTH_PACKAGE",
            BandwidthPackageId="bwp-cmcc0001",
            InternetMaxBandwidthOut=2000,
            AddressName="game",
            Tags=tags,
        )
    )
    assert shown["AddressIp"].startswith("198.18.64.")
    assert shown["InternetChargeType"] == "BANDWIDTH_PACKAGE"
    assert shown["BandwidthPackageId"] == "bwp-cmcc0001"
    assert shown["Bandwidth"] == 2000
    assert shown["AddressName"] == "game"
    assert shown["TagSet"] == tags


def test_each_line_has_its_own_pool(cloud):
    lines = {isp: cloud.shown_eip(cloud.eip(InternetServiceProvider=isp)) for isp in ("BGP", "CTCC", "CUCC")}
    thirds = {isp: int(shown["AddressIp"].split(".")[2]) // 64 for isp, shown in lines.items()}
    assert thirds == {"BGP": 0, "CTCC": 2, "CUCC": 3}


def test_binding_to_a_secondary_address(cloud):
    node = cloud.node()
    eni = cloud.eni(node, secondaries=2)
    ip = cloud.ips(eni)[1]
    address_id = cloud.eip()
    answer = cloud.bind(address_id, eni, ip, wait=False)
    shown = cloud.shown_eip(address_id)
    assert shown["AddressStatus"] == "BINDING"
    assert (shown["NetworkInterfaceId"], shown["PrivateAddressIp"]) == (eni, ip)
    assert cloud.fabric.eips == {}
    cloud.pass_time(BIND)
    shown = cloud.shown_eip(address_id)
    assert shown["AddressStatus"] == "BIND"
    assert shown["InstanceId"] == node
    assert shown["InstanceType"] == "ENI"
    assert cloud.task(answer) == "SUCCESS"
    assert cloud.fabric.eips == {shown["AddressIp"]: ip}
    (private,) = [p for p in cloud.shown_eni(eni)["PrivateIpAddressSet"] if p["PrivateIpAddress"] == ip]
    assert (private["AddressId"], private["PublicIpAddress"]) == (address_id, shown["AddressIp"])


def test_binding_to_an_instance_means_its_primary_address(cloud):
    node = cloud.node()
    address_id = cloud.eip()
    cloud.call("AssociateAddress", {"AddressId": address_id, "InstanceId": node})
    cloud.pass_time()
    shown = cloud.shown_eip(address_id)
    assert shown["NetworkInterfaceId"] == cloud.primary_eni(node)
    assert shown["InstanceType"] == "CVM"
    (instance,) = cloud.call("DescribeInstances", {"InstanceIds": [node]}, product="cvm")["InstanceSet"]
    assert instance["PublicIpAddresses"] == [shown["AddressIp"]]
    assert instance["PrivateIpAddresses"] == [shown["PrivateAddressIp"]]


def test_unbinding(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    address_id = cloud.eip()
    cloud.bind(address_id, eni, cloud.ips(eni)[0])
    answer = cloud.call("DisassociateAddress", {"AddressId": address_id})
    assert cloud.status(address_id) == "UNBINDING"
    assert cloud.shown_eip(address_id)["PrivateAddressIp"]
    assert cloud.fabric.eips
    cloud.pass_time(BIND)
    shown = cloud.shown_eip(address_id)
    assert shown["AddressStatus"] == "UNBIND"
    assert shown["PrivateAddressIp"] is None
    assert cloud.task(answer) == "SUCCESS"
    assert cloud.fabric.eips == {}


def test_an_eip_on_a_detached_eni_is_bind_eni(cloud):
    node = cloud.node()
    eni = cloud.eni(secondaries=1)
    address_id = cloud.eip()
    cloud.bind(address_id, eni, cloud.ips(eni)[0])
    assert cloud.status(address_id) == "BIND_ENI"
    cloud.call("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
    assert cloud.status(address_id) == "BIND_ENI"
    cloud.pass_time()
    assert cloud.status(address_id) == "BIND"
    cloud.call("DetachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
    cloud.pass_time()
    assert cloud.status(address_id) == "BIND_ENI"
    assert cloud.shown_eip(address_id)["InstanceId"] is None
    cloud.call("DisassociateAddress", {"AddressId": address_id})
    cloud.pass_time()
    assert cloud.status(address_id) == "UNBIND"


def test_a_released_eip_is_offlining_then_gone(cloud):
    ids = cloud.eips(2)
    answer = cloud.call("ReleaseAddresses", {"AddressIds": ids})
    assert {cloud.status(i) for i in ids} == {"OFFLINING"}
    cloud.pass_time()
    assert {cloud.status(i) for i in ids} == {""}
    assert cloud.task(answer) == "SUCCESS"
    assert cloud.region.snapshot()["addresses"] == {}


def test_a_released_public_address_is_sold_again(cloud):
    first = cloud.eip()
    ip = cloud.shown_eip(first)["AddressIp"]
    cloud.call("ReleaseAddresses", {"AddressIds": [first]})
    cloud.pass_time()
    assert cloud.shown_eip(cloud.eip())["AddressIp"] == ip


def test_another_bandwidth_is_a_task_too(cloud):
    address_id = cloud.eip()
    answer = cloud.call(
        "ModifyAddressesBandwidth", {"AddressIds": [address_id], "InternetMaxBandwidthOut": 50}
    )
    assert cloud.shown_eip(address_id)["Bandwidth"] == 1
    cloud.pass_time()
    assert cloud.shown_eip(address_id)["Bandwidth"] == 50
    assert cloud.task(answer) == "SUCCESS"


def test_another_name_is_there_at_once(cloud):
    address_id = cloud.eip()
    cloud.call("ModifyAddressAttribute", {"AddressId": address_id, "AddressName": "web"})
    assert cloud.shown_eip(address_id)["AddressName"] == "web"


def test_an_ordinary_public_ip_can_take_the_place_of_an_eip(cloud):
    node = cloud.node()
    address_id = cloud.eip()
    cloud.call("AssociateAddress", {"AddressId": address_id, "InstanceId": node})
    cloud.pass_time()
    cloud.call("DisassociateAddress", {"AddressId": address_id, "ReallocateNormalPublicIp": True})
    cloud.pass_time()
    assert cloud.status(address_id) == "UNBIND"
    filters = [{"Name": "address-type", "Values": ["WanIP"]}]
    (ordinary,) = cloud.call("DescribeAddresses", {"Filters": filters})["AddressSet"]
    assert ordinary["InstanceId"] == node
    assert cloud.fabric.eips == {ordinary["AddressIp"]: ordinary["PrivateAddressIp"]}


def test_latencies_can_be_scaled(make_cloud):
    from simulator.cloud import Latencies

    cloud = make_cloud(latencies=Latencies(scale=10.0))
    (address_id,) = cloud.call("AllocateAddresses")["AddressSet"]
    cloud.pass_time(0.4)
    assert cloud.status(address_id) == "CREATING"
    cloud.pass_time(0.2)
    assert cloud.status(address_id) == "UNBIND"


@pytest.mark.parametrize(
    ("broken", "status"), [("bind_eip", "UNBIND"), ("unbind_eip", "BIND")], ids=["bind", "unbind"]
)
def test_a_task_fails_when_the_data_plane_does(cloud, broken, status):
    eni = cloud.eni(cloud.node(), secondaries=1)
    address_id = cloud.eip()
    if broken == "unbind_eip":
        cloud.bind(address_id, eni, cloud.ips(eni)[0])
    cloud.fabric.broken = broken
    if broken == "bind_eip":
        answer = cloud.bind(address_id, eni, cloud.ips(eni)[0], wait=False)
    else:
        answer = cloud.call("DisassociateAddress", {"AddressId": address_id})
    cloud.pass_time()
    assert cloud.task(answer) == "FAILED"
    assert cloud.status(address_id) == status


def test_an_eip_with_cascade_release_is_gone_when_it_is_unbound(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    address_id = cloud.eip()
    cloud.region.set_cascade_release(address_id)
    assert cloud.shown_eip(address_id)["CascadeRelease"] is True
    params = {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": cloud.ips(eni)[0]}
    cloud.call("AssociateAddress", params)
    cloud.pass_time(1)
    cloud.call("DisassociateAddress", {"AddressId": address_id})
    cloud.pass_time(1)
    assert cloud.call("DescribeAddresses", {"AddressIds": [address_id]})["AddressSet"] == []
