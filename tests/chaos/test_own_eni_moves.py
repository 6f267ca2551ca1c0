"""A Pod's own ENI goes from node to node as a whole, with its address and its EIP, whatever comes between.

Agents, controller and packets are real; what the cloud was asked for is read from its audit. What is kept is
watched all the time: the Watchman says when an ENI is lost, or an EIP leaves one that moves.
"""

import pytest

from tests.chaos.cluster import Cluster
from tests.chaos.moved import Moved
from tests.chaos.pod_lives import Kind
from tests.chaos.surroundings import PODS_WITH_EIP
from tests.chaos.troubles import often
from tests.testkit.eventually import comes_about

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(300)]

MOVE = ["DetachNetworkInterface", "AttachNetworkInterface"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
        cluster.settle()
        assert cluster.verdicts.sentences() == []


@pytest.fixture
def moved(cluster):
    """A Pod that runs on the first node."""
    pod = Moved(cluster, Kind.OWN_FIXED_EIP)
    yield pod
    pod.ends()


def eni(cluster, eni_id):
    return cluster.around.state()["cloud"]["enis"].get(eni_id)


def eip(cluster, eip_id):
    return next((e for e in cluster.around.state()["eips"] if e["AddressId"] == eip_id), None)


def comes_off(cluster, moved):
    """Wait until no node has the ENI, and the claim says so."""
    assert comes_about(lambda: not eni(cluster, moved.eni_id)["instance_id"], 30.0)
    assert comes_about(lambda: "binding" not in moved.vpc_ip_claim()["status"], 30.0)


def said(moved):
    return str(moved.vpc_ip_claim()["status"]["conditions"])


def test_a_move_is_detach_and_attach_and_nothing_about_the_eip(cluster, moved):
    moved.check_world()

    asked = moved.goes_to(1)

    assert moved.life.running.ip == moved.ip
    assert asked == MOVE
    moved.check_world()
    assert moved.goes_to(0) == MOVE
    moved.check_world()


def test_on_the_same_node_nothing_is_asked_for(cluster, moved):
    assert moved.goes_to(0) == []
    moved.check_world()


def test_a_pod_that_goes_on_before_it_has_come_takes_all_along(cluster, moved):
    before = len(moved.writes())
    for number in (1, 0, 1, 0, 0, 1):
        moved.leaves_for(number)
    moved.arrives()

    assert moved.life.running.ip == moved.ip
    assert set(moved.writes()[before:]) <= set(MOVE)
    moved.check_world()


def test_the_node_that_it_left_dies_and_comes_back_while_it_moves(cluster, moved):
    cluster.nodes[0].kill()
    moved.life.end(forced=True)
    moved.leaves_for(1)
    cluster.nodes[0].start()
    moved.arrives()

    assert moved.life.running.ip == moved.ip
    moved.check_world()


def test_after_its_node_was_rebooted_it_is_there_again(cluster, moved):
    before = len(moved.writes())
    cluster.node_reboots(0)
    moved.arrives()

    assert moved.life.running.ip == moved.ip
    assert moved.writes()[before:] == []
    moved.check_world()


def test_old_lists_of_eips_and_enis_lead_to_no_call_more(cluster, moved):
    old = [
        often("stale_read", 1.0, action, seconds=2.0)
        for action in ("DescribeAddresses", "DescribeNetworkInterfaces")
    ]
    numbers = cluster.around.add_faults(old)
    try:
        asked = moved.goes_to(1)
    finally:
        cluster.around.remove_faults(numbers)

    assert asked == MOVE
    moved.check_world()


def test_an_eipclaim_that_is_deleted_on_the_way_gives_its_eip_up_and_the_eni_comes_with_another(
    cluster, moved
):
    cluster.nodes[1].stop()
    moved.leaves_for(1)
    comes_off(cluster, moved)
    assert eip(cluster, moved.eip_id)["NetworkInterfaceId"] == moved.eni_id
    cluster.watchman.eip_ends(moved.eip_id)

    cluster.around.delete_claim(moved.name)

    assert comes_about(lambda: eip(cluster, moved.eip_id) is None, 40.0)
    assert eni(cluster, moved.eni_id)["instance_id"] == ""
    cluster.nodes[1].start()
    ip, eni_id = moved.ip, moved.eni_id
    moved.life.eip_id = ""
    moved.arrives()
    moved.read_kept()
    assert (moved.ip, moved.eni_id) == (ip, eni_id)
    moved.check_world()


def test_a_vpcipclaim_that_is_deleted_on_the_way_gives_its_eni_up_and_the_eip_comes_to_the_next(
    cluster, moved
):
    cluster.nodes[1].stop()
    moved.leaves_for(1)
    comes_off(cluster, moved)
    cluster.watchman.claims_end([moved.vpc_ip_claim()["metadata"]["uid"]])
    cluster.fixed_ips.pop(moved.name)

    cluster.around.delete_vpc_ip_claim(moved.name)

    assert comes_about(lambda: eni(cluster, moved.eni_id) is None, 40.0)
    cluster.nodes[1].start()
    eip_id, eni_id = moved.eip_id, moved.eni_id
    moved.arrives()
    moved.read_kept()
    assert moved.eip_id == eip_id
    assert moved.eni_id != eni_id
    moved.check_world()


def test_a_node_that_has_all_the_eips_that_it_may_have_refuses_it_and_another_takes_it(cluster, moved):
    before = set(cluster.living())
    there = cluster.nodes[1]
    assert comes_about(lambda: all(a.eip is None for a in there.ledger.addresses.values()), 30.0)
    cluster.pods_come(Kind.EIP, 1, PODS_WITH_EIP)
    others = set(cluster.living()) - before
    assert comes_about(lambda: all(life.running for life in others), 40.0)
    asked = len(moved.writes())

    moved.leaves_for(1)

    assert comes_about(lambda: "AttachNetworkInterface failed" in said(moved), 30.0), said(moved)
    assert f"{moved.eip_id} stays at it" in said(moved)
    assert eni(cluster, moved.eni_id)["instance_id"] == ""
    moved.leaves_for(0)
    moved.arrives()
    assert "DisassociateAddress" not in moved.writes()[asked:]
    moved.check_world()
    for life in others:
        life.end()
    assert comes_about(lambda: all(life.ended.is_set() for life in others), 30.0)


def test_an_eni_whose_attach_fails_in_the_cloud_comes_at_last(cluster, moved):
    failing = [
        {"kind": "task_failure", "action": action, "count": 2}
        for action in ("AttachNetworkInterface", "DetachNetworkInterface")
    ]
    cluster.around.add_faults(failing)

    asked = moved.goes_to(1)

    assert set(asked) == set(MOVE)
    moved.check_world()
