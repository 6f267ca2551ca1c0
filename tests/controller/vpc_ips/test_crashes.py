"""The controller is killed in each step for a fixed address; the next one finishes, with one address.

As `tests.controller.test_crashes`: a step is caught by holding its request, which is carried out or not.
"""

import pytest

from simulator.cloud import FaultKind as CloudFaultKind
from tests.controller.test_crashes import die_while, held_by_cloud, held_by_cluster
from tests.controller.vpc_ips.fixed_world import FixedWorld

BIRTH = {
    "creating the claim": held_by_cluster("create", "vpcipclaims"),
    "looking at subnets": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DescribeSubnets"),
    "writing the order": held_by_cluster("patch", "vpcipclaims/status"),
    "before the reservation": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "CreateReserveIpAddresses"),
    "after the reservation": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "CreateReserveIpAddresses"),
    "writing into the book": held_by_cluster("create", "vpcips"),
    "bringing the book in step": held_by_cluster("patch", "vpcips/status"),
}
DEATH = {
    "listing the book": held_by_cluster("list", "vpcips"),
    "looking at reservations": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DescribeReserveIpAddresses"),
    "before the release": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DeleteReserveIpAddresses"),
    "after the release": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "DeleteReserveIpAddresses"),
    "striking the line": held_by_cluster("delete", "vpcips"),
    "dropping the line's finalizer": held_by_cluster("patch", "vpcips"),
    "dropping the claim's finalizer": held_by_cluster("patch", "vpcipclaims"),
}


@pytest.fixture
def fixed(world) -> FixedWorld:
    """Nodes and agents; the controllers are processes of the test."""
    found = FixedWorld(world)
    world.new_controller()  # is never started: it lends its access to the cloud
    found.add_node("node-1")
    return found


@pytest.mark.parametrize("step", BIRTH)
def test_killed_while_the_pod_gets_its_address(fixed, start, step):
    fixed.create_pod("web-0")
    die_while(fixed.world, start, BIRTH[step])

    start()

    fixed.world.wait(lambda: (c := fixed.claim("web-0")) and c.address)
    address = fixed.claim("web-0").address
    fixed.world.wait(lambda: fixed.lines()[address.ip].status.get("phase") == "Available")
    assert set(fixed.reservations()) == {address.reservation_id}
    assert set(fixed.lines()) == {address.ip}


@pytest.mark.parametrize("step", DEATH)
def test_killed_while_the_address_is_given_back(fixed, start, step):
    fixed.create_pod("web-0")
    before = start()
    fixed.world.wait(lambda: (c := fixed.claim("web-0")) and c.address)
    ip = fixed.claim("web-0").address.ip
    fixed.world.wait(lambda: fixed.lines()[ip].status.get("phase") == "Available")
    assert before.end() == 0
    fixed.world.remove_pod("web-0")
    fixed.delete_claim("web-0")
    die_while(fixed.world, start, DEATH[step])

    start()

    fixed.world.wait(lambda: fixed.claim("web-0") is None)
    assert fixed.reservations() == {}
    assert fixed.lines() == {}
