"""What cloud-init, DHCP or an operator put in the way of Pods' packets is noticed, mended or told."""

import json
import sqlite3
import time

import pytest

from ipamd.core.timing.deadline import Deadline
from testbed import probes

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


@pytest.fixture
def pod(node, request):
    _, sandbox = node.pod_and_sandbox(f"intruded-{abs(hash(request.node.name))}")
    code, result = node.call("add", sandbox)
    assert code == 0
    yield sandbox, ip_of(result)
    node.delete_pod(sandbox)


def addresses(node):
    return node.on_node("ip", "-4", "-o", "address")


@pytest.mark.parametrize("link", ["eth1", "eth0", "lo"])
def test_a_pods_address_on_a_link_of_the_node_is_taken_off(node, pod, link):
    sandbox, ip = pod
    own = addresses(node)
    node.on_node("ip", "address", "add", f"{ip}/24", "dev", link)

    node.eventually("taken off", lambda: addresses(node) == own)

    node.eventually("told", lambda: f"{ip} is an address for Pods and is on link {link}" in node.log())
    with probes.SourceReporter(node.node.netns):
        node.eventually("traffic", lambda: probes.seen_source(sandbox.netns, node.node.private_ip) == ip)


def test_an_address_of_the_pool_is_taken_off_before_a_pod_has_it(node):
    own = addresses(node)
    _, sandbox = node.pod_and_sandbox("first-of-two")
    _, result = node.call("add", sandbox)
    node.delete_pod(sandbox)
    node.on_node("ip", "address", "add", f"{ip_of(result)}/32", "dev", "eth1")

    node.eventually("taken off", lambda: addresses(node) == own)


def test_a_foreign_rule_that_takes_a_pods_packets_is_told_and_left(node, pod):
    _, ip = pod
    rule = ("from", ip, "lookup", "99", "priority", "100")
    node.on_node("ip", "rule", "add", *rule)

    def problems():
        return [problem for problem in node.status()["problems"] if "lookup 99" in problem]

    node.eventually("told", problems)
    assert ip in problems()[0]
    assert "'100: from " in node.log()
    assert node.call("status") == (0, {}), "no reason to take the node out of service"
    assert f"from {ip} lookup 99" in node.on_node("ip", "rule")
    node.on_node("ip", "rule", "del", *rule)
    node.eventually("told no more", lambda: not problems())


def test_the_nodes_own_address_stays_though_the_store_of_before_the_boot_has_it_for_pods(own_node):
    """Its CVM was given another primary address since then: one that it had for Pods before."""
    node = own_node.begin()
    own = addresses(node)
    node.stop(node.agent)
    with sqlite3.connect(node.store) as store:
        store.execute("UPDATE facts SET content = ? WHERE name = 'boot_id'", (json.dumps("earlier"),))
        (ip,) = store.execute("SELECT ip FROM addresses WHERE state = 'warm' LIMIT 1").fetchone()
        store.execute("UPDATE addresses SET ip = ? WHERE ip = ?", (node.node.private_ip, ip))
    store.close()

    node.start_again()

    assert f"inet {node.node.private_ip}/" in addresses(node)
    assert addresses(node) == own


def test_an_address_that_somebody_took_from_the_pool_is_left_on_his_link(own_node):
    node = own_node.begin()
    ips = []
    for name in ("robbed", "whole"):
        _, sandbox = node.pod_and_sandbox(name)
        ips.append(ip_of(node.call("add", sandbox)[1]))
    robbed, whole = ips
    node.cloud.unassign_ips(node.pods()["robbed"]["eniId"], [robbed], Deadline.after(10, time.monotonic))
    # For 15 s a list may be older than the address, so that what it lacks says nothing.
    node.eventually(
        "known", lambda: any(robbed in problem for problem in node.status()["problems"]), seconds=60
    )

    for ip in ips:
        node.on_node("ip", "address", "add", f"{ip}/32", "dev", "eth0")
    node.eventually("one is taken off", lambda: f"inet {whole}/32" not in addresses(node))

    assert f"inet {robbed}/32" in addresses(node)


def test_an_address_that_keeps_the_enis_from_being_set_up_is_taken_off_before(own_node):
    node = own_node.begin("--repair-interval=10m", "--cloud-check-interval=10m")
    _, sandbox = node.pod_and_sandbox("first")
    _, result = node.call("add", sandbox)

    node.on_node("ip", "address", "add", f"{ip_of(result)}/24", "dev", "lo")
    node.eventually("taken off", lambda: f"{ip_of(result)} is an address for Pods" in node.log())

    _, another = node.pod_and_sandbox("another")
    assert node.call("add", another)[0] == 0
    assert "cannot carry Pods" not in node.log()
