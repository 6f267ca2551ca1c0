"""An agent that is killed at any step of a fixed address's life loses nothing, and takes it from nobody."""

import contextlib
import json
import sqlite3

import pytest

from testbed.faults.points import Point
from tests.agent.fixed.fixed_bed import NEVER, ip_of
from tests.agent.fixed.killed_bed import KilledBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(600)]

COMING = (
    Point("kube.patch.vpcipclaims.status", "before", 1),
    Point("kube.patch.vpcipclaims.status", "after", 1),
    Point("store.commit.held", "before", 1),
    Point("store.commit.held", "after", 1),
    Point("cloud.AssignPrivateIpAddresses", "before", 1),
    Point("cloud.AssignPrivateIpAddresses", "after", 1),
    Point("store.commit.held", "after", 2),
    Point("kube.patch.vpcipclaims.status", "before", 2),
    Point("kube.patch.vpcipclaims.status", "after", 2),
    Point("store.commit.assigned", "before", 1),
    Point("store.commit.assigned", "after", 1),
)
GOING = (
    Point("store.commit.unassigning", "before", 1),
    Point("store.commit.unassigning", "after", 1),
    Point("cloud.UnassignPrivateIpAddresses", "before", 1),
    Point("cloud.UnassignPrivateIpAddresses", "after", 1),
    Point("store.commit.forgotten", "before", 1),
    Point("store.commit.forgotten", "after", 1),
    Point("kube.patch.vpcipclaims.status", "before", 1),
    Point("kube.patch.vpcipclaims.status", "after", 1),
)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with KilledBed(tmp_path_factory.mktemp("killed")) as bed:
        yield bed.begin("--retained-ip-hold=60s")


@pytest.mark.parametrize("point", COMING, ids=str)
def test_a_kill_while_it_comes_is_mended(node, point):
    name, ip = f"comes-{COMING.index(point)}", node.free_ip()
    pod, sandbox = node.fixed_pod(name)
    node.victim.arm(point)
    node.fixed_claim(pod, ip)
    if "assigned" in point.step:
        with pytest.raises(Exception, match=r"."):
            node.call("add", sandbox)
    node.dies_at(point)

    assert node.add(sandbox) == ip
    node.eventually("the claim says so", lambda: node.read_fixed(name).assigned_ip == ip)
    assert node.binding(name).node == node.node.name
    node.gone(name, sandbox)
    node.eventually("it is given back", lambda: node.at_eni(ip) is None)
    node.eventually("the claim is free of the node", lambda: node.binding(name) is None)


@pytest.mark.parametrize("point", GOING, ids=str)
def test_a_kill_while_it_goes_is_mended(node, point):
    name, ip = f"goes-{GOING.index(point)}", node.free_ip()
    _, sandbox = node.given(name, ip)
    node.eventually("the claim says so", lambda: node.read_fixed(name).assigned_ip == ip)
    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod(name)
    node.victim.arm(point)

    node.serve_fixed(node.workloads.create_pod(name, node="node-2", annotations=NEVER), node="node-2")
    node.dies_at(point)

    node.eventually("the claim is free of the node", lambda: node.binding(name) is None, seconds=30)
    assert node.at_eni(ip) is None
    node.delete_fixed(name)


def test_a_lost_store_gives_no_fixed_address_to_another_pod_and_runs_on(node):
    kept, held = node.free_ip(), node.free_ip()
    _, runs = node.given("runs-0", kept)
    _, waits = node.given("waits-0", held)
    assert node.call("del", waits)[0] == 0
    node.runtime.remove_sandbox(waits)
    node.stop(node.agent)
    for path in node.store.parent.glob("ipamd.db*"):
        path.unlink()
    node.start_again()

    pods = node.pods()
    assert pods["runs-0"]["privateIp"] == kept
    taken = [ip_of(node.call("add", node.pod_and_sandbox(f"other-{n}")[1])[1]) for n in range(4)]
    assert not {kept, held} & set(taken)
    assert node.add(node.runtime.new_sandbox(pod=node.workloads.pod("waits-0"))) == held
    assert node.call("del", runs)[0] == 0


def test_a_rebooted_node_gives_its_pods_their_addresses_again(node):
    ip = node.free_ip()
    pod, sandbox = node.given("reboots-0", ip)
    node.wait_until_ready(warm=5)  # as many as are wanted: nothing is ordered for other Pods any more
    before = node.writes()

    node.stop(node.agent)
    with contextlib.closing(sqlite3.connect(node.store)) as connection, connection:
        connection.execute("UPDATE facts SET content = ? WHERE name = 'boot_id'", (json.dumps("earlier"),))
    node.runtime.remove_sandbox(sandbox)
    node.start_again()

    assert node.add(node.runtime.new_sandbox(pod=pod)) == ip
    assert node.writes() == before
