"""What somebody else changes of ours is heard at once; our own changes and strangers' affairs are not."""

import contextlib
import os
import resource

import pytest

from ipamd.core import errors
from ipamd.net.kernel_watch import KernelWatch

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"


@pytest.fixture
def watch(world):
    world.add_pod(POD, eip=True)
    made = world.on_node(KernelWatch)
    with contextlib.closing(made):
        yield made


CHANGES = {
    "ip rule del priority 512": "rule",
    "ip rule add from 10.0.1.100 lookup 99": "rule",
    "ip route del 10.0.1.100": "route",
    "ip route replace 10.0.1.100/32 dev eth0": "route",
    "ip route flush table 4003": "route",
    "ip address add 10.0.1.100/32 dev lo": "address",
    "ip address del 10.0.1.10/24 dev eth0": "address",
    "ip link set eth1 down": "link",
    "ip link set VETH down": "link",
    "ip link del VETH": "link",
    "nft flush ruleset": "nftables",
    "nft delete table ip tke_eni": "nftables",
    "nft flush chain ip tke_eni prerouting": "nftables",
    "nft delete element ip tke_eni pods { 10.0.1.100 }": "nftables",
    "nft flush chain ip6 tke_eni sources": "nftables",
}


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_by_somebody_else_is_heard(world, watch, command):
    words = command.replace("VETH", world.pods[POD].host_veth).split()
    world.node.run(*words)

    assert CHANGES[command] in [reason.partition(" ")[0] for reason in watch.wait(5.0)]


@pytest.mark.parametrize("count", [1, 2])
def test_a_pods_end_that_went_down_is_heard_also_when_it_is_up_again(world, watch, count):
    pod = world.add_pod(OTHER)
    watch.wait(0.5)
    for _ in range(count):
        pod.run("ip", "link", "set", "eth0", "down")
        pod.run("ip", "link", "set", "eth0", "up")

    assert watch.wait(5.0) == [f"link {world.pods[OTHER].host_veth}"]


def test_our_own_changes_are_not_heard(world, watch):
    world.add_pod(OTHER, eip=True)
    wiring = world.pods[OTHER]
    world.on_node(lambda: world.dataplane.connect_pod(wiring))
    world.on_node(lambda: world.dataplane.set_eip_pod(OTHER, wanted=False))
    world.on_node(lambda: world.dataplane.clear_address(OTHER))
    world.ensure()

    assert watch.wait(1.0) == []


def test_what_strangers_do_among_themselves_is_not_heard(world, watch):
    for command in (
        "ip route add 192.0.2.0/24 dev eth0",
        "ip route del 192.0.2.0/24 dev eth0",
        "ip link add theirs0 type veth peer name theirs1",
        "nft add table ip theirs",
        "nft add chain ip theirs prerouting",
        "nft delete table ip theirs",
    ):
        world.node.run(*command.split())

    assert watch.wait(1.0) == []


def test_more_than_can_be_listened_to_is_a_reason_by_itself(world, watch):
    script = "add table ip theirs\nadd set ip theirs s { type ipv4_addr; }\n"
    for block in range(4):
        members = ", ".join(f"10.{block}.{n // 250}.{n % 250}" for n in range(20000))
        script += f"add element ip theirs s {{ {members} }}\n"
    world.node.run("nft", "-f", "-", stdin=script)

    assert watch.wait(5.0) == ["more changes than could be listened to"]
    assert watch.wait(0.2) == []
    world.node.run("ip", "rule", "del", "priority", "512")
    assert watch.wait(5.0) == ["rule"], "it goes on listening"


def test_a_process_without_descriptors_gets_an_error_that_is_expected():
    """The listener begins again after such a one; by another its thread would end unseen."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    for left in range(3):
        with contextlib.ExitStack() as held:
            highest = os.open("/dev/null", os.O_RDONLY)
            held.callback(os.close, highest)
            held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
            with contextlib.suppress(OSError):
                while True:
                    held.callback(os.close, os.dup(highest))
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 + left, limits[1]))

            with pytest.raises(errors.KernelError, match="EMFILE"):
                KernelWatch()


def test_waiting_ends_when_it_is_interrupted(world, watch):
    watch.interrupt()

    assert watch.wait() == []
