"""With 250 Pods on the node the work for each packet is that of one Pod."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.net.world import INTERNET_IP, source_seen

pytestmark = pytest.mark.netns
PODS = [f"10.0.2.{n}" for n in range(1, 251)]


def rules_on_the_way(world):
    """Return how many policy rules and nft rules a packet may have to walk through."""
    table = json.loads(world.node.run("nft", "-j", "list", "table", "tke_eni"))["nftables"]
    return len(world.node.run("ip", "rule").splitlines()), len([entry for entry in table if "rule" in entry])


def test_rules_do_not_grow_with_pods(world):
    world.add_pod("10.0.1.100", eip=True)
    with_one = rules_on_the_way(world)
    sandboxes = world.sandboxes(len(PODS))
    wirings = [world.wiring(*pod, eip=pod[1].endswith("1")) for pod in zip(sandboxes, PODS, strict=True)]

    def wire(part):
        return world.on_node(lambda: [world.dataplane.wire_pod(wiring) for wiring in part])

    with ThreadPoolExecutor(8) as pool:
        links = [link for part in pool.map(wire, [wirings[n::8] for n in range(8)]) for link in part]
    assert len({link.host_ifindex for link in links}) == len(PODS)
    found = world.snapshot()
    assert rules_on_the_way(world) == with_one
    assert len(found.links) == len(found.pod_marks) == len(PODS) + 1
    assert len(found.rules) == 3
    for wiring in wirings[::50]:
        assert world.on_node(lambda wiring=wiring: world.dataplane.check_pod(wiring)) == []

    with_eip = sandboxes[0]
    world.own("p1", PODS[0], world.enis["eth1"].mac)
    world.serve(world.internet, INTERNET_IP)
    assert source_seen(with_eip, INTERNET_IP) == PODS[0]


def cpu_of_wiring(world, wirings, threads):
    """Return the CPU seconds that so many threads together need to wire the Pods, which are unwired again."""

    def wire(part):
        world.on_node(lambda: [world.dataplane.wire_pod(wiring) for wiring in part])

    with ThreadPoolExecutor(threads) as pool:
        before = time.process_time()
        list(pool.map(wire, [wirings[n::threads] for n in range(threads)]))
        spent = time.process_time() - before
    world.on_node(lambda: [world.dataplane.unwire_pod(wiring.ip, wiring.host_end) for wiring in wirings])
    return spent


def test_a_burst_of_pods_does_not_spin_for_the_lock_of_the_kernel(world):
    """A write to disable_ipv6 that finds rtnl taken is restarted at once: a burst took six times the CPU."""
    ips = PODS[:100]
    wirings = [world.wiring(*pod) for pod in zip(world.sandboxes(len(ips)), ips, strict=True)]

    one_by_one = min(cpu_of_wiring(world, wirings, 1) for _ in range(2))
    at_once = min(cpu_of_wiring(world, wirings, 50) for _ in range(2))

    assert at_once < 2 * one_by_one
