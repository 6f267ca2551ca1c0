import re
import threading
import time

import pytest

from ipamd.core import errors
from ipamd.net import links, nft_generation
from ipamd.net.model import DataPlaneConfig, Ranges
from tests.net.world import DIRECT, GATEWAY, INTERNET_IP, PRIMARY_MAC, SECONDARY_MAC, source_seen

pytestmark = pytest.mark.netns
THIRD_MAC = "20:90:6f:00:00:12"


def ensure_eni(world, mac):
    return world.on_node(lambda: world.dataplane.ensure_eni(mac, GATEWAY))


_CARRIER = re.compile(r"NO-CARRIER,|,LOWER_UP| state \w+| linkdown\b")
"""What the kernel says of a link's carrier, some time after its other end came or went."""


def state(world):
    """Return all that the data plane may have written, as the tools of an operator show it."""
    return [
        _CARRIER.sub("", world.node.run(*command.split()))
        for command in (
            "nft -a list ruleset",
            "ip rule",
            "ip -4 route show table all",
            "ip -o link",
            "ip -4 -o address",
        )
    ]


def test_an_eni_gets_what_it_needs(world):
    eni = world.enis["eth1"]

    assert (eni.name, eni.table) == ("eth1", 4000 + eni.ifindex)
    assert world.node.run("ip", "route", "show", "table", str(eni.table)).split() == (
        f"default via {GATEWAY} dev eth1 proto 116 onlink".split()
    )
    assert world.node.run("ip", "rule").splitlines()[1:4] == [
        "512:\tfrom all lookup main suppress_prefixlength 31 proto 116",
        "1024:\tfrom all fwmark 0x2000000/0x3f000000 iif eth1 lookup main proto 116",
        f"1536:\tfrom all fwmark 0x2000000/0x3f000000 lookup {eni.table} proto 116",
    ]
    assert world.node.run("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"


def test_the_primary_eni_needs_neither_table_nor_rule(world):
    assert (world.enis["eth0"].table, world.enis["eth0"].mark) == (254, 0x1000000)
    assert "eth0" not in world.node.run("ip", "rule")


def test_everything_again_changes_nothing(world):
    world.add_pod("10.0.1.100", eip=True)
    before = state(world)
    for _ in range(3):
        world.ensure()

    assert state(world) == before


def test_a_new_agent_writes_the_same_again(world):
    world.add_pod("10.0.1.100", eip=True)
    before, marks = world.snapshot(), {name: eni.mark for name, eni in world.enis.items()}
    world.restart_agent()
    world.ensure()

    assert world.snapshot() == before
    assert {name: eni.mark for name, eni in world.enis.items()} == marks


def test_marks_do_not_depend_on_the_order_after_a_restart(world):
    """Connections carry them, so a mark must mean the same ENI to the next agent."""
    world.attach_eni("p5", "eth2", THIRD_MAC)
    marks = {mac: ensure_eni(world, mac).mark for mac in (SECONDARY_MAC, THIRD_MAC)}
    world.restart_agent()
    world.ensure_node()

    assert {mac: ensure_eni(world, mac).mark for mac in (THIRD_MAC, SECONDARY_MAC)} == marks
    assert len(set(marks.values())) == 2


def test_a_link_that_appears_late_is_waited_for(world):
    def attach():
        time.sleep(0.3)
        world.attach_eni("p5", "eth2", THIRD_MAC)

    thread = threading.Thread(target=attach)
    thread.start()
    eni = ensure_eni(world, THIRD_MAC)
    thread.join()

    assert eni.name == "eth2"


@pytest.mark.parametrize("config", [DataPlaneConfig(link_wait=0.2)])
def test_a_link_that_does_not_come_is_told_with_its_mac(bare_world):
    with pytest.raises(errors.TryAgainError, match=THIRD_MAC):
        bare_world.on_node(lambda: bare_world.dataplane.ensure_node(THIRD_MAC, DIRECT))


def test_macs_may_be_written_in_capitals(bare_world):
    world = bare_world
    world.on_node(lambda: world.dataplane.ensure_node(PRIMARY_MAC.upper(), DIRECT))

    assert ensure_eni(world, SECONDARY_MAC.upper()).name == "eth1"


def test_the_mtu_comes_from_the_primary(bare_world):
    bare_world.node.run("ip", "link", "set", "eth0", "mtu", "1400")

    assert bare_world.ensure().mtu == 1400
    assert " mtu 1400 " in bare_world.node.run("ip", "link", "show", "eth1")


def test_an_eni_is_there_as_long_as_its_very_link_is_up(world):
    eni = world.enis["eth1"]

    def is_there():
        return world.on_node(lambda: world.dataplane.has_eni(eni))

    assert is_there()
    world.node.run("ip", "link", "set", "eth1", "down")
    assert not is_there()
    world.node.run("ip", "link", "delete", "eth1")
    assert not is_there()
    world.attach_eni("p1", "eth1", SECONDARY_MAC)
    world.node.run("ip", "link", "set", "eth1", "up")
    assert not is_there(), "another link with the same MAC has nothing of what was set up"


def test_subnet_routes_by_the_eni_are_removed_and_its_address_stays(bare_world):
    """The guest's DHCP client gives the link an address, and the kernel a route that steals the subnet."""
    world = bare_world
    world.node.run("ip", "link", "set", "eth1", "up")
    world.node.run("ip", "address", "add", "10.0.1.99/24", "dev", "eth1")
    assert "dev eth1" in world.node.run("ip", "route")
    world.ensure()

    assert "dev eth1" not in world.node.run("ip", "route")
    assert "10.0.1.0/24 dev eth0" in world.node.run("ip", "route")
    assert "10.0.1.99/24" in world.node.run("ip", "address", "show", "eth1")


def test_a_link_with_a_vlan_on_top_is_not_mistaken(world):
    """A macvlan in bridge mode may carry the MAC of the link below it."""
    world.node.run("ip", "link", "add", "top0", "link", "eth1", "address", SECONDARY_MAC, "type", "macvlan")

    assert ensure_eni(world, SECONDARY_MAC).name == "eth1"


def test_an_eni_that_comes_back_under_another_ifindex_keeps_its_mark_and_its_pods(world):
    pod = world.add_pod("10.0.1.100", eip=True)
    world.serve(world.internet, INTERNET_IP)
    before = world.enis["eth1"]
    world.node.run("ip", "link", "delete", "eth1")
    world.attach_eni("p1", "eth1", SECONDARY_MAC)
    world.own("p1", "10.0.1.100", SECONDARY_MAC)
    after = world.ensure()

    assert (after.mark, after.table) == (before.mark, 4000 + after.ifindex)
    assert after.ifindex != before.ifindex
    assert source_seen(pod, INTERNET_IP) == "10.0.1.100"
    assert {rule.table for rule in world.snapshot().rules} == {254, after.table}


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("detached", [False, True])
def test_a_forgotten_eni_leaves_nothing_and_the_others_stay(world, detached, restarted):
    before = world.snapshot()
    world.attach_eni("p5", "eth2", THIRD_MAC)
    mark = ensure_eni(world, THIRD_MAC).mark
    world.add_pod("10.0.1.100")
    world.add_pod("10.0.1.101", eni_mark=mark)
    if detached:
        world.node.run("ip", "link", "delete", "eth2")
    if restarted:
        world.restart_agent()
        world.ensure()
    world.on_node(lambda: world.dataplane.forget_eni(mark))
    after = world.snapshot()

    assert after.rules == before.rules
    assert after.eni_marks == before.eni_marks
    assert after.pod_marks == {"10.0.1.100": world.enis["eth1"].mark}
    assert not [route for route in after.routes if route.table not in (254, world.enis["eth1"].table)]
    assert f"{mark:#010x}" not in world.node.run("nft", "list", "table", "tke_eni")


@pytest.mark.parametrize("restarted", [False, True])
def test_what_a_detached_eni_left_is_removed_without_knowing_its_mark(world, restarted):
    before = world.snapshot()
    world.attach_eni("p5", "eth2", THIRD_MAC)
    mark = ensure_eni(world, THIRD_MAC).mark
    world.node.run("ip", "link", "delete", "eth2")
    if restarted:
        world.restart_agent()
        world.ensure()

    forgotten = world.on_node(world.dataplane.forget_others)
    after = world.snapshot()

    assert forgotten == [mark]
    assert (after.rules, after.eni_marks) == (before.rules, before.eni_marks)


def test_an_eni_that_is_there_or_that_a_pod_uses_is_not_taken_for_detached(world):
    world.attach_eni("p5", "eth2", THIRD_MAC)
    mark = ensure_eni(world, THIRD_MAC).mark
    world.add_pod("10.0.1.101", eni_mark=mark)
    world.node.run("ip", "link", "delete", "eth2")
    world.restart_agent()
    world.ensure()
    before = state(world)

    assert world.on_node(world.dataplane.forget_others) == []
    assert state(world) == before


def test_forgetting_an_unknown_eni_is_no_error(world):
    before = state(world)
    world.on_node(lambda: world.dataplane.forget_eni(0x3F000000))

    assert state(world) == before


def test_the_primary_cannot_be_forgotten(world):
    with pytest.raises(errors.IpamError, match="primary"):
        world.on_node(lambda: world.dataplane.forget_eni(0x1000000))


def test_the_node_comes_before_its_enis(bare_world):
    with pytest.raises(errors.IpamError, match="ensure_node"):
        ensure_eni(bare_world, SECONDARY_MAC)


def test_the_primary_may_be_ensured_like_any_other(world):
    assert ensure_eni(world, PRIMARY_MAC) == world.enis["eth0"]


def test_a_hostile_gateway_is_refused(world):
    for gateway in ("", "10.0.1", "10.0.1.1/24", "fe80::1", "$(reboot)"):
        with pytest.raises(errors.InvalidInputError, match="gateway"):
            world.on_node(lambda gateway=gateway: world.dataplane.ensure_eni(SECONDARY_MAC, gateway))


@pytest.mark.parametrize(
    ("cidrs", "printed"),
    [
        ((), ""),
        (("0.0.0.0/0",), "0.0.0.0/0"),
        (("10.0.0.0/16", "10.0.1.0/24", "10.1.0.0/16"), "10.0.0.0/15"),
        (("10.9.9.9/32", "192.168.0.0/16"), "10.9.9.9, 192.168.0.0/16"),
    ],
)
@pytest.mark.parametrize("name", ["direct_cidrs", "unmasqueraded_cidrs"])
def test_ranges_may_overlap_and_change(world, name, cidrs, printed):
    ranges = Ranges(cidrs) if name == "direct_cidrs" else Ranges((), cidrs)
    world.ensure_node(ranges)
    listed = world.node.run("nft", "list", "set", "ip", "tke_eni", name)

    assert ("{ " + printed + " }" in listed) if printed else "elements" not in listed


def test_a_link_that_is_not_there_is_said_to_be_absent_or_how_long_it_was_waited_for(world):
    absent = "20:90:6f:00:00:99"
    with pytest.raises(errors.TryAgainError) as found:
        world.on_node(lambda: world.dataplane.ensure_eni(absent, GATEWAY, wait=False))
    assert found.value.message == f"no link with MAC {absent} is on the node"

    with pytest.raises(errors.TryAgainError) as found:
        world.on_node(lambda: links.await_mac(absent, 0.2))
    assert found.value.message == f"no link with MAC {absent} appeared on the node within 0.2 s"


def test_many_enis_are_set_up_with_one_write_of_the_table_and_one_without_link_keeps_none_from_it(world):
    world.attach_eni("p9", "eth2", THIRD_MAC)
    world.restart_agent()
    world.ensure_node()
    before = world.on_node(nft_generation.current)
    seen = world.on_node(world.dataplane.listing)
    wanted = [(SECONDARY_MAC, GATEWAY), ("20:90:6f:00:00:99", GATEWAY), (THIRD_MAC, GATEWAY)]
    second, absent, third = world.on_node(lambda: world.dataplane.ensure_enis(wanted, seen))

    assert world.on_node(nft_generation.current) == before + 1
    assert isinstance(absent, errors.TryAgainError)
    assert (second.name, third.name) == ("eth1", "eth2")
    assert second.mark != third.mark
    assert [eni.name for eni in world.dataplane.enis] == ["eth0", "eth1", "eth2"]
    assert world.dataplane.mended == 0
    assert world.on_node(lambda: world.dataplane.differences(world.dataplane.listing())) == []


def test_what_one_of_many_enis_has_lost_is_made_again_and_counted(world):
    world.node.run("ip", "link", "set", "eth1", "down")
    seen = world.on_node(world.dataplane.listing)
    (eni,) = world.on_node(lambda: world.dataplane.ensure_enis([(SECONDARY_MAC, GATEWAY)], seen))

    assert eni == world.enis["eth1"]
    assert world.dataplane.mended == 1
    assert world.on_node(lambda: world.dataplane.differences(world.dataplane.listing())) == []
