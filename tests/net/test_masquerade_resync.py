"""ip-masq-agent writes its chain anew, once a minute and for another configuration, while Pods talk."""

import contextlib
import threading

import pytest

from testbed import masquerade
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, NODE_IP, source_seen
from tests.testkit.eventually import eventually

pytestmark = pytest.mark.netns
POD, WITH_EIP = "10.0.1.100", "10.0.1.101"
VPC = ["10.0.0.0/16"]
FLAVOURS = ["iptables-nft", "iptables-legacy"]


class Resyncs:
    """Resyncs one after the other until the end."""

    def __init__(self, world, iptables):
        self.done = 0
        self._world = world
        self._iptables = iptables
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()

    def _run(self):
        while not self._ending.is_set():
            masquerade.install(self._world.node.name, vpc_cidrs=VPC, iptables=self._iptables)
            self.done += 1


@pytest.mark.parametrize("iptables", FLAVOURS)
def test_no_connection_is_lost_while_the_chain_is_written_anew(world, iptables):
    masquerade.install(world.node.name, vpc_cidrs=VPC, iptables=iptables)
    pod, with_eip = world.add_pod(POD), world.add_pod(WITH_EIP, eip=True)
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    seen = set()
    with contextlib.ExitStack() as stack:
        say = {
            POD: stack.enter_context(world.conversation(pod, INTERNET_IP, 9090)),
            WITH_EIP: stack.enter_context(world.conversation(with_eip, INTERNET_IP, 9091)),
        }
        resyncs = stack.enter_context(Resyncs(world, iptables))
        while resyncs.done < 20:
            seen.add(("new", POD, source_seen(pod, INTERNET_IP)))
            seen.add(("new", WITH_EIP, source_seen(with_eip, INTERNET_IP)))
            seen.add(("to the VPC", POD, source_seen(pod, NEIGHBOUR_IP)))
            seen.update(("old", ip, say[ip]("still here")) for ip in (POD, WITH_EIP))

    assert seen == {
        ("new", POD, NODE_IP),
        ("new", WITH_EIP, WITH_EIP),
        ("to the VPC", POD, POD),
        ("old", POD, f"{NODE_IP} still here"),
        ("old", WITH_EIP, f"{WITH_EIP} still here"),
    }


@pytest.mark.parametrize("iptables", FLAVOURS)
def test_an_empty_chain_concerns_only_new_connections_of_pods_without_eip(world, iptables):
    """What ip-masq-agent does not masquerade then, nobody does; the next resync mends it."""
    masquerade.install(world.node.name, vpc_cidrs=VPC, iptables=iptables)
    pod, with_eip = world.add_pod(POD), world.add_pod(WITH_EIP, eip=True)
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    with world.conversation(pod, INTERNET_IP) as say:
        masquerade.empty(world.node.name, iptables=iptables)

        assert say("old") == f"{NODE_IP} old"
        assert source_seen(pod, NEIGHBOUR_IP) == POD
        assert source_seen(with_eip, INTERNET_IP) == WITH_EIP
        assert source_seen(pod, INTERNET_IP, timeout=0.5) is None

        masquerade.install(world.node.name, vpc_cidrs=VPC, iptables=iptables)
        assert source_seen(pod, INTERNET_IP) == NODE_IP


@pytest.mark.parametrize("iptables", FLAVOURS)
def test_a_jump_that_was_removed_is_appended_again_behind_ours(world, iptables):
    """The order among the chains does not matter: ours has an earlier priority."""
    masquerade.install(world.node.name, vpc_cidrs=VPC, iptables=iptables)
    pod, with_eip = world.add_pod(POD), world.add_pod(WITH_EIP, eip=True)
    world.serve(world.internet, INTERNET_IP)
    world.node.run(iptables, "-t", "nat", "-F", "POSTROUTING")
    masquerade.install(world.node.name, vpc_cidrs=VPC, iptables=iptables)

    eventually(lambda: source_seen(pod, INTERNET_IP) == NODE_IP)
    assert source_seen(with_eip, INTERNET_IP) == WITH_EIP
