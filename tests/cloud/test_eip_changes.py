"""Changes of an EIP over the wire: one write for each step, never repeated when its outcome is not known."""

import pytest

from ipamd.core import model
from ipamd.core.claim.eip_change import (
    JoinPackage,
    LeavePackage,
    MovePackage,
    SetBandwidth,
    SetChargeType,
    SetName,
)
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from simulator.cloud import Fault, FaultKind

ONE, TWO = "bwp-demo0001", "bwp-demo0002"
HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"


@pytest.fixture
def eip_id(cloud, region):
    eip_id = cloud.allocate_eip(model.EipOrder(bandwidth_mbps=5), {"k": "v"}, "token").eip_id
    assert region.wait_idle(60)
    return eip_id


STEPS = [
    SetName(name="shop"),
    SetBandwidth(mbps=50),
    SetChargeType(charge_type=HOURLY, mbps=60),
    JoinPackage(package_id=ONE, network_type="BGP"),
    MovePackage(source=ONE, package_id=TWO),
    LeavePackage(package_id=TWO),
]


def test_each_step_shows_at_the_eip(cloud, region, eip_id):
    tasks = []
    for step in STEPS:
        tasks.append(cloud.change_eip(eip_id, step))
        assert region.wait_idle(60)
    eip = cloud.describe_eip(eip_id)
    assert (eip.name, eip.bandwidth_mbps, eip.charge_type) == ("shop", 60, "TRAFFIC_POSTPAID_BY_HOUR")
    assert eip.bandwidth_package_id == ""
    assert eip.address_type == "EIP"
    assert [bool(task) for task in tasks] == [isinstance(step, SetBandwidth) for step in STEPS]
    assert cloud.describe_eip_task(tasks[1]).value == "SUCCESS"


def test_what_is_so_already_is_no_failure(cloud, region, eip_id):
    for step in (SetChargeType(charge_type=HOURLY, mbps=5), JoinPackage(package_id=ONE, network_type="BGP")):
        cloud.change_eip(eip_id, step)
        assert region.wait_idle(60)
    assert cloud.change_eip(eip_id, JoinPackage(package_id=ONE, network_type="BGP")) == ""
    cloud.change_eip(eip_id, LeavePackage(package_id=ONE))
    assert region.wait_idle(60)
    already = SetChargeType(charge_type="TRAFFIC_POSTPAID_BY_HOUR", mbps=5)
    assert cloud.change_eip(eip_id, already) == ""


@pytest.mark.parametrize("step", STEPS[:4])
def test_a_change_whose_answer_is_lost_is_sent_once(cloud, region, eip_id, step):
    fault = Fault(kind=FaultKind.TIMEOUT_AFTER, action="*", count=1)
    region.faults.add(fault)
    with pytest.raises(CloudError) as caught:
        cloud.change_eip(eip_id, step)
    assert caught.value.kind is CloudErrorKind.UNKNOWN_OUTCOME
    sent = [entry for entry in region.audit.writes() if entry.action == caught.value.action]
    assert len(sent) == 1


def test_a_busy_eip_is_asked_again_until_it_is_free(cloud, region, eip_id):
    region.faults.add(Fault(kind=FaultKind.BUSY, action="ModifyAddressesBandwidth", count=2))
    cloud.change_eip(eip_id, SetBandwidth(mbps=50))
    assert region.wait_idle(60)
    assert cloud.describe_eip(eip_id).bandwidth_mbps == 50


def test_the_range_is_that_of_the_charge_type(cloud, region, eip_id):
    assert cloud.describe_bandwidth_range(eip_id) == (1, 100)
    cloud.change_eip(eip_id, JoinPackage(package_id=ONE, network_type="BGP"))
    assert region.wait_idle(60)
    assert cloud.describe_bandwidth_range(eip_id) == (1, 2000)
    with pytest.raises(CloudError) as caught:
        cloud.describe_bandwidth_range("eip-00000000")
    assert caught.value.kind is CloudErrorKind.NOT_FOUND


def test_a_package_that_is_full_holds_up_no_other_package(cloud, region, eip_id):
    full = Fault(
        kind=FaultKind.ERROR,
        action="AddBandwidthPackageResources",
        code="LimitExceeded.BandwidthPackageResourceQuota",
        count=1,
    )
    region.faults.add(full)
    into_one = JoinPackage(package_id=ONE, network_type="BGP")
    with pytest.raises(CloudError):
        cloud.change_eip(eip_id, into_one)
    with pytest.raises(CloudError):
        cloud.check_change("eip-00000000", into_one)
    cloud.check_change(eip_id, JoinPackage(package_id=TWO, network_type="BGP"))
