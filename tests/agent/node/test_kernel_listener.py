"""What somebody else changes in the kernel is mended at once, though the next round is an hour away."""

import time

import pytest

from testbed import probes
from tests.agent.conftest import AgentBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
AT_ONCE = 5.0
"""An hour is the alternative; most of it is the machine's other work."""


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


@pytest.fixture(scope="module")
def slow_node(tmp_path_factory):
    """A node whose own rounds are far apart."""
    with AgentBed(tmp_path_factory.mktemp("slow")) as bed:
        yield bed.begin("--repair-interval=1h", "--cloud-check-interval=1h")


def repairs(node):
    """How many lines of the log tell of a repair."""
    return node.log().count("repaired: ")


@pytest.fixture
def pod(slow_node, request):
    _, sandbox = slow_node.pod_and_sandbox(f"heard-{abs(hash(request.node.name))}")
    _, result = slow_node.call("add", sandbox)
    yield sandbox, ip_of(result), result["interfaces"][0]["name"]
    slow_node.delete_pod(sandbox)


@pytest.mark.parametrize(
    "damage",
    [
        "ip rule del priority 512",
        "ip route del {ip}",
        "ip route flush table all proto 116",
        "ip address add {ip}/32 dev lo",
        "ip link set eth1 down",
        "ip link set {veth} down",
        "nft delete table ip tke_eni",
        "nft flush map ip tke_eni pods",
        "ip netns exec {netns} ip link set eth0 down; ip netns exec {netns} ip link set eth0 up",
        "ip netns exec {netns} ip link set eth0 down; sleep 2; ip netns exec {netns} ip link set eth0 up",
    ],
)
def test_damage_is_mended_at_once(slow_node, pod, damage):
    sandbox, ip, veth = pod
    before = repairs(slow_node)
    for command in damage.format(ip=ip, veth=veth, netns=sandbox.netns).split("; "):
        slow_node.on_node(*command.split())

    # Damage of each run uses one of the rounds that may follow each other at once.
    slow_node.eventually("mended", lambda: repairs(slow_node) > before, seconds=AT_ONCE + 5.0)
    with probes.SourceReporter(slow_node.node.netns):
        seen = lambda: probes.seen_source(sandbox.netns, slow_node.node.private_ip)  # noqa: E731
        slow_node.eventually("traffic", lambda: seen() == ip, seconds=AT_ONCE)


def test_who_undoes_every_repair_does_not_keep_the_node_busy(slow_node):
    until = time.monotonic() + 6.0
    before = repairs(slow_node)
    while time.monotonic() < until:
        slow_node.on_node("sh", "-c", "ip rule del priority 512 || true")
        time.sleep(0.02)

    assert 1 <= repairs(slow_node) - before <= 8, "five at once and one more for each five seconds"
    slow_node.eventually("mended in the end", lambda: "512:" in slow_node.on_node("ip", "rule"), seconds=10)


def test_pods_that_come_and_go_make_no_rounds(slow_node):
    slow_node.eventually("at rest", lambda: rounds_stay(slow_node), seconds=20)
    before = slow_node.log().count("changed in the kernel by somebody")
    for number in range(4):
        _, sandbox = slow_node.pod_and_sandbox(f"passing-{number}")
        assert slow_node.call("add", sandbox)[0] == 0
        assert slow_node.call("del", sandbox)[0] == 0

    assert slow_node.log().count("changed in the kernel by somebody") - before <= 2


def test_links_of_others_that_come_go_and_lose_their_carrier_make_no_rounds(slow_node):
    slow_node.eventually("at rest", lambda: rounds_stay(slow_node), seconds=20)
    before = slow_node.log().count("changed in the kernel by somebody")
    for command in (
        "ip link add docker0 type bridge",
        "ip link set docker0 up",
        "ip link add vetha type veth peer name vethb",
        "ip link set vetha master docker0 up",
        "ip link set vethb up",
        "ip link set vethb down",
        "ip link set vethb name vethc",
        "ip link set vetha down",
        "ip link del vetha",
        "ip link del docker0",
    ):
        slow_node.on_node(*command.split())
        time.sleep(0.1)  # more than the watch waits for more

    assert slow_node.log().count("changed in the kernel by somebody") == before


def rounds_stay(node):
    before = node.log().count("changed in the kernel by somebody")
    time.sleep(0.5)
    return node.log().count("changed in the kernel by somebody") == before
