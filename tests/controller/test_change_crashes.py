"""The controller's process is killed in the middle of a change; the next one finishes without a second one.

Real processes with their flags, in the manner of test_crashes.
"""

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.claim.change_record import CONFIRM
from ipamd.kube.resources import EIPCLAIMS
from simulator.cloud import FaultKind
from tests.controller.test_crashes import die_while, held_by_cloud, held_by_cluster

HOURLY = "BANDWIDTH_POSTPAID_BY_HOUR"
BANDWIDTH = {
    "looking at the EIP": held_by_cloud(FaultKind.TIMEOUT_BEFORE, "DescribeAddresses"),
    "asking for the range": held_by_cloud(FaultKind.TIMEOUT_BEFORE, "DescribeAddressBandwidthRange"),
    "writing the claim's status": held_by_cluster("patch", "eipclaims/status"),
    "after the change": held_by_cloud(FaultKind.TIMEOUT_AFTER, "ModifyAddressesBandwidth"),
    "asking for the task": held_by_cloud(FaultKind.TIMEOUT_BEFORE, "DescribeTaskResult"),
}
CHARGE_TYPE = {
    "looking at the EIP": BANDWIDTH["looking at the EIP"],
    "writing the claim's status": BANDWIDTH["writing the claim's status"],
    "after the change": held_by_cloud(FaultKind.TIMEOUT_AFTER, "ModifyAddressInternetChargeType"),
}


@pytest.fixture
def settled(world, start):
    """A claim with an EIP, and no controller."""
    world.create_pod("web-0", {"eip-attributes": '{"Bandwidth":"5"}'})
    process = start()
    claim = world.wait(lambda: (c := world.claim("web-0")) and c.address and c)
    assert process.end() == 0
    return claim


def edit(world, annotations=None, **attributes):
    body = {"metadata": {"annotations": annotations or {}}, "spec": {"attributes": attributes}}
    world.client.patch(EIPCLAIMS, "web-0", body, "default")


def changed(world):
    conditions = world.claim("web-0").conditions
    return eipclaim.condition(conditions, eipclaim.UP_TO_DATE).get("reason") == "Changed"


def accepted(world, action):
    return [entry for entry in world.region.audit.writes() if entry.action == action and not entry.code]


@pytest.mark.parametrize("step", BANDWIDTH)
def test_killed_while_the_bandwidth_is_changed(world, start, settled, step):
    edit(world, bandwidthMbps=50)
    die_while(world, start, BANDWIDTH[step])

    start()

    world.wait(lambda: changed(world))
    assert world.eips()[settled.address.eip_id]["bandwidth"] == 50
    assert world.claim("web-0").address == settled.address
    assert len(accepted(world, "ModifyAddressesBandwidth")) == 1


@pytest.mark.parametrize("step", CHARGE_TYPE)
def test_killed_while_the_charge_type_is_changed(world, start, settled, step):
    edit(world, {CONFIRM: HOURLY}, chargeType=HOURLY)
    die_while(world, start, CHARGE_TYPE[step])

    start()

    world.wait(lambda: changed(world))
    eip = world.eips()[settled.address.eip_id]
    assert (eip["charge_type"], eip["charge_changes"]) == (HOURLY, 1)
    assert world.claim("web-0").confirmed == ""
    assert len(accepted(world, "ModifyAddressInternetChargeType")) == 1
