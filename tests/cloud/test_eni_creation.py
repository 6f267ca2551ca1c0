"""A new ENI on a node, or nothing that nobody knows of."""

import pytest

from ipamd.cloud.eni_creation import EXCLUSIVE_NODE_TAG, NODE_TAG
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline
from simulator.cloud import CloudRegion, CloudServer, Fault, FaultKind, RegionConfig, loopback_socket
from simulator.cloud.config import SubnetConfig, VpcConfig
from tests.cloud import scripted_http

CREATE = "CreateAndAttachNetworkInterface"


def request(node, **changes):
    wanted = {
        "instance_id": node,
        "vpc_id": "vpc-demo0001",
        "subnet_id": "subnet-demo0001",
        "security_groups": ("sg-demo0001",),
        "secondary_ips": 3,
        "tags": {"tke-clusterId": "cls-1"},
    }
    return model.EniRequest(**{**wanted, **changes})


def secondary_enis(region):
    return {eni_id for eni_id, eni in region.snapshot()["enis"].items() if not eni["primary"]}


def test_it_is_available_attached_and_tagged_when_the_call_returns(cloud, region, node, soon):
    eni = cloud.create_and_attach_eni(request(node), "token-1", soon())
    assert (eni.instance_id, eni.state, eni.primary) == (node, model.EniState.AVAILABLE, False)
    assert len(eni.addresses) == 4
    assert {address.state for address in eni.addresses} == {model.IpState.AVAILABLE}
    assert eni.tags == {"tke-clusterId": "cls-1", NODE_TAG: node}
    assert eni.security_groups == ("sg-demo0001",)
    assert secondary_enis(region) == {eni.eni_id}


def test_without_secondary_addresses_and_groups_it_has_its_own_address_only(cloud, node, soon):
    eni = cloud.create_and_attach_eni(request(node, secondary_ips=0, security_groups=()), "token-1", soon())
    assert [address.primary for address in eni.addresses] == [True]


def test_an_exclusive_eni_is_extended_and_tagged_apart(cloud, region, node, soon):
    eni = cloud.create_and_attach_eni(request(node, secondary_ips=0, exclusive=True), "token-1", soon())
    assert eni.extended
    assert eni.tags == {"tke-clusterId": "cls-1", EXCLUSIVE_NODE_TAG: node}
    assert cloud.describe_eni_limits(node, soon()).extended == 19
    assert not any(found.extended for found in cloud.describe_enis(node, soon()) if found.primary)


@pytest.mark.parametrize("fault", [FaultKind.TIMEOUT_AFTER, FaultKind.BROKEN_JSON, FaultKind.HTTP_500])
def test_a_lost_answer_makes_no_second_eni(cloud, region, node, soon, fault):
    region.faults.add(Fault(kind=fault, action=CREATE, count=2))
    eni = cloud.create_and_attach_eni(request(node), "token-1", soon())
    assert secondary_enis(region) == {eni.eni_id}


def test_the_same_token_later_gives_the_same_eni(cloud, region, node, soon):
    first = cloud.create_and_attach_eni(request(node), "token-1", soon())
    assert cloud.create_and_attach_eni(request(node), "token-1", soon()).eni_id == first.eni_id
    assert secondary_enis(region) == {first.eni_id}


def test_a_failed_task_raises_and_leaves_nothing(cloud, region, node, soon):
    region.faults.add(Fault(kind=FaultKind.TASK_FAILURE, action=CREATE))
    with pytest.raises(CloudError, match="removed again") as caught:
        cloud.create_and_attach_eni(request(node), "token-1", soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert secondary_enis(region) == set()


def test_past_the_deadline_the_eni_that_may_yet_come_is_named(cloud, region, node, soon):
    region.faults.add(
        Fault(kind=FaultKind.STALE_READ, action="DescribeNetworkInterfaces", count=None, seconds=60)
    )
    with pytest.raises(CloudError, match=r"eni-\w+ was created") as caught:
        cloud.create_and_attach_eni(request(node), "token-1", soon(0.8))
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    (left,) = secondary_enis(region)
    assert left in str(caught.value)


def test_a_full_node_is_a_quota_error(cloud, region, node, soon):
    for n in range(3):
        cloud.create_and_attach_eni(request(node, secondary_ips=0), f"token-{n}", soon())
    with pytest.raises(CloudError, match=node) as caught:
        cloud.create_and_attach_eni(request(node), "token-4", soon())
    assert caught.value.kind is CloudErrorKind.QUOTA
    assert len(secondary_enis(region)) == 3


def test_a_full_subnet_is_told_once_by_the_cloud_and_then_remembered(open_cloud, soon):
    from simulator.cloud import InstanceOrder

    small = VpcConfig(subnets=(SubnetConfig(cidr="10.0.1.0/29"),))
    with (
        CloudRegion(RegionConfig(vpc=small)) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
    ):
        node = region.create_instance(InstanceOrder(instance_type="S5.LARGE8")).instance_id
        for token in ("token-1", "token-2", "token-3"):
            with pytest.raises(CloudError, match="subnet-demo0001") as caught:
                cloud.create_and_attach_eni(request(node, secondary_ips=8), token, soon())
            assert caught.value.kind is CloudErrorKind.SUBNET_FULL
        assert region.audit.calls()[CREATE] == 1


def test_an_eni_whose_removal_fails_too_is_named_with_the_reason(open_cloud, serve, soon):
    """The simulated region removes the ENI of a failed task by itself; a cloud that does not is scripted."""

    def handler(asked):
        if asked.action == CREATE:
            return {"NetworkInterface": {"NetworkInterfaceId": "eni-stuck001"}}
        if asked.action == "DescribeVpcTaskResult":
            return {"Status": "FAILED" if asked.params["TaskId"] == "r-scripted" else "SUCCESS"}
        if asked.action == "DetachNetworkInterface":
            return {"Error": {"Code": "ResourceNotFound", "Message": "no such attachment"}}
        if asked.action == "DeleteNetworkInterface":
            return {"Error": {"Code": "ResourceInUse", "Message": "eni-stuck001 is in use"}}
        row = {"NetworkInterfaceId": "eni-stuck001", "State": "AVAILABLE", "Attachment": None}
        return {"TotalCount": 1, "NetworkInterfaceSet": [row]}

    cloud = open_cloud(serve(scripted_http.api(handler)).url)
    with pytest.raises(CloudError, match="eni-stuck001 is left and must be deleted") as caught:
        cloud.create_and_attach_eni(request("ins-12345678"), "token-1", soon())
    assert caught.value.kind is CloudErrorKind.TASK_FAILED
    assert "ResourceInUse" in str(caught.value)


class Waiting:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def listing(present):
    """A cloud that makes an ENI and lists it while `present()`; it does not know what is deleted."""

    def handler(asked):
        if asked.action in (CREATE, "AttachNetworkInterface"):
            return {"NetworkInterface": {"NetworkInterfaceId": "eni-brief001"}}
        if asked.action == "DescribeVpcTaskResult":
            return {"Status": "SUCCESS"}
        if asked.action in ("DetachNetworkInterface", "DeleteNetworkInterface"):
            return {"Error": {"Code": "ResourceNotFound", "Message": "no such ENI"}}
        address = {"PrivateIpAddress": "10.0.1.9", "Primary": True, "State": "AVAILABLE"}
        row = {
            "NetworkInterfaceId": "eni-brief001",
            "State": "AVAILABLE",
            "Attachment": {"InstanceId": "ins-12345678"},
            "PrivateIpAddressSet": [address],
        }
        found = [row] if present() else []
        return {"TotalCount": len(found), "NetworkInterfaceSet": found}

    return handler


@pytest.mark.parametrize(
    "asked_for",
    [
        lambda cloud, until: cloud.create_and_attach_eni(request("ins-12345678"), "token-1", until),
        lambda cloud, until: cloud.attach_eni("eni-brief001", "ins-12345678", until),
    ],
    ids=["created on a CVM", "attached"],
)
def test_an_eni_that_somebody_deletes_meanwhile_is_not_waited_for_until_the_deadline(
    open_cloud, serve, asked_for
):
    waiting = Waiting()
    url = serve(scripted_http.api(listing(lambda: False))).url
    cloud = open_cloud(url, {"clock": waiting.clock, "sleep": waiting.sleep})

    with pytest.raises(CloudError, match=r"ENI eni-brief001 has not been listed for .* deleted it") as caught:
        asked_for(cloud, Deadline.after(120.0, waiting.clock))

    assert caught.value.kind is CloudErrorKind.TASK_FAILED, "its outcome is known: it is not asked for again"
    assert waiting.now < 20.0


def test_a_listing_that_is_some_seconds_behind_is_waited_for(open_cloud, serve):
    waiting = Waiting()
    url = serve(scripted_http.api(listing(lambda: waiting.now > 10.0))).url
    cloud = open_cloud(url, {"clock": waiting.clock, "sleep": waiting.sleep})

    eni = cloud.create_and_attach_eni(
        request("ins-12345678"), "token-1", Deadline.after(120.0, waiting.clock)
    )

    assert eni.eni_id == "eni-brief001"
