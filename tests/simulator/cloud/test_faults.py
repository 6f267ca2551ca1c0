"""Every kind of fault, from the client's side, and how faults are set."""

import time

import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from simulator.cloud import Fault, FaultKind, faults


def inject(cloud, kind, action="*", **options):
    return cloud.region.faults.add(Fault(kind=FaultKind(kind), action=action, **options))


def eip_count(cloud):
    return len(cloud.region.snapshot()["addresses"])


def test_throttling_in_the_words_of_each_product(cloud):
    inject(cloud, "throttle", "AllocateAddresses")
    inject(cloud, "throttle", "AssignPrivateIpAddresses")
    assert cloud.refused("AllocateAddresses") == "RequestLimitExceeded"
    eni = cloud.eni()
    params = {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 1}
    assert cloud.refused("AssignPrivateIpAddresses", params) == "LimitExceeded.ActionLimited"
    assert cloud.call("AllocateAddresses")["AddressSet"]
    assert cloud.region.snapshot()["faults_injected"] == {
        "throttle:AllocateAddresses": 1,
        "throttle:AssignPrivateIpAddresses": 1,
    }


def test_any_error_code(cloud):
    inject(cloud, "error", "AllocateAddresses", code="UnsupportedOperation.OfflineChargeType", message="no")
    assert cloud.refused("AllocateAddresses") == "UnsupportedOperation.OfflineChargeType"
    assert eip_count(cloud) == 0


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("AssociateAddress", {"AddressId": "eip-00000000"}, "OperationDenied.MutexTaskRunning"),
        ("ReleaseAddresses", {"AddressIds": ["eip-00000000"]}, "OperationDenied.MutexTaskRunning"),
        (
            "UnassignPrivateIpAddresses",
            {"NetworkInterfaceId": "eni-00000000", "PrivateIpAddresses": []},
            "UnsupportedOperation.MutexOperationTaskRunning",
        ),
        (
            "DeleteNetworkInterface",
            {"NetworkInterfaceId": "eni-00000000"},
            "UnsupportedOperation.InvalidState",
        ),
    ],
)
def test_busy_in_the_words_of_each_action(cloud, action, params, code):
    inject(cloud, "busy", action)
    assert cloud.refused(action, params) == code


def test_latency_delays_the_answer(cloud):
    inject(cloud, "latency", "DescribeAddresses", seconds=0.2)
    begun = time.monotonic()
    cloud.call("DescribeAddresses")
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(("kind", "left"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_connection_that_closes_without_an_answer(cloud, kind, left):
    inject(cloud, kind, "AllocateAddresses")
    with pytest.raises(TencentCloudSDKException) as caught:
        cloud.call("AllocateAddresses")
    assert caught.value.code == "ClientNetworkError"
    assert eip_count(cloud) == left


@pytest.mark.parametrize(("kind", "left"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_client_that_gives_up_waiting(cloud, kind, left):
    inject(cloud, kind, "AllocateAddresses", seconds=30)
    with pytest.raises(TencentCloudSDKException, match="timed out"):
        cloud.call("AllocateAddresses", timeout=0.2)
    assert eip_count(cloud) == left


def test_closing_the_server_ends_injected_waiting(cloud):
    inject(cloud, "timeout_before", "DescribeAddresses", seconds=300)
    with pytest.raises(TencentCloudSDKException):
        cloud.call("DescribeAddresses", timeout=0.1)
    begun = time.monotonic()
    cloud.server.close()
    assert time.monotonic() - begun < 5


def test_an_http_error(cloud):
    inject(cloud, "http_500", "AllocateAddresses")
    with pytest.raises(TencentCloudSDKException) as caught:
        cloud.call("AllocateAddresses")
    assert caught.value.code == "ServerNetworkError"
    assert eip_count(cloud) == 0


def test_an_answer_that_is_cut(cloud):
    inject(cloud, "broken_json", "AllocateAddresses")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        cloud.call("AllocateAddresses")
    assert eip_count(cloud) == 1


def test_an_answer_without_a_date(cloud):
    inject(cloud, "no_date", "DescribeAddresses")
    url, headers = f"http://{cloud.server.endpoint}/", {"X-TC-Action": "DescribeAddresses"}
    dated = ["Date" in urllib3.request("POST", url, json={}, headers=headers).headers for _ in range(2)]
    assert dated == [False, True]


def test_a_refused_call_does_not_use_up_a_fault_of_its_answer(cloud):
    inject(cloud, "timeout_after", "AllocateAddresses")
    assert cloud.refused("AllocateAddresses", {"AddressCount": 0}) == "InvalidParameterValue.Range"
    with pytest.raises(TencentCloudSDKException):
        cloud.call("AllocateAddresses")


def test_fewer_addresses_than_asked_for(cloud):
    eni = cloud.eni(cloud.node())
    inject(cloud, "partial", "AssignPrivateIpAddresses", count_given=2)
    params = {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 5}
    answer = cloud.call("AssignPrivateIpAddresses", params)
    assert len(answer["PrivateIpAddressSet"]) == 2
    cloud.pass_time()
    assert len(cloud.ips(eni)) == 2
    assert cloud.vpc_task(answer) == "SUCCESS"


def begin(cloud, action, *, doomed=True):
    """Begin `action` on something that is ready for it; give its answer and the id to look at."""
    node = cloud.node()
    eni = cloud.eni(node, secondaries=1)
    free = cloud.eni(secondaries=1)
    address_id = cloud.eip()
    ip = {"PrivateIpAddress": cloud.ips(eni)[0]}
    new = {"VpcId": "vpc-demo0001", "SubnetId": "subnet-demo0001", "NetworkInterfaceName": "x"}
    if action in ("DisassociateAddress", "UnassignPrivateIpAddresses", "MigratePrivateIpAddress"):
        cloud.bind(address_id, eni, ip["PrivateIpAddress"])
    if action == "DeleteNetworkInterface":
        cloud.bind(address_id, free, cloud.ips(free)[0])
    requests = {
        "AllocateAddresses": {},
        "ReleaseAddresses": {"AddressIds": [address_id]},
        "AssociateAddress": {"AddressId": address_id, "NetworkInterfaceId": eni, **ip},
        "DisassociateAddress": {"AddressId": address_id},
        "ModifyAddressesBandwidth": {"AddressIds": [address_id], "InternetMaxBandwidthOut": 9},
        "CreateNetworkInterface": new,
        "CreateAndAttachNetworkInterface": {**new, "InstanceId": node},
        "AttachNetworkInterface": {"NetworkInterfaceId": free, "InstanceId": node},
        "DetachNetworkInterface": {"NetworkInterfaceId": eni, "InstanceId": node},
        "DeleteNetworkInterface": {"NetworkInterfaceId": free},
        "AssignPrivateIpAddresses": {"NetworkInterfaceId": eni, "SecondaryPrivateIpAddressCount": 2},
        "UnassignPrivateIpAddresses": {"NetworkInterfaceId": eni, "PrivateIpAddresses": [ip]},
        "MigratePrivateIpAddress": {
            "SourceNetworkInterfaceId": eni,
            "DestinationNetworkInterfaceId": free,
            **ip,
        },
    }
    before = cloud.region.snapshot()
    if doomed:
        inject(cloud, "task_failure", action)
    return cloud.call(action, requests[action]), before


ASYNCHRONOUS = [
    "AllocateAddresses",
    "ReleaseAddresses",
    "AssociateAddress",
    "DisassociateAddress",
    "ModifyAddressesBandwidth",
    "CreateNetworkInterface",
    "CreateAndAttachNetworkInterface",
    "AttachNetworkInterface",
    "DetachNetworkInterface",
    "DeleteNetworkInterface",
    "AssignPrivateIpAddresses",
    "UnassignPrivateIpAddresses",
    "MigratePrivateIpAddress",
]


@pytest.mark.parametrize("action", ASYNCHRONOUS)
def test_a_failed_task_leaves_everything_as_it_was(cloud, action):
    answer, before = begin(cloud, action)
    ports, ips, eips = dict(cloud.fabric.ports), dict(cloud.fabric.ips), dict(cloud.fabric.eips)
    cloud.pass_time()
    assert (cloud.task(answer) if "TaskId" in answer else cloud.vpc_task(answer)) == "FAILED"
    after = cloud.region.snapshot()
    for eni in (*before["enis"].values(), *after["enis"].values()):
        del eni["attached_at"]  # the moment of the last attempt
    for kind in ("addresses", "enis", "instances"):
        assert after[kind] == before[kind]
    assert (cloud.fabric.ports, cloud.fabric.ips, cloud.fabric.eips) == (ports, ips, eips)


@pytest.mark.parametrize("action", ASYNCHRONOUS)
def test_the_same_task_without_the_fault_succeeds(cloud, action):
    answer, before = begin(cloud, action, doomed=False)
    cloud.pass_time()
    assert (cloud.task(answer) if "TaskId" in answer else cloud.vpc_task(answer)) == "SUCCESS"
    after = cloud.region.snapshot()
    assert (after["addresses"], after["enis"]) != (before["addresses"], before["enis"])


def test_a_stale_read_answers_from_the_past(cloud):
    cloud.eip()
    inject(cloud, "stale_read", "DescribeAddresses", seconds=5, count=None)
    eni = cloud.eni(cloud.node(), secondaries=1)
    address_id = cloud.call("AllocateAddresses")["AddressSet"][0]
    assert cloud.status(address_id) == ""
    cloud.pass_time(4)
    assert cloud.status(address_id) == ""
    cloud.pass_time(1.5)
    assert cloud.status(address_id) == "CREATING"
    cloud.bind(address_id, eni, cloud.ips(eni)[0])
    cloud.pass_time(3)
    assert cloud.status(address_id) == "UNBIND"
    cloud.pass_time(2.5)
    assert cloud.status(address_id) == "BIND"


def test_a_stale_read_is_at_most_as_old_as_the_fault(cloud):
    address_id = cloud.eip()
    cloud.pass_time(100)
    inject(cloud, "stale_read", "DescribeAddresses", seconds=60, count=None)
    assert cloud.status(address_id) == "UNBIND"
    cloud.call("ReleaseAddresses", {"AddressIds": [address_id]})
    cloud.pass_time()
    assert cloud.status(address_id) == "UNBIND"
    cloud.region.faults.clear()
    assert cloud.status(address_id) == ""


def test_a_stale_read_of_one_action_leaves_the_others_fresh(cloud):
    inject(cloud, "stale_read", "DescribeAddresses", seconds=60)
    answer = cloud.call("AllocateAddresses")
    assert cloud.task(answer) == "RUNNING"
    assert cloud.status(answer["AddressSet"][0]) == ""
    assert cloud.status(answer["AddressSet"][0]) == "CREATING"


def test_a_count_is_used_up_and_a_fault_without_one_is_not(cloud):
    inject(cloud, "throttle", "DescribeAddresses", count=2)
    assert [cloud.refused("DescribeAddresses") for _ in range(2)] == ["RequestLimitExceeded"] * 2
    cloud.call("DescribeAddresses")
    number = inject(cloud, "throttle", count=None)
    for _ in range(3):
        cloud.refused("DescribeSubnets")
    cloud.region.faults.remove(number)
    cloud.call("DescribeSubnets")


@given(st.integers(0, 1000), st.floats(0.05, 0.95))
def test_the_same_seed_hits_the_same_calls(seed, probability):
    def hits():
        plan = faults.FaultPlan(seed)
        plan.add(Fault(kind=FaultKind.THROTTLE, probability=probability, count=None))
        return [plan.take("A", FaultKind.THROTTLE) is not None for _ in range(50)]

    assert hits() == hits()


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 40))
def test_faults_with_counts_hit_exactly_so_often(counts, calls):
    plan = faults.FaultPlan()
    for count in counts:
        plan.add(Fault(kind=FaultKind.THROTTLE, count=count))
    hit = sum(plan.take("A", FaultKind.THROTTLE) is not None for _ in range(calls))
    assert hit == min(calls, sum(counts))
    assert plan.injected().get("throttle:A", 0) == hit


def test_faults_from_json():
    plan = faults.FaultPlan()
    state = faults.apply(
        plan, {"add": [{"kind": "throttle", "count": None}, {"kind": "latency", "seconds": 1}]}
    )
    assert state["added"] == [1, 2]
    assert state["in_force"]["2"]["seconds"] == 1
    state = faults.apply(plan, {"remove": [1]})
    assert list(state["in_force"]) == ["2"]
    assert faults.apply(plan, {"clear": True, "seed": 7})["in_force"] == {}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"ad": []}, "'ad'"),
        ({"add": [{"kind": "fire"}]}, "kind must be one of throttle"),
        ({"add": [{"kind": "error", "colour": 1}]}, "'colour'"),
        ({"add": [{"kind": "error", "action": 1}]}, "action must be a string"),
        ({"add": [{"kind": "error", "count": -1}]}, "count must be"),
        ({"add": [{"kind": "error", "count": True}]}, "count must be"),
        ({"add": [{"kind": "latency", "seconds": "1"}]}, "seconds must be"),
        ({"add": [{"kind": "latency", "probability": -0.5}]}, "probability must be"),
    ],
)
def test_a_fault_that_is_described_wrongly_is_named_and_nothing_changes(document, words):
    plan = faults.FaultPlan()
    with pytest.raises(faults.FaultError, match=words):
        faults.apply(plan, {"clear": True, **document} if "add" in document else document)
    assert plan.in_force() == {}
