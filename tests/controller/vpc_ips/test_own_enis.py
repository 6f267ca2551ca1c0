"""ENIs of the Pods' own on a simulated cluster and region: made, moved, lost, given back; with their EIPs."""

import time

import pytest

from ipamd.core import tags
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.kube.resources import EIPCLAIMS, NODES
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from tests.controller.test_crashes import die_while, held_by_cloud, held_by_cluster
from tests.controller.vpc_ips.fixed_world import EXCLUSIVE, SUBNET, FixedWorld
from tests.controller.vpc_ips.test_sweep import take_away

EIP = {"eip_attributes": "", "eip_claim_delete_policy": "Never"}


def test_a_pod_gets_an_eni_that_is_attached_to_nothing(fixed):
    fixed.create_pod("web-0", **EXCLUSIVE)

    claim = fixed.wait_address("web-0")

    assert claim.exclusive
    [(eni_id, eni)] = fixed.own_enis().items()
    assert (claim.address.eni_id, claim.address.ip) == (eni_id, eni.primary_ip)
    assert (claim.address.subnet_id, claim.address.zone) == (SUBNET, "ap-guangzhou-3")
    assert (eni.instance_id, eni.tags[tags.VPC_IP_CLAIM_UID]) == ("", claim.uid)
    assert fixed.reservations() == {}
    line = fixed.world.wait(lambda: fixed.lines()[claim.address.ip].status.get("eniID") and fixed.lines())
    assert line[claim.address.ip].claim_uid == claim.uid
    assert fixed.condition("web-0", "Reserved")["status"] == "True"


def test_a_nominated_address_is_the_enis_own(fixed):
    fixed.create_pod("web-0", nominated_vpc_ip="10.0.1.77", networks="tke-direct-eni")

    assert fixed.wait_address("web-0").address.ip == "10.0.1.77"
    [eni] = fixed.own_enis().values()
    assert eni.primary_ip == "10.0.1.77"


def test_an_address_is_one_claims_whatever_its_network(fixed):
    fixed.create_pod("web-0", nominated_vpc_ip="10.0.1.77")
    fixed.wait_address("web-0")
    fixed.create_pod("web-1", nominated_vpc_ip="10.0.1.77", networks="tke-direct-eni")

    fixed.world.wait(lambda: fixed.condition("web-1", "Ready").get("reason") == "AddressTaken")

    assert fixed.own_enis() == {}


def test_a_refused_eni_is_told_with_what_to_do(fixed):
    fixed.world.region.faults.add(
        CloudFault(
            kind=CloudFaultKind.ERROR, action="CreateNetworkInterface", code="LimitExceeded", count=None
        )
    )
    fixed.create_pod("web-0", **EXCLUSIVE)

    fixed.world.wait(lambda: fixed.condition("web-0", "Ready").get("reason") == "QuotaExceeded")

    assert "quota" in fixed.condition("web-0", "Ready")["message"]
    assert fixed.own_enis() == {}
    assert fixed.reservations() == {}


def test_the_next_pod_gets_the_eni_on_another_node_and_the_eip_never_leaves_it(fixed):
    fixed.create_pod("web-0", **EXCLUSIVE, **EIP)
    eni_id = fixed.attach("web-0")
    claim = fixed.claim("web-0")
    eip_id = fixed.world.wait_provisioned("web-0").address.eip_id
    fixed.world.bind("web-0", eni_id=eni_id, ip=claim.address.ip, node="node-1")
    fixed.world.remove_pod("web-0")
    fixed.create_pod("web-0", "node-2", **EXCLUSIVE, **EIP)
    fixed.detach("web-0")
    fixed.world.wait(lambda: fixed.claim("web-0").node == "node-2")

    assert fixed.attach("web-0", "node-2") == eni_id
    [eni] = fixed.own_enis().values()
    assert (eni.primary_ip, eni.addresses[0].eip_id) == (claim.address.ip, eip_id)


def test_the_eni_of_a_node_that_is_gone_is_detached_with_its_eip(fixed):
    fixed.create_pod("web-0", **EXCLUSIVE, **EIP)
    eni_id = fixed.attach("web-0")
    ip = fixed.claim("web-0").address.ip
    eip_id = fixed.world.wait_provisioned("web-0").address.eip_id
    fixed.world.bind("web-0", eni_id=eni_id, ip=ip, node="node-1")
    fixed.world.remove_pod("web-0")
    fixed.world.client.delete(NODES, "node-1")
    fixed.create_pod("web-0", "node-2", **EXCLUSIVE, **EIP)

    fixed.world.wait(lambda: (c := fixed.claim("web-0")).binding is None and c.node == "node-2")
    fixed.world.wait(lambda: fixed.world.claim("web-0").binding is None)

    [eni] = fixed.own_enis().values()
    assert (eni.eni_id, eni.instance_id) == (eni_id, "")
    assert eni.addresses[0].eip_id == eip_id


def resting(fixed):
    """A kept Pod is away: its ENI is attached to nothing, with its EIP."""
    fixed.create_pod("web-0", **EXCLUSIVE, **EIP)
    eni_id = fixed.attach("web-0")
    fixed.world.wait_provisioned("web-0")
    fixed.world.bind("web-0", eni_id=eni_id, ip=fixed.claim("web-0").address.ip, node="node-1")
    fixed.world.remove_pod("web-0")
    fixed.world.wait(lambda: fixed.claim("web-0").pod.last_seen)
    fixed.detach("web-0")
    eip_claim = fixed.world.claim("web-0")
    fixed.world.leave_bound("web-0")
    return eni_id, eip_claim.address.eip_id


def test_the_eni_of_a_deleted_claim_goes_when_its_eip_has_left_it_and_the_eip_stays_its_claims(fixed):
    _, eip_id = resting(fixed)

    fixed.delete_claim("web-0")

    fixed.wait_gone("web-0")
    assert fixed.own_enis() == {}
    assert fixed.lines() == {}
    fixed.world.wait_eip(eip_id, "UNBIND")
    assert fixed.world.claim("web-0").address.eip_id == eip_id


def test_the_eip_of_a_deleted_eipclaim_is_released_and_the_eni_stays(fixed):
    eni_id, eip_id = resting(fixed)

    fixed.world.client.delete(EIPCLAIMS, "web-0", "default")

    fixed.world.wait_gone("web-0")
    assert eip_id not in fixed.world.eips()
    assert set(fixed.own_enis()) == {eni_id}
    assert fixed.claim("web-0").address.eni_id == eni_id


def test_an_eni_that_somebody_deleted_is_made_anew_with_its_address(fixed):
    fixed.create_pod("web-0", **EXCLUSIVE)
    claim = fixed.wait_address("web-0")
    fixed.cloud.delete_eni(claim.address.eni_id, Deadline.after(20.0, time.monotonic))

    fixed.write("web-0", lambda c: status.unassigned(c, VpcIpReason.ENI_LOST, "no such ENI", 1.8e9))

    fixed.world.wait(lambda: fixed.claim("web-0").address.eni_id not in ("", claim.address.eni_id))
    assert fixed.claim("web-0").address.ip == claim.address.ip
    assert set(fixed.own_enis()) == {fixed.claim("web-0").address.eni_id}
    assert fixed.world.events("ENILost")


def test_an_eni_that_is_missed_while_no_pod_runs_is_made_anew_and_told_of(bare):
    bare.world.start_controller(sweep=SweepTerms(mode=SweepMode.REPORT, interval=0.1, age=0.3))
    bare.add_node("node-1")
    bare.create_pod("web-0", **EXCLUSIVE)
    claim = bare.wait_address("web-0")
    bare.world.remove_pod("web-0")

    bare.cloud.delete_eni(claim.address.eni_id, Deadline.after(20.0, time.monotonic))

    told = bare.world.wait(lambda: bare.world.events("ENILost"))
    assert "VpcIPClaim" in {event["involvedObject"]["kind"] for event in told}
    assert claim.address.eni_id in told[0]["message"]
    bare.world.wait(lambda: bare.claim("web-0").address.eni_id not in ("", claim.address.eni_id))
    assert bare.claim("web-0").address.ip == claim.address.ip


def test_a_pod_of_the_other_network_is_told_both_and_keeps_nothing_from_anybody(fixed):
    fixed.create_pod("web-0")
    ip = fixed.wait_address("web-0").address.ip
    fixed.world.remove_pod("web-0")
    fixed.create_pod("web-0", **EXCLUSIVE)

    (event,) = fixed.world.wait(lambda: fixed.world.events("NetworkDiffers"))

    assert "asks for tke-direct-eni" in event["message"]
    assert "is of tke-route-eni" in event["message"]
    assert fixed.claim("web-0").address.ip == ip
    assert fixed.own_enis() == {}


@pytest.mark.parametrize("mode", [SweepMode.REPORT, SweepMode.RELEASE])
def test_an_eni_without_claim_is_told_and_deleted_only_if_that_is_wanted(bare, mode):
    first = bare.world.start_controller()
    bare.add_node("node-1")
    bare.create_pod("web-0", **EXCLUSIVE)
    bare.wait_address("web-0")
    bare.world.stop_controller(first)
    bare.world.remove_pod("web-0")
    take_away(bare, "web-0")

    bare.world.start_controller(sweep=SweepTerms(mode=mode, interval=0.1, age=0.3))

    (event,) = bare.world.wait(lambda: bare.world.events("OrphanedENI"))
    assert "has no VpcIPClaim; unused" in event["message"]
    if mode is SweepMode.RELEASE:
        bare.world.wait(lambda: bare.own_enis() == {})
        bare.world.wait(lambda: bare.world.events("DeletedOrphanedENI"))
    else:
        assert len(bare.own_enis()) == 1


BIRTH = {
    "writing the order": held_by_cluster("patch", "vpcipclaims/status"),
    "looking for the ENI": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DescribeNetworkInterfaces"),
    "before the creation": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "CreateNetworkInterface"),
    "after the creation": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "CreateNetworkInterface"),
    "writing into the book": held_by_cluster("create", "vpcips"),
}
DEATH = {
    "looking at the ENI": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DescribeNetworkInterfaces"),
    "before the deletion": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DeleteNetworkInterface"),
    "after the deletion": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "DeleteNetworkInterface"),
    "striking the line": held_by_cluster("delete", "vpcips"),
    "dropping the claim's finalizer": held_by_cluster("patch", "vpcipclaims"),
}
GONE_NODE = {
    "before the detachment": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DetachNetworkInterface"),
    "after the detachment": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "DetachNetworkInterface"),
    "clearing the binding": held_by_cluster("patch", "vpcipclaims/status"),
}


@pytest.fixture
def unled(world) -> FixedWorld:
    """Nodes and agents; the controllers are processes of the test."""
    found = FixedWorld(world)
    world.new_controller()  # is never started: it lends its access to the cloud
    found.add_node("node-1")
    found.add_node("node-2")
    return found


@pytest.mark.parametrize("step", BIRTH)
def test_killed_while_the_eni_is_made(unled, start, step):
    unled.create_pod("web-0", **EXCLUSIVE)
    die_while(unled.world, start, BIRTH[step])

    start()

    unled.world.wait(lambda: (c := unled.claim("web-0")) and c.address)
    address = unled.claim("web-0").address
    assert set(unled.own_enis()) == {address.eni_id}
    assert set(unled.lines()) == {address.ip}


@pytest.mark.parametrize("step", DEATH)
def test_killed_while_the_eni_is_given_back(unled, start, step):
    unled.create_pod("web-0", **EXCLUSIVE)
    before = start()
    unled.world.wait(lambda: (c := unled.claim("web-0")) and c.address)
    assert before.end() == 0
    unled.world.remove_pod("web-0")
    unled.delete_claim("web-0")
    die_while(unled.world, start, DEATH[step])

    start()

    unled.world.wait(lambda: unled.claim("web-0") is None)
    assert unled.own_enis() == {}
    assert unled.lines() == {}


@pytest.mark.parametrize("step", GONE_NODE)
def test_killed_while_the_eni_of_a_gone_node_is_detached(unled, start, step):
    unled.create_pod("web-0", **EXCLUSIVE)
    before = start()
    unled.world.wait(lambda: (c := unled.claim("web-0")) and c.address)
    assert before.end() == 0
    eni_id = unled.attach("web-0")
    unled.world.remove_pod("web-0")
    unled.world.client.delete(NODES, "node-1")
    unled.create_pod("web-0", "node-2", **EXCLUSIVE)
    die_while(unled.world, start, GONE_NODE[step])

    start()

    unled.world.wait(lambda: (c := unled.claim("web-0")).binding is None and c.node == "node-2")
    assert unled.own_enis()[eni_id].instance_id == ""
    assert set(unled.own_enis()) == {eni_id}
