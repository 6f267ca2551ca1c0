"""The typed clients of the SDK, and the shape of every answer against their models."""

import json

import pytest
from tencentcloud.cvm.v20170312 import cvm_client
from tencentcloud.cvm.v20170312 import models as cvm_models
from tencentcloud.vpc.v20170312 import models as vpc_models
from tencentcloud.vpc.v20170312 import vpc_client

from simulator.cloud.actions import catalog


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def scenario(cloud):
    """Call every action once with success; give action, product and answer."""
    node = cloud.node(public_ip=True)
    gateway = cloud.region.add_nat_gateway()
    new = {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001", "NetworkInterfaceName": "x"}
    answers = []

    def call(action, params=None, product="vpc"):
        answer = cloud.call(action, params or {}, product=product)
        cloud.pass_time()
        answers.append((action, product, answer))
        return answer

    eip = call("AllocateAddresses", {"Tags": [{"Key": "a", "Value": "b"}]})
    (address_id,) = eip["AddressSet"]
    call("DescribeTaskResult", {"TaskId": int(eip["TaskId"])})
    one = call(
        "CreateNetworkInterface",
        {**new, "SecondaryPrivateIpAddressCount": 1, "Tags": [{"Key": "a", "Value": "b"}]},
    )
    eni = one["NetworkInterface"]["NetworkInterfaceId"]
    call("DescribeVpcTaskResult", {"TaskId": one["RequestId"]})
    call("AttachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
    two = call("CreateAndAttachNetworkInterface", {**new, "InstanceId": node})
    other = two["NetworkInterface"]["NetworkInterfaceId"]
    assigned = call(
        "AssignPrivateIpAddresses", {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1}
    )
    ip = assigned["PrivateIpAddressSet"][0]["PrivateIpAddress"]
    call("AssociateAddress", {"AddressId": address_id, "NetworkInterfaceId": eni, "PrivateIpAddress": ip})
    call("ModifyAddressesBandwidth", {"AddressIds": [address_id], "InternetMaxBandwidthOut": 5})
    call("ModifyAddressAttribute", {"AddressId": address_id, "AddressName": "n"})
    hourly = {"AddressId": address_id, "InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR"}
    call("ModifyAddressInternetChargeType", {**hourly, "InternetMaxBandwidthOut": 5})
    call("DescribeAddressBandwidthRange", {"AddressIds": [address_id]})
    package = {"BandwidthPackageId": "bwp-demo0001", "ResourceIds": [address_id]}
    call("AddBandwidthPackageResources", package)
    call("MigrateBandwidthPackageResources", {**package, "TargetBandwidthPackageId": "bwp-demo0002"})
    call("RemoveBandwidthPackageResources", {**package, "BandwidthPackageId": "bwp-demo0002"})
    call("DescribeAddresses")
    call("DescribeAddressQuota")
    call("DescribeNetworkAccountType")
    in_subnet = {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001"}
    kept = call("CreateReserveIpAddresses", {**in_subnet, "IpAddressCount": 1})["ReserveIpAddressSet"][0]
    call("DescribeReserveIpAddresses")
    call("DescribeUsedIpAddress", {**in_subnet, "IpAddresses": [ip]})
    call("DeleteReserveIpAddresses", {"VpcId": "vpc-demo0001", "ReserveIpIds": [kept["ReserveIpId"]]})
    call("DescribeNetworkInterfaces")
    call("DescribeNetworkInterfaceLimit", {"InstanceId": node})
    call("DescribeVpcs")
    call("DescribeSubnets")
    nat = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayType": "NAT", "GatewayId": gateway.nat_gateway_id}
    made = call("CreateRoutes", {"RouteTableId": "rtb-demo0001", "Routes": [nat]})
    call("DescribeRouteTables")
    route = {"RouteId": made["RouteTableSet"][0]["RouteSet"][0]["RouteId"]}
    call("DeleteRoutes", {"RouteTableId": "rtb-demo0001", "Routes": [route]})
    call("DescribeNatGateways")
    for action in ("DescribeInstances", "DescribeInstanceTypeConfigs", "DescribeZones", "DescribeRegions"):
        call(action, product="cvm")
    call(
        "MigratePrivateIpAddress",
        {"SourceNetworkInterfaceId": eni, "DestinationNetworkInterfaceId": other, "PrivateIpAddress": ip},
    )
    call("DisassociateAddress", {"AddressId": address_id})
    call(
        "UnassignPrivateIpAddresses",
        {"NetworkInterfaceId": other, "PrivateIpAddresses": [{"PrivateIpAddress": ip}]},
    )
    call("ReleaseAddresses", {"AddressIds": [address_id]})
    groups = {"NetworkInterfaceIds": [eni], "SecurityGroupIds": ["sg-demo0002"]}
    call("AssociateNetworkInterfaceSecurityGroups", groups)
    call("DisassociateNetworkInterfaceSecurityGroups", groups)
    call("DetachNetworkInterface", {"NetworkInterfaceId": eni, "InstanceId": node})
    call("DeleteNetworkInterface", {"NetworkInterfaceId": eni})
    return answers


def test_every_answer_has_the_fields_and_types_of_the_typed_models(cloud):
    answers = scenario(cloud)
    assert {action for action, _product, _answer in answers} == {action.name for action in catalog.ALL}
    for action, product, answer in answers:
        models = vpc_models if product == "vpc" else cvm_models
        typed = getattr(models, f"{action}Response")()
        typed._deserialize(answer)
        assert without_nulls(json.loads(typed.to_json_string())) == without_nulls(answer), action


@pytest.mark.parametrize("action", catalog.ALL, ids=lambda action: action.name)
def test_every_action_takes_the_parameters_of_the_typed_request(action):
    models = vpc_models if action.product == "vpc" else cvm_models
    request = getattr(models, f"{action.name}Request")()
    names = {name.lstrip("_") for name in vars(request)} - {"headers"}
    assert set(action.parameters.fields) == names


def test_a_whole_life_through_typed_clients(cloud):
    node = cloud.node()
    vpc, cvm = cloud.client(vpc_client.VpcClient), cloud.client(cvm_client.CvmClient)

    def request(cls, **fields):
        made = cls()
        made.from_json_string(json.dumps(fields))
        return made

    asked = request(cvm_models.DescribeInstancesRequest, InstanceIds=[node])
    (instance,) = vpc_instances = cvm.DescribeInstances(asked).InstanceSet
    assert instance.VirtualPrivateCloud.VpcId == "vpc-demo0001"
    assert len(vpc_instances) == 1
    ordered = vpc.AllocateAddresses(
        request(vpc_models.AllocateAddressesRequest, AddressCount=1, Tags=[{"Key": "k", "Value": "v"}])
    )
    cloud.pass_time()
    task = vpc.DescribeTaskResult(request(vpc_models.DescribeTaskResultRequest, TaskId=int(ordered.TaskId)))
    assert task.Result == "SUCCESS"
    address_id = ordered.AddressSet[0]
    vpc.AssociateAddress(request(vpc_models.AssociateAddressRequest, AddressId=address_id, InstanceId=node))
    cloud.pass_time()
    asked = request(vpc_models.DescribeAddressesRequest, Filters=[{"Name": "tag:k", "Values": ["v"]}])
    (address,) = vpc.DescribeAddresses(asked).AddressSet
    assert (address.AddressStatus, address.InstanceId, address.TagSet[0].Value) == ("BIND", node, "v")
    quotas = vpc.DescribeAddressQuota(vpc_models.DescribeAddressQuotaRequest()).QuotaSet
    assert {q.QuotaId: q.QuotaCurrent for q in quotas}["TOTAL_EIP_QUOTA"] == 1
    vpc.DisassociateAddress(request(vpc_models.DisassociateAddressRequest, AddressId=address_id))
    cloud.pass_time()
    vpc.ReleaseAddresses(request(vpc_models.ReleaseAddressesRequest, AddressIds=[address_id]))
    cloud.pass_time()
    assert vpc.DescribeAddresses(vpc_models.DescribeAddressesRequest()).TotalCount == 0
