"""Two clusters whose Pods have fixed addresses of one subnet: neither takes what is the other's.

The clusters know nothing of each other: API servers, controllers and tags are different, the region is one.
"""

import contextlib
import time

import pytest

from ipamd.core import model, tags
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.timing.deadline import Deadline
from simulator.cloud.config import SubnetConfig, VpcConfig
from simulator.kube import KubeServer, Store, listen
from tests.controller.vpc_ips.fixed_world import SUBNET, VPC, FixedWorld
from tests.controller.world import World

SECOND = "cls-other"
SWEEP = SweepTerms(mode=SweepMode.RELEASE, interval=0.2, age=0.5)


@pytest.fixture
def settings():
    """A subnet of 13 addresses."""
    return {"vpc": VpcConfig(subnets=(SubnetConfig(cidr="10.0.1.0/28"),))}


@pytest.fixture
def first(world):
    return FixedWorld(world)


@pytest.fixture
def second(world):
    with (
        KubeServer(Store(), [listen()], bookmark_seconds=1.0) as kube,
        contextlib.closing(World(kube, world.region, world.cloud_url)) as other,
    ):
        yield FixedWorld(other, SECOND)


@pytest.fixture
def start(first, second):
    """Returns what starts a controller and a node with the same names in both clusters."""

    def start(**options):
        for cluster in (first, second):
            cluster.world.start_controller(cluster_id=cluster.cluster_id, **options)
            cluster.add_node("node-1")

    return start


def addresses(cluster, *names):
    return {cluster.wait_address(name).address.ip for name in names}


def test_claims_of_the_same_names_have_different_addresses_and_reservations(first, second, start):
    start()
    for cluster in (first, second):
        for name in ("web-0", "web-1"):
            cluster.create_pod(name)

    ours, theirs = (addresses(cluster, "web-0", "web-1") for cluster in (first, second))

    assert len(ours | theirs) == 4
    for cluster, ips in ((first, ours), (second, theirs)):
        assert {kept.ip for kept in cluster.reservations().values()} == ips
        assert set(cluster.lines()) == ips


def test_an_address_of_the_other_cluster_cannot_be_nominated(first, second, start):
    start()
    first.create_pod("web-0")
    ip = first.assign("web-0")
    first.unassign("web-0")  # no Pod has it now

    second.create_pod("db-0", nominated_vpc_ip=ip)

    second.world.wait(lambda: second.condition("db-0", "Ready").get("reason") == "AddressTaken")
    (kept,) = first.reservations().values()
    assert kept.reservation_id in second.condition("db-0", "Ready")["message"]
    assert second.claim("db-0").address is None


def test_an_address_without_pod_is_given_to_no_node_of_the_other_cluster(first, second, start):
    start()
    first.create_pod("web-0")
    ip = first.assign("web-0")
    first.world.remove_pod("web-0")
    first.unassign("web-0")

    # The warm pool of the other cluster's node takes all that it can get.
    deadline = Deadline.after(20.0, time.monotonic)
    taken = [second.cloud.assign_ips(second.enis["node-1"], 1, f"warm-{n}", deadline) for n in range(5)]

    assert (ip,) not in taken
    first.create_pod("web-0")
    assert first.assign("web-0") == ip


def test_a_cluster_that_cannot_reserve_leaves_reserved_addresses_alone(first, second, start):
    """Its own book knows nothing of them, the VPC does."""
    start()
    names = [f"web-{number}" for number in range(4)]
    for name in names:
        first.create_pod(name)
    ours = addresses(first, *names)
    first.world.region.accounts.set_policy("demo", deny=("vpc:CreateReserveIpAddresses",))

    for name in ("db-0", "db-1"):
        second.create_pod(name)
    theirs = addresses(second, "db-0", "db-1")

    assert second.reservations() == {}
    assert second.condition("db-0", "Reserved")["reason"] == "PermissionDenied"
    assert not ours & theirs


def test_the_sweep_of_one_cluster_releases_nothing_of_the_other(first, second, start):
    start(sweep=SWEEP)
    first.create_pod("web-0")
    second.create_pod("db-0")
    (ours,), (theirs,) = addresses(first, "web-0"), addresses(second, "db-0")
    first.world.stop_controller(first.world.replicas[-1])
    cloud = second.cloud
    for cluster_id in (first.cluster_id, SECOND):
        orphan = tags.of_vpc_ip_claim(cluster_id, "nobody")
        order = model.ReservationOrder(vpc_id=VPC, subnet_id=SUBNET, name="orphan", tags=orphan)
        cloud.reserve_ip(order, f"orphan-of-{cluster_id}")

    second.world.wait(lambda: [kept.ip for kept in second.reservations().values()] == [theirs])

    of_first = cloud.describe_reservations(tags={tags.CLUSTER_ID: first.cluster_id})
    assert len(of_first) == 2
    assert ours in {kept.ip for kept in of_first}
