import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipamd.core import errors, names
from ipamd.net import links
from ipamd.net.netlink import ROUTE, NetlinkSocket
from tests.net.world import end_of
from tests.testkit.eventually import eventually

pytestmark = pytest.mark.netns
POD = "10.0.1.100"
OTHER_MAC = names.host_mac("other", "eth0")


def wire(world, wiring):
    return world.on_node(lambda: world.dataplane.wire_pod(wiring))


def unwire(world, wiring):
    world.on_node(lambda: world.dataplane.unwire_pod(wiring.ip, wiring.host_end))


def nothing_of_pods(world):
    found = world.snapshot()
    return not (
        found.links or found.pod_marks or found.eip_pods or any(route.table == 254 for route in found.routes)
    )


def test_the_answer_is_what_the_kernel_has(world):
    sandbox = world.sandbox()
    wiring = world.wiring(sandbox, POD)
    made = wire(world, wiring)
    printed = sandbox.run("ip", "-o", "link", "show", "eth0")
    neighbour = f"169.254.1.1 dev eth0 lladdr {made.host_mac} PERMANENT"

    assert (made.host_mac, made.pod_mac) == (end_of(POD).mac, names.pod_mac(end_of(POD).mac))
    assert made.pod_mac in printed
    assert printed.startswith(f"{made.pod_ifindex}:")
    assert f"{made.host_ifindex}:" in world.node.run("ip", "-o", "link", "show", wiring.host_veth)
    assert sandbox.run("ip", "neighbour").split() == neighbour.split()
    assert [line.split() for line in sandbox.run("ip", "route").splitlines()] == [
        ["default", "via", "169.254.1.1", "dev", "eth0", "proto", "116", "onlink"],
        ["169.254.1.1", "dev", "eth0", "proto", "116", "scope", "link"],
    ]


def test_the_mtu_of_both_ends_is_as_given(world):
    sandbox = world.sandbox()
    wiring = world.wiring(sandbox, POD, mtu=8500)
    wire(world, wiring)

    assert " mtu 8500 " in sandbox.run("ip", "link", "show", "eth0")
    assert " mtu 8500 " in world.node.run("ip", "link", "show", wiring.host_veth)


def test_udev_has_no_reason_to_change_the_macs(world):
    """MACAddressPolicy=persistent acts on random MACs (addr_assign_type 1), not on given ones (3)."""
    sandbox = world.sandbox()
    wiring = world.wiring(sandbox, POD)
    wire(world, wiring)

    assert world.node.run("cat", f"/sys/class/net/{wiring.host_veth}/addr_assign_type") == "3\n"
    assert sandbox.run("cat", "/sys/class/net/eth0/addr_assign_type") == "3\n"


def test_the_alias_tells_people_which_pod_it_is(world):
    world.add_pod(POD, alias="tke-eni abc eth0 default/web-0 uid")

    (link,) = world.snapshot().links
    assert link.alias == "tke-eni abc eth0 default/web-0 uid"


def test_wired_again_the_pod_has_the_same(world):
    sandbox = world.sandbox()
    wiring = world.wiring(sandbox, POD, eip=True)
    first, second = wire(world, wiring), wire(world, wiring)

    assert (first.host_mac, first.pod_mac) == (second.host_mac, second.pod_mac)
    assert world.on_node(lambda: world.dataplane.check_pod(wiring)) == []


def test_a_left_over_link_of_the_same_name_is_replaced(world):
    """The first sandbox died without DEL; the second one has another namespace, IP and MAC."""
    old = world.wiring(world.sandbox(), POD, eip=True)
    wire(world, old)
    new = world.wiring(world.sandbox(), "10.0.1.101", host_veth=old.host_veth, host_mac=OTHER_MAC)
    wire(world, new)

    assert world.on_node(lambda: world.dataplane.check_pod(new)) == []
    (link,) = world.snapshot().links
    assert link.mac == OTHER_MAC


def test_a_late_del_of_the_old_sandbox_leaves_the_new_one_alone(world):
    old = world.wiring(world.sandbox(), POD)
    wire(world, old)
    new = world.wiring(world.sandbox(), "10.0.1.101", host_veth=old.host_veth, host_mac=OTHER_MAC)
    wire(world, new)
    unwire(world, old)

    assert world.on_node(lambda: world.dataplane.check_pod(new)) == []
    assert set(world.snapshot().pod_marks) == {"10.0.1.101"}


def test_a_stale_route_of_the_same_ip_is_replaced(world):
    """A new Pod with a re-used IP had no network, where a route of the old one stayed."""
    world.node.run("ip", "link", "add", "old0", "type", "veth", "peer", "name", "old1")
    world.node.run("ip", "link", "set", "old0", "up")
    world.node.run("ip", "route", "add", f"{POD}/32", "dev", "old0", "scope", "link")
    world.add_pod(POD)

    assert world.on_node(lambda: world.dataplane.check_pod(world.pods[POD])) == []


def test_an_ip_that_moves_to_another_eni_takes_its_mark_along(world):
    sandbox = world.sandbox()
    wire(world, world.wiring(sandbox, POD))
    moved = world.wiring(sandbox, POD, eni_mark=world.enis["eth0"].mark)
    wire(world, moved)

    assert world.snapshot().pod_marks == {POD: world.enis["eth0"].mark}


def test_an_ip_without_eip_does_not_inherit_the_one_before_it(world):
    wire(world, world.wiring(world.sandbox(), POD, eip=True))
    wire(world, world.wiring(world.sandbox(), POD, eip=False))

    assert world.snapshot().eip_pods == frozenset()


def test_unwiring_leaves_nothing(world):
    sandbox = world.add_pod(POD, eip=True)
    unwire(world, world.pods[POD])

    assert nothing_of_pods(world)
    assert "eth0" not in sandbox.run("ip", "link")


@pytest.mark.parametrize("times", [1, 2])
def test_unwiring_works_when_the_namespace_is_gone(world, times):
    world.add_pod(POD, eip=True).delete()
    for _ in range(times):
        unwire(world, world.pods[POD])

    assert nothing_of_pods(world)


def test_unwiring_the_unknown_is_no_error(world):
    before = world.generation()
    unwire(world, world.wiring(world.sandbox(), POD))

    assert world.generation() == before


def test_unwiring_works_before_the_node_was_ever_set_up(bare_world):
    bare_world.on_node(lambda: bare_world.dataplane.unwire_pod(POD, names.host_end("a", "b")))

    assert bare_world.snapshot().empty


@pytest.mark.parametrize("lost", ["link", "route", "elements", "table"])
def test_unwiring_works_whatever_is_missing_already(world, lost):
    world.add_pod(POD, eip=True)
    veth = world.pods[POD].host_veth
    for command in {
        "link": [["ip", "link", "delete", veth]],
        "route": [["ip", "route", "delete", POD]],
        "elements": [
            ["nft", "delete", "element", "ip", "tke_eni", "pods", f"{{ {POD} }}"],
            ["nft", "delete", "element", "ip", "tke_eni", "eip_pods", f"{{ {POD} }}"],
        ],
        "table": [["nft", "flush", "ruleset"]],
    }[lost]:
        world.node.run(*command)
    unwire(world, world.pods[POD])

    assert nothing_of_pods(world)


def test_a_pod_that_is_cut_off_has_no_traffic_at_once_and_no_link_soon(world):
    world.add_pod(POD)
    wiring = world.pods[POD]

    world.on_node(lambda: world.dataplane.cut_pod(wiring.ip, wiring.host_end))

    found = world.snapshot()
    assert not found.pod_marks
    assert not found.eip_pods
    assert not [route for route in found.routes if route.table == 254]
    eventually(lambda: nothing_of_pods(world))


def test_the_link_of_a_new_sandbox_survives_the_removal_of_the_old_one(world):
    world.add_pod(POD)
    wiring = world.pods[POD]
    world.on_node(lambda: world.dataplane.cut_pod(wiring.ip, wiring.host_end))
    made = wire(world, world.wiring(world.sandbox(), POD))

    world.on_node(world.dataplane.close)

    assert [link.ifindex for link in world.snapshot().links] == [made.host_ifindex]


def test_closing_waits_for_links_that_are_being_removed(world):
    for number in range(5):
        world.add_pod(f"10.0.1.{100 + number}")
    for wiring in world.pods.values():
        world.on_node(lambda wiring=wiring: world.dataplane.cut_pod(wiring.ip, wiring.host_end))

    leaving = world.dataplane.leaving
    links = {link.ifindex for link in world.snapshot().links}
    assert links <= leaving, "the repair is not to take them for leftovers"

    world.on_node(world.dataplane.close)

    assert nothing_of_pods(world)
    assert world.dataplane.leaving == frozenset()


def test_routes_of_others_to_the_same_address_stay(world):
    world.node.run("ip", "route", "add", f"{POD}/32", "dev", "eth0", "scope", "link", "metric", "7")
    world.add_pod(POD)
    unwire(world, world.pods[POD])

    assert f"{POD} dev eth0" in world.node.run("ip", "route")


@pytest.mark.parametrize("path", ["/run/netns/gone", "/etc/passwd", "/proc/self/ns/net", "relative"])
def test_a_wrong_namespace_leaves_nothing_behind(world, path):
    sandbox = world.sandbox()
    with pytest.raises(errors.NetnsError, match="CNI_NETNS"):
        wire(world, world.wiring(sandbox, POD, netns_path=path))

    assert nothing_of_pods(world)


def test_an_interface_that_exists_in_the_sandbox_is_not_touched(world):
    sandbox = world.sandbox()
    sandbox.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "x")
    before = sandbox.run("ip", "link")
    with pytest.raises(errors.InvalidInputError, match="eth0 exists already"):
        wire(world, world.wiring(sandbox, POD))

    assert nothing_of_pods(world)
    assert sandbox.run("ip", "link") == before


def test_an_eni_that_is_not_set_up_is_told_and_nothing_stays(world):
    with pytest.raises(errors.KernelError, match=POD) as caught:
        wire(world, world.wiring(world.sandbox(), POD, eni_mark=0x3F000000))

    assert caught.value.errno == errno.ENOENT
    assert nothing_of_pods(world)


def test_unwiring_refuses_links_that_are_not_pods(world):
    with pytest.raises(errors.InvalidInputError):
        world.on_node(lambda: world.dataplane.unwire_pod(POD, names.HostEnd("eth0", OTHER_MAC)))

    assert "eth0" in world.node.run("ip", "link")


def test_many_pods_at_once_from_many_threads(world):
    """As the agent does it: threads of a pool, all in the node's namespace, ADD and DEL mixed."""
    wirings = [world.wiring(world.sandbox(), f"10.0.1.{n}") for n in range(100, 132)]
    gone, kept = wirings[::2], wirings[1::2]

    def add(wiring):
        world.on_node(lambda: world.dataplane.wire_pod(wiring))
        if wiring in gone:
            world.on_node(lambda: world.dataplane.unwire_pod(wiring.ip, wiring.host_end))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add, wirings))

    found = world.snapshot()
    assert set(found.pod_marks) == {wiring.ip for wiring in kept}
    assert {link.name for link in found.links} == {wiring.host_veth for wiring in kept}
    for wiring in kept:
        assert world.on_node(lambda wiring=wiring: world.dataplane.check_pod(wiring)) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "pod-netns"]


def test_connecting_mends_the_nodes_side_only(world):
    world.add_pod(POD, eip=True, alias=f"tke-eni abc eth0 - uid {POD}")
    wiring = world.pods[POD]
    world.node.run("ip", "route", "delete", POD)
    world.node.run("nft", "delete", "element", "ip", "tke_eni", "pods", f"{{ {POD} }}")
    world.node.run("nft", "delete", "element", "ip", "tke_eni", "eip_pods", f"{{ {POD} }}")
    before = world.node.run("ip", "-o", "link", "show", wiring.host_veth)

    assert world.on_node(lambda: world.dataplane.connect_pod(wiring))
    assert world.on_node(lambda: world.dataplane.check_pod(wiring)) == []
    assert world.node.run("ip", "-o", "link", "show", wiring.host_veth) == before


def test_connecting_says_when_the_link_is_gone_or_another_sandboxes(world):
    wiring = world.wiring(world.sandbox(), POD)
    assert not world.on_node(lambda: world.dataplane.connect_pod(wiring))

    other = world.wiring(world.sandbox(), "10.0.1.101", host_veth=wiring.host_veth, host_mac=OTHER_MAC)
    wire(world, other)
    assert not world.on_node(lambda: world.dataplane.connect_pod(wiring))


def test_links_are_found_by_name_or_not_at_all(world):
    def look(name):
        with NetlinkSocket(ROUTE) as channel:
            return links.by_name(channel, name)

    assert world.on_node(lambda: look("eth0")).mac == world.enis["eth0"].mac
    assert world.on_node(lambda: look("nope")) is None
