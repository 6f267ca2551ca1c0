"""An agent that is killed at any step of an ENI's move loses nothing, and nothing is asked of its EIP."""

import contextlib
import json
import sqlite3

import pytest

from testbed.faults.points import Point
from tests.agent.fixed.killed_bed import KilledBed
from tests.agent.fixed.own_eni_bed import OPTIONS, OwnEniBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(900)]

COMING = (
    Point("kube.patch.vpcipclaims.status", "before", 1),
    Point("kube.patch.vpcipclaims.status", "after", 1),
    Point("store.put_fact", "before", 1),
    Point("store.put_fact", "after", 1),
    Point("store.commit.held", "before", 1),
    Point("store.commit.held", "after", 1),
    Point("cloud.AttachNetworkInterface", "before", 1),
    Point("cloud.AttachNetworkInterface", "after", 1),
    Point("store.commit.bound+held", "before", 1),
    Point("store.commit.bound+held", "after", 1),
    Point("kube.patch.vpcipclaims.status", "before", 2),
    Point("kube.patch.vpcipclaims.status", "after", 2),
    Point("kube.patch.eipclaims.status", "before", 1),
    Point("kube.patch.eipclaims.status", "after", 1),
)
GOING = (
    Point("store.commit.bound+unbinding", "before", 1),
    Point("store.commit.bound+unbinding", "after", 1),
    Point("cloud.DetachNetworkInterface", "before", 1),
    Point("cloud.DetachNetworkInterface", "after", 1),
    Point("store.commit.forgotten", "before", 1),
    Point("store.commit.forgotten", "after", 1),
    Point("kube.patch.eipclaims.status", "before", 1),
    Point("kube.patch.eipclaims.status", "after", 1),
    Point("kube.patch.vpcipclaims.status", "before", 1),
    Point("kube.patch.vpcipclaims.status", "after", 1),
)


class KilledOwnEniBed(KilledBed, OwnEniBed):
    """A bed of both kinds."""

    def away(self, name):
        """An ENI with an EIP that has been here and is nowhere now."""
        _, sandbox, eni, eip = self.own_given_with_eip(name)
        self.ended(name, sandbox)
        self.goes_to_other_node(name, eip=True)
        self.eventually("the claim is free of the node", lambda: self.binding(name) is None)
        self.workloads.remove_pod(name)
        return eni, eip

    def comes_back(self, name):
        pod, sandbox = self.own_pod(name, eip=True)
        self.serve(pod)
        self.serve_own(pod)
        return sandbox


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with KilledOwnEniBed(tmp_path_factory.mktemp("killed-own")) as bed:
        yield bed.begin(*OPTIONS)


@pytest.mark.parametrize("point", COMING, ids=str)
def test_a_kill_while_it_comes_is_mended(node, point):
    name = f"comes-{COMING.index(point)}"
    eni, eip = node.away(name)
    before = node.settled()

    node.victim.arm(point)
    sandbox = node.comes_back(name)
    node.dies_at(point)
    node.added(sandbox, eni)

    node.eventually("the claim says so", lambda: node.binding(name) is not None)
    node.eventually("the EIP's claim too", lambda: node.eip_binding(name) is not None)
    assert node.eip_binding(name).eni_id == eni.eni_id
    writes = node.new_writes(before)
    assert "AssociateAddress" not in writes
    assert "DisassociateAddress" not in writes
    assert node.eip(eip.eip_id).private_ip == eni.primary_ip
    node.ended(name, sandbox)
    node.goes_to_other_node(name, eip=True)
    node.eventually("the claim is free of the node", lambda: node.binding(name) is None)
    node.cloud_released(eip)


@pytest.mark.parametrize("point", GOING, ids=str)
def test_a_kill_while_it_goes_is_mended(node, point):
    name = f"goes-{GOING.index(point)}"
    _, sandbox, eni, eip = node.own_given_with_eip(name)
    node.ended(name, sandbox)
    before = node.settled()

    node.victim.arm(point)
    node.goes_to_other_node(name, eip=True)
    node.dies_at(point)

    node.eventually("the claim is free of the node", lambda: node.binding(name) is None, seconds=30)
    assert node.read_claim(name).binding is None
    assert node.at(eni.eni_id) == ""
    there = node.eip(eip.eip_id)
    assert (there.status.value, there.eni_id) == ("BIND_ENI", eni.eni_id)
    assert "DisassociateAddress" not in node.new_writes(before)
    node.cloud_released(eip)


def test_after_a_lost_store_they_are_known_by_their_tags(node):
    _, runs, running, running_eip = node.own_given_with_eip("runs-0")
    _, waits, waiting, waiting_eip = node.own_given_with_eip("waits-0")
    node.ended("waits-0", waits)
    before = node.settled()
    node.stop(node.agent)
    for path in node.store.parent.glob("ipamd.db*"):
        path.unlink()
    node.start_again()

    assert node.pods()["runs-0"]["privateIp"] == running.primary_ip
    other = node.pod_and_sandbox("other-0", annotations={"networks": "tke-direct-eni"})[1]
    code, result = node.call("add", other)
    assert code == 0, result
    assert waiting.primary_ip not in str(result)
    sandbox = node.comes_back("waits-0")
    node.added(sandbox, waiting)

    writes = node.new_writes(before)
    assert not {"DetachNetworkInterface", "AssociateAddress", "DisassociateAddress"} & set(writes)
    assert node.eip(running_eip.eip_id).private_ip == running.primary_ip
    assert node.eip(waiting_eip.eip_id).private_ip == waiting.primary_ip
    assert node.call("del", other)[0] == 0
    node.ended("waits-0", sandbox)
    node.ended("runs-0", runs)


def test_a_rebooted_node_gives_its_pods_their_enis_again(node):
    pod, sandbox, eni, _ = node.own_given_with_eip("reboots-0")
    before = node.settled()

    node.stop(node.agent)
    with contextlib.closing(sqlite3.connect(node.store)) as connection, connection:
        connection.execute("UPDATE facts SET content = ? WHERE name = 'boot_id'", (json.dumps("earlier"),))
    node.runtime.remove_sandbox(sandbox)
    node.start_again()

    sandbox = node.runtime.new_sandbox(pod=pod)
    node.added(sandbox, eni)
    assert node.new_writes(before) == {}
    node.ended("reboots-0", sandbox)
