"""ENIs and their addresses from creation to deletion, under a clock that the test moves."""

SUBNET_TOTAL = 253


def states(cloud, eni_id):
    shown = cloud.shown_eni(eni_id)
    return shown["State"], {p["State"] for p in shown["PrivateIpAddressSet"]}


def create(cloud, **params):
    return cloud.call(
        "CreateNetworkInterface",
        {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001", "NetworkInterfaceName": "x", **params},
    )


def free(cloud):
    (subnet,) = cloud.call("DescribeSubnets", {"SubnetIds": ["subnet-demo0001"]})["SubnetSet"]
    return subnet["AvailableIpAddressCount"]


def test_a_new_eni_is_pending_then_available(cloud):
    answer = create(cloud, SecondaryPrivateIpAddressCount=2)
    shown = answer["NetworkInterface"]
    eni = shown["NetworkInterfaceId"]
    assert states(cloud, eni) == ("PENDING", {"PENDING"})
    assert cloud.vpc_task(answer) == "RUNNING"
    cloud.pass_time(0.05)
    assert states(cloud, eni) == ("PENDING", {"PENDING"})
    cloud.pass_time(0.06)
    assert states(cloud, eni) == ("AVAILABLE", {"AVAILABLE"})
    assert cloud.vpc_task(answer) == "SUCCESS"
    assert [p["Primary"] for p in shown["PrivateIpAddressSet"]] == [True, False, False]
    assert shown["MacAddress"] == shown["MacAddress"].upper()
    assert shown["Attachment"] is None
    assert len(shown["CreatedTime"]) == len("2020-10-28 08:23:59")


def test_a_task_names_its_resource(cloud):
    answer = create(cloud)
    result = cloud.call("DescribeVpcTaskResult", {"TaskId": answer["RequestId"]})
    assert result["Result"] == [
        {"ResourceId": answer["NetworkInterface"]["NetworkInterfaceId"], "Status": "RUNNING"}
    ]


def test_an_eni_takes_the_addresses_that_are_asked_for(cloud):
    wanted = [
        {"PrivateIpAddress": "10.0.1.77"},
        {"PrivateIpAddress": "10.0.1.66", "Primary": True, "Description": "own"},
    ]
    eni = create(cloud, PrivateIpAddresses=wanted)["NetworkInterface"]
    found = [(p["PrivateIpAddress"], p["Primary"], p["Description"]) for p in eni["PrivateIpAddressSet"]]
    assert found == [("10.0.1.66", True, "own"), ("10.0.1.77", False, "")]


def test_an_eni_that_is_made_for_a_cvm_appears_there_with_its_addresses(cloud):
    node = cloud.node()
    eni = cloud.eni(node, secondaries=3)
    shown = cloud.shown_eni(eni)
    assert shown["State"] == "AVAILABLE"
    assert shown["Attachment"]["InstanceId"] == node
    assert shown["Attachment"]["DeviceIndex"] == 1
    port = cloud.fabric.ports[eni]
    assert port.mac == shown["MacAddress"].lower()
    assert (port.instance_id, port.device_index) == (node, 1)
    assert (port.subnet_cidr, port.gateway) == ("10.0.1.0/24", "10.0.1.1")
    assert {ip for ip, holder in cloud.fabric.ips.items() if holder == eni} == {
        *cloud.ips(eni),
        port.primary_ip,
    }


def test_attaching_and_detaching(cloud):
    node = cloud.node()
    eni = cloud.eni(secondaries=1)
    params = {"NetworkInterfaceId": eni, "InstanceId": node}
    answer = cloud.call("AttachNetworkInterface", params)
    assert cloud.shown_eni(eni)["State"] == "ATTACHING"
    assert cloud.shown_eni(eni)["Attachment"] is None
    assert eni not in cloud.fabric.ports
    cloud.pass_time(0.3)
    assert cloud.shown_eni(eni)["State"] == "AVAILABLE"
    assert cloud.shown_eni(eni)["NetworkInterfaceState"] == "INUSE"
    assert cloud.vpc_task(answer) == "SUCCESS"
    assert len([ip for ip, holder in cloud.fabric.ips.items() if holder == eni]) == 2
    answer = cloud.call("DetachNetworkInterface", params)
    assert cloud.shown_eni(eni)["State"] == "DETACHING"
    assert eni in cloud.fabric.ports
    cloud.pass_time(0.3)
    assert cloud.shown_eni(eni)["State"] == "AVAILABLE"
    assert cloud.shown_eni(eni)["Attachment"] is None
    assert cloud.vpc_task(answer) == "SUCCESS"
    assert eni not in cloud.fabric.ports


def test_positions_in_a_cvm_are_filled_from_below(cloud):
    node = cloud.node()
    first, second = cloud.eni(node), cloud.eni(node)
    cloud.call("DetachNetworkInterface", {"NetworkInterfaceId": first, "InstanceId": node})
    cloud.pass_time()
    third = cloud.eni(node)
    assert cloud.shown_eni(second)["Attachment"]["DeviceIndex"] == 2
    assert cloud.shown_eni(third)["Attachment"]["DeviceIndex"] == 1


def test_deleting_gives_addresses_and_eips_back(cloud):
    eni = cloud.eni(secondaries=4)
    address_id = cloud.eip()
    cloud.bind(address_id, eni, cloud.ips(eni)[0])
    assert free(cloud) == SUBNET_TOTAL - 5
    cloud.call("DeleteNetworkInterface", {"NetworkInterfaceId": eni})
    assert cloud.shown_eni(eni)["State"] == "DELETING"
    assert cloud.status(address_id) == "UNBINDING"
    assert free(cloud) == SUBNET_TOTAL - 5
    cloud.pass_time()
    assert cloud.refused("DescribeNetworkInterfaces", {"NetworkInterfaceIds": [eni]}) == "ResourceNotFound"
    assert cloud.status(address_id) == "UNBIND"
    assert free(cloud) == SUBNET_TOTAL
    assert cloud.fabric.eips == {}


def assign(cloud, eni, count=1, **params):
    return cloud.call(
        "AssignPrivateIpAddresses",
        {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": count, **params},
    )


def test_assigned_addresses_are_pending_then_available(cloud):
    eni = cloud.eni(cloud.node())
    answer = assign(cloud, eni, 3, QosLevel="PT")
    assert {(p["State"], p["QosLevel"]) for p in answer["PrivateIpAddressSet"]} == {("PENDING", "PT")}
    ips = {p["PrivateIpAddress"] for p in answer["PrivateIpAddressSet"]}
    assert states(cloud, eni) == ("AVAILABLE", {"AVAILABLE", "PENDING"})
    assert not ips & set(cloud.fabric.ips)
    cloud.pass_time(0.1)
    assert states(cloud, eni) == ("AVAILABLE", {"AVAILABLE"})
    assert ips <= set(cloud.fabric.ips)
    assert cloud.vpc_task(answer) == "SUCCESS"


def test_named_and_counted_addresses_in_one_request(cloud):
    eni = cloud.eni(cloud.node())
    answer = assign(cloud, eni, 1, PrivateIpAddresses=[{"PrivateIpAddress": "10.0.1.99"}])
    first, second = [p["PrivateIpAddress"] for p in answer["PrivateIpAddressSet"]]
    assert first == "10.0.1.99"
    assert second != first


def test_addresses_of_an_eni_without_a_cvm_come_with_the_attachment(cloud):
    eni = cloud.eni()
    assign(cloud, eni, 2)
    cloud.pass_time()
    assert cloud.fabric.ips == {}
    cloud.call("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": cloud.node()})
    cloud.pass_time()
    assert set(cloud.ips(eni)) <= set(cloud.fabric.ips)


def test_unassigning_unbinds_the_eip_in_the_same_task(cloud):
    eni = cloud.eni(cloud.node(), secondaries=2)
    ip = cloud.ips(eni)[0]
    address_id = cloud.eip()
    cloud.bind(address_id, eni, ip)
    request = {"NetworkInterfaceId": eni, "PrivateIpAddresses": [{"PrivateIpAddress": ip}]}
    answer = cloud.call("UnassignPrivateIpAddresses", request)
    assert cloud.status(address_id) == "UNBINDING"
    assert "DELETING" in states(cloud, eni)[1]
    assert ip in cloud.fabric.ips
    cloud.pass_time(0.1)
    assert cloud.status(address_id) == "UNBIND"
    assert ip not in cloud.ips(eni)
    assert ip not in cloud.fabric.ips
    assert cloud.fabric.eips == {}
    assert cloud.vpc_task(answer) == "SUCCESS"
    order = [call[0] for call in cloud.fabric.calls]
    assert order.index("unbind_eip") < order.index("remove_ip")


def test_a_freed_address_is_given_out_again(cloud):
    eni = cloud.eni(cloud.node(), secondaries=1)
    (ip,) = cloud.ips(eni)
    cloud.call(
        "UnassignPrivateIpAddresses",
        {"NetworkInterfaceId": eni, "PrivateIpAddresses": [{"PrivateIpAddress": ip}]},
    )
    cloud.pass_time()
    assert assign(cloud, eni)["PrivateIpAddressSet"][0]["PrivateIpAddress"] == ip


def test_migrating_an_address_takes_its_eip_along(cloud):
    source, target = cloud.eni(cloud.node(), secondaries=1), cloud.eni(cloud.node())
    (ip,) = cloud.ips(source)
    address_id = cloud.eip()
    cloud.bind(address_id, source, ip)
    answer = cloud.call(
        "MigratePrivateIpAddress",
        {
            "SourceNetworkInterfaceId": source,
            "DestinationNetworkInterfaceId": target,
            "PrivateIpAddress": ip,
        },
    )
    assert "MIGRATING" in states(cloud, source)[1]
    assert (
        cloud.refused("DisassociateAddress", {"AddressId": address_id}) == "OperationDenied.MutexTaskRunning"
    )
    cloud.pass_time()
    assert cloud.ips(source) == []
    assert cloud.ips(target) == [ip]
    assert cloud.fabric.ips[ip] == target
    assert cloud.shown_eip(address_id)["NetworkInterfaceId"] == target
    assert cloud.status(address_id) == "BIND"
    assert cloud.vpc_task(answer) == "SUCCESS"


def test_migrating_to_an_eni_without_a_cvm(cloud):
    source, target = cloud.eni(cloud.node(), secondaries=1), cloud.eni()
    (ip,) = cloud.ips(source)
    address_id = cloud.eip()
    cloud.bind(address_id, source, ip)
    cloud.call(
        "MigratePrivateIpAddress",
        {
            "SourceNetworkInterfaceId": source,
            "DestinationNetworkInterfaceId": target,
            "PrivateIpAddress": ip,
        },
    )
    cloud.pass_time()
    assert cloud.status(address_id) == "BIND_ENI"
    assert ip not in cloud.fabric.ips


def test_a_data_plane_that_fails_leaves_everything_as_it_was(cloud):
    node = cloud.node()
    cloud.fabric.broken = "attach_eni"
    attached = cloud.eni(secondaries=1)
    answer = cloud.call("AttachNetworkInterface", {"NetworkInterfaceId": attached, "InstanceId": node})
    cloud.pass_time()
    assert cloud.vpc_task(answer) == "FAILED"
    assert cloud.shown_eni(attached)["Attachment"] is None
    assert cloud.shown_eni(attached)["State"] == "AVAILABLE"
    before = free(cloud)
    created = cloud.call(
        "CreateAndAttachNetworkInterface",
        {
            "VpcId": "vpc-demo0001",
            "SubnetId": "subnet-demo0001",
            "NetworkInterfaceName": "x",
            "InstanceId": node,
        },
    )
    cloud.pass_time()
    assert cloud.vpc_task(created) == "FAILED"
    assert free(cloud) == before
