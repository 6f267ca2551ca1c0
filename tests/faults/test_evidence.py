"""Whether the look from outside sees what is there, and each damage that is really done."""

import subprocess

import pytest

from testbed.bed import PLUGIN, Bed
from testbed.faults import evidence
from testbed.faults.invariants import Expectation, Wanted, violations
from testbed.faults.stage import CLUSTER_ID

pytestmark = [pytest.mark.scenario, pytest.mark.netns, pytest.mark.timeout(300)]


class Node:
    """A node with one Pod that has an EIP, and no daemon that would repair what a test breaks."""

    def __init__(self, bed):
        self.bed = bed
        self.sandbox, outcome = bed.add_pod("web", annotations={"eip-attributes": ""}, eip=True)
        self.ip = outcome.ip()
        self.wanted = Wanted(name="web", eip=True, ip=self.ip, container_id=self.sandbox.container_id)
        bed.wait_until("nothing is wrong", lambda: not self.wrong())
        bed.kill(bed.agent)
        bed.kill(bed.controller)

    def wrong(self):
        expected = Expectation(
            pods={"web": self.wanted}, retained=frozenset(), warm=range(200), enis=1, cluster_id=CLUSTER_ID
        )
        return [str(violation) for violation in violations(evidence.gather(self.bed), expected)]

    def run(self, *command):
        return subprocess.run(
            ["ip", "netns", "exec", self.bed.node.netns, *command], check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    if not PLUGIN.exists():
        pytest.fail(f"{PLUGIN} is missing: run `make shim`")
    with Bed(tmp_path_factory.mktemp("evidence")) as bed:
        bed.start()
        yield Node(bed)


def test_a_node_at_rest_is_seen_as_it_is(node):
    seen = evidence.gather(node.bed)

    assert [eip["PrivateAddressIp"] for eip in seen.eips if eip["Tags"]] == [node.ip]
    assert [claim["metadata"]["name"] for claim in seen.claims] == ["web"]
    assert seen.leases[node.ip]["state"] == "assigned"
    assert (seen.nft_pods, seen.nft_eip_pods) == (frozenset({node.ip}), frozenset({node.ip}))
    assert seen.nft_sources == frozenset({node.ip})
    assert seen.host_routes == {node.ip: next(iter(seen.links))}
    assert (len(seen.links), seen.rules, seen.intents) == (1, 3, 0)
    assert node.wrong() == []


@pytest.mark.parametrize(("kind", "name"), [("map", "pods"), ("set", "eip_pods")])
def test_an_element_of_nft_that_is_gone_is_seen(node, kind, name):
    table = node.run("nft", "list", "table", "ip", "tke_eni")
    node.run("nft", "flush", kind, "ip", "tke_eni", name)
    try:
        assert f"unmended: Pod web: the nft elements of {node.ip} are not right" in node.wrong()
    finally:
        node.run("nft", f"delete table ip tke_eni; {table}")
    assert node.wrong() == []


def test_a_rule_too_many_is_seen(node):
    node.run("ip", "rule", "add", "pref", "30000", "fwmark", "0x7", "lookup", "main", "protocol", "116")
    assert "leaked: the kernel has 4 policy rules for 1 ENIs" in node.wrong()
    node.run("ip", "rule", "del", "pref", "30000")
    assert node.wrong() == []


def test_a_link_that_is_gone_and_what_is_left_of_others_is_seen(node):
    node.run("ip", "link", "add", "enideadbeef000", "type", "veth", "peer", "name", "other0")
    try:
        assert "leaked: the kernel has 2 links for 1 Pods" in node.wrong()
    finally:
        node.run("ip", "link", "del", "enideadbeef000")
    [link] = evidence.gather(node.bed).links
    node.run("ip", "link", "del", link)
    assert f"unmended: Pod web: there is no link, or no route to {node.ip}" in node.wrong()
