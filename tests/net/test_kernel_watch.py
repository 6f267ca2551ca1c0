"""What somebody else changes of ours is heard at once; our own changes and strangers' affairs are not."""

import contextlib
import os
import resource
import time

import pytest

from ipamd.core import errors
from ipamd.net.kernel_watch import KernelWatch
from ipamd.net.model import Ranges
from tests.net.world import GATEWAY

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"


@pytest.fixture
def watch(world):
    world.add_pod(POD, eip=True)
    made = world.on_node(KernelWatch)
    with contextlib.closing(made):
        yield made


def heard(watch):
    """What is told until there is something, for five seconds at most."""
    until = time.monotonic() + 5.0
    while not (reasons := watch.wait(0.2)) and time.monotonic() < until:
        pass
    return reasons


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

    assert heard(watch) == [f"link {world.pods[OTHER].host_veth}"]


def test_a_pods_end_that_was_down_for_long_is_heard_when_it_is_up_again(world, watch):
    pod = world.add_pod(OTHER)
    pod.run("ip", "link", "set", "eth0", "down")
    assert watch.wait(1.0) == [], "nothing can be mended as long as it is down"

    pod.run("ip", "link", "set", "eth0", "up")

    assert heard(watch) == [f"link {world.pods[OTHER].host_veth}"]


def test_a_pods_end_that_was_down_before_anybody_listened_is_heard_when_it_is_up(world):
    pod = world.add_pod(OTHER)
    pod.run("ip", "link", "set", "eth0", "down")
    with contextlib.closing(world.on_node(KernelWatch)) as watch:
        assert watch.wait(0.5) == []

        pod.run("ip", "link", "set", "eth0", "up")

        assert heard(watch) == [f"link {world.pods[OTHER].host_veth}"]


def test_a_link_that_gets_another_name_is_heard_by_both(world, watch):
    world.node.run("ip", "link", "set", "eth1", "down")
    heard(watch)
    world.node.run("ip", "link", "set", "eth1", "name", "ens6")

    assert heard(watch) == ["link eth1", "link ens6"]


def test_what_a_bridge_tells_of_its_ports_is_not_about_links(world, watch):
    world.node.run("ip", "link", "add", "theirs", "type", "bridge")
    for change in (("master", "theirs"), ("nomaster",)):
        world.node.run("ip", "link", "set", world.pods[POD].host_veth, *change)

    assert watch.wait(1.0) == []


def test_our_own_changes_are_not_heard(world, watch):
    world.add_pod(OTHER, eip=True)
    wiring = world.pods[OTHER]
    world.on_node(lambda: world.dataplane.connect_pod(wiring))
    world.on_node(lambda: world.dataplane.set_eip_pod(OTHER, wanted=False))
    world.on_node(lambda: world.dataplane.clear_address(OTHER))
    world.ensure()

    assert watch.wait(1.0) == []


def test_our_own_writes_of_a_whole_table_are_not_heard(world, watch):
    """They are made by libnftables, by a socket of its own."""
    world.attach_eni("p4", "eth2", "20:90:6f:00:00:12")
    watch.wait(0.5)
    second = world.on_node(lambda: world.dataplane.ensure_eni("20:90:6f:00:00:12", GATEWAY))
    world.ensure_node(Ranges(("10.0.0.0/8",)))
    world.on_node(lambda: world.dataplane.forget_eni(second.mark))

    assert watch.wait(1.0) == []


def test_somebody_s_change_beside_our_own_write_is_heard(world, watch):
    world.ensure_node(Ranges(("10.0.0.0/8",)))
    world.node.run("nft", "flush", "chain", "ip", "tke_eni", "prerouting")
    world.ensure_node(Ranges(("10.1.0.0/16",)))

    assert heard(watch) == ["nftables"]


def test_what_strangers_do_among_themselves_is_not_heard(world, watch):
    for command in (
        "ip route add 192.0.2.0/24 dev eth0",
        "ip route del 192.0.2.0/24 dev eth0",
        "ip link add theirs0 type veth peer name theirs1",
        "ip link set theirs0 up",
        "ip link set theirs1 up",
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
