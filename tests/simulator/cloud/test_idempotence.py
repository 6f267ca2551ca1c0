"""ClientToken: what a repeated request gets and does."""

import threading

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from simulator.cloud import Fault, FaultKind

NEW = {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001", "NetworkInterfaceName": "x"}


def test_a_repeated_order_gives_the_same_eip(cloud):
    first = cloud.call("AllocateAddresses", {"ClientToken": "t-1"})
    again = cloud.call("AllocateAddresses", {"ClientToken": "t-1"})
    assert (again["AddressSet"], again["TaskId"]) == (first["AddressSet"], first["TaskId"])
    assert again["RequestId"] != first["RequestId"]
    assert len(cloud.region.snapshot()["addresses"]) == 1
    assert [entry.replayed for entry in cloud.region.audit.writes()] == [False, True]


def test_without_a_token_every_order_is_new(cloud):
    assert cloud.call("AllocateAddresses")["AddressSet"] != cloud.call("AllocateAddresses")["AddressSet"]


def test_a_token_is_kept_for_one_action_and_a_day(cloud):
    first = cloud.call("AllocateAddresses", {"ClientToken": "t-1"})["AddressSet"]
    eni = cloud.call("CreateNetworkInterface", {**NEW, "ClientToken": "t-1"})["NetworkInterface"]
    assert eni["NetworkInterfaceId"]
    cloud.pass_time(86400)
    assert cloud.call("AllocateAddresses", {"ClientToken": "t-1"})["AddressSet"] != first


def test_a_token_with_other_parameters_is_refused(cloud):
    cloud.call("AllocateAddresses", {"ClientToken": "t-1"})
    code = cloud.refused("AllocateAddresses", {"ClientToken": "t-1", "InternetMaxBandwidthOut": 5})
    assert code == "InvalidParameterConflict"
    cloud.call("CreateNetworkInterface", {**NEW, "ClientToken": "t-2"})
    code = cloud.refused("CreateNetworkInterface", {**NEW, "ClientToken": "t-2", "QosLevel": "PT"})
    assert code == "UnsupportedOperation.IdempotentParameterMismatch"


def test_a_refused_request_does_not_use_its_token_up(cloud):
    cloud.region.set_balance_ok(False)
    assert cloud.refused("AllocateAddresses", {"ClientToken": "t-1"}) == "FailedOperation.BalanceInsufficient"
    cloud.region.set_balance_ok(True)
    assert cloud.call("AllocateAddresses", {"ClientToken": "t-1"})["AddressSet"]


def test_the_task_is_found_by_the_request_id_of_a_repeat(cloud):
    node = cloud.node()
    request = {**NEW, "InstanceId": node, "ClientToken": "t-1"}
    first = cloud.call("CreateAndAttachNetworkInterface", request)
    again = cloud.call("CreateAndAttachNetworkInterface", request)
    assert again["NetworkInterface"]["NetworkInterfaceId"] == first["NetworkInterface"]["NetworkInterfaceId"]
    assert cloud.vpc_task(again) == "RUNNING"
    cloud.pass_time()
    assert cloud.vpc_task(first) == cloud.vpc_task(again) == "SUCCESS"


def test_assignments_attachments_and_detachments_have_tokens_too(cloud):
    node = cloud.node()
    eni = cloud.eni()
    attach = {"NetworkInterfaceId": eni, "InstanceId": node, "ClientToken": "t"}
    for action in ("AttachNetworkInterface", "DetachNetworkInterface"):
        cloud.call(action, attach)
        cloud.call(action, attach)
        cloud.pass_time()
        cloud.call(action, attach)
    assign = {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 2, "ClientToken": "t"}
    first = cloud.call("AssignPrivateIpAddresses", assign)
    again = cloud.call("AssignPrivateIpAddresses", assign)
    assert first["PrivateIpAddressSet"] == again["PrivateIpAddressSet"]
    assert len(cloud.ips(eni)) == 2


def test_a_failed_delivery_needs_a_new_token(cloud):
    cloud.region.faults.add(
        Fault(
            kind=FaultKind.ERROR,
            action="AllocateAddresses",
            code="UnsupportedOperation.DeliveryFailed",
            message="发货失败",
        )
    )
    for _ in range(3):
        code = cloud.refused("AllocateAddresses", {"ClientToken": "t-1"})
        assert code == "UnsupportedOperation.DeliveryFailed"
    assert cloud.region.snapshot()["addresses"] == {}
    assert cloud.call("AllocateAddresses", {"ClientToken": "t-2"})["AddressSet"]


def in_background(cloud, action, request):
    """Begin a call that an injected delay holds up; give its thread and where its answer will be."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(cloud.call(action, request)))
    thread.start()
    while not cloud.region.faults.injected().get(f"latency:{action}"):
        thread.join(0.01)
    return thread, answers


def test_a_repeat_while_the_first_is_in_progress_is_told_so(cloud):
    request = {**NEW, "ClientToken": "t-1"}
    cloud.region.faults.add(Fault(kind=FaultKind.LATENCY, action="CreateNetworkInterface", seconds=0.5))
    thread, answers = in_background(cloud, "CreateNetworkInterface", request)
    code = cloud.refused("CreateNetworkInterface", request)
    thread.join()
    assert code == "UnsupportedOperation.IdempotentProcessing"
    again = cloud.call("CreateNetworkInterface", request)
    assert again["NetworkInterface"] == answers[0]["NetworkInterface"]


def test_a_repeated_eip_order_waits_for_the_first(cloud):
    request = {"ClientToken": "t-1"}
    cloud.region.faults.add(Fault(kind=FaultKind.LATENCY, action="AllocateAddresses", seconds=0.3))
    thread, answers = in_background(cloud, "AllocateAddresses", request)
    again = cloud.call("AllocateAddresses", request)
    thread.join()
    assert again["AddressSet"] == answers[0]["AddressSet"]


def test_a_client_that_timed_out_finds_what_it_ordered(cloud):
    request = {"ClientToken": "t-1"}
    cloud.region.faults.add(Fault(kind=FaultKind.TIMEOUT_AFTER, action="AllocateAddresses"))
    with pytest.raises(TencentCloudSDKException) as lost:
        cloud.call("AllocateAddresses", request)
    assert lost.value.code == "ClientNetworkError"
    (address_id,) = cloud.call("AllocateAddresses", request)["AddressSet"]
    assert list(cloud.region.snapshot()["addresses"]) == [address_id]
