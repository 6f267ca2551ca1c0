"""What a Pod loses in its namespace comes back; what is its own choice stays."""

import pytest

from ipamd.core import errors, names
from tests.net.world import NEIGHBOUR_IP, source_seen

pytestmark = pytest.mark.netns
POD = "10.0.1.100"
OTHER_MAC = "c2:b0:57:49:47:f1"


@pytest.fixture
def pod(world):
    world.serve(world.neighbour, NEIGHBOUR_IP)
    return world.add_pod(POD)


def mend(world):
    """Both sides, as a repair round does: with the carrier the node's end has lost what it answers for."""
    assert world.on_node(lambda: world.dataplane.connect_pod(world.pods[POD]))
    (outcome,) = world.on_node(lambda: world.dataplane.mend_pod_sides([world.pods[POD]]))
    if isinstance(outcome, errors.IpamError):
        raise outcome
    return outcome


def flap(pod, *between):
    pod.run("ip", "link", "set", "eth0", "down")
    for command in between:
        pod.run(*command.split())
    pod.run("ip", "link", "set", "eth0", "up")


def test_a_pod_with_another_mac_works_at_once(world, pod):
    """The kernel forgets the permanent neighbour with the old MAC; the node answers who asks for it."""
    assert source_seen(pod, NEIGHBOUR_IP) == POD
    pod.run("ip", "link", "set", "eth0", "address", OTHER_MAC)
    assert pod.run("ip", "neighbour", "show", names.GATEWAY_IP) == ""

    assert source_seen(pod, NEIGHBOUR_IP, timeout=5.0) == POD


def test_a_pod_with_another_mac_is_reached_from_outside(world, pod):
    world.serve(pod, POD)
    assert source_seen(world.neighbour, POD) == NEIGHBOUR_IP
    pod.run("ip", "link", "set", "eth0", "address", OTHER_MAC)
    source_seen(pod, NEIGHBOUR_IP, timeout=5.0)

    assert source_seen(world.neighbour, POD, timeout=5.0) == NEIGHBOUR_IP


@pytest.mark.parametrize(
    "between", [(), (f"ip link set eth0 address {OTHER_MAC}",)], ids=["same MAC", "other MAC"]
)
def test_a_link_that_was_down_gets_its_routes_back(world, pod, between):
    flap(pod, *between)
    assert source_seen(pod, NEIGHBOUR_IP, timeout=0.5) is None, "the damage has to be one"

    lost = mend(world)

    assert len(lost) == 2
    assert "PERMANENT" in pod.run("ip", "neighbour", "show", names.GATEWAY_IP)
    assert source_seen(pod, NEIGHBOUR_IP, timeout=5.0) == POD
    assert world.on_node(lambda: world.dataplane.check_pod(world.pods[POD])) == []
    assert mend(world) == []


def test_the_node_shows_that_a_link_was_down(world, pod):
    (before,) = world.snapshot().links
    flap(pod)
    (after,) = world.snapshot().links

    assert after.downs > before.downs
    assert after.carrier
    assert world.snapshot().links == (after,), "it has to stay the same until the next time"


@pytest.mark.parametrize(
    "choice",
    [
        ("ip route replace default dev lo",),
        ("ip route delete default",),
        ("ip address delete 10.0.1.100/32 dev eth0",),
        ("ip link set eth0 down",),
        ("ip link set eth0 down", "ip link set eth0 name bridged", "ip link set bridged up"),
    ],
    ids=["a default route of its own", "no default route", "the address taken off", "down", "another name"],
)
def test_what_the_pod_has_chosen_stays(world, pod, choice):
    for command in choice:
        pod.run(*command.split())
    before = pod.run("ip", "route"), pod.run("ip", "address")

    assert mend(world) == []
    assert (pod.run("ip", "route"), pod.run("ip", "address")) == before


def test_a_wrong_permanent_neighbour_is_put_right(world, pod):
    pod.run(
        "ip", "neighbour", "replace", names.GATEWAY_IP, "dev", "eth0", "lladdr", OTHER_MAC, "nud", "permanent"
    )

    assert mend(world) == [f"the neighbour entry of {names.GATEWAY_IP}"]
    assert source_seen(pod, NEIGHBOUR_IP) == POD


def test_the_node_answers_for_the_gateway_and_for_nothing_else(world, pod):
    pod.run("ip", "route", "add", f"{NEIGHBOUR_IP}/32", "dev", "eth0")
    assert source_seen(pod, NEIGHBOUR_IP, timeout=1.5) is None

    pod.run("ip", "route", "delete", f"{NEIGHBOUR_IP}/32", "dev", "eth0")
    assert source_seen(pod, NEIGHBOUR_IP) == POD


def test_a_node_that_does_not_answer_for_the_gateway_any_more_is_mended(world, pod):
    veth = world.pods[POD].host_veth
    world.node.run("ip", "neighbour", "delete", "proxy", names.GATEWAY_IP, "dev", veth)
    assert not world.snapshot().links[0].whole

    assert world.on_node(lambda: world.dataplane.connect_pod(world.pods[POD]))

    assert world.snapshot().links[0].whole
    pod.run("ip", "link", "set", "eth0", "address", OTHER_MAC)
    assert source_seen(pod, NEIGHBOUR_IP, timeout=5.0) == POD
