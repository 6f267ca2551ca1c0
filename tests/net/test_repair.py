"""What an operator, networkd or another tool took away comes back; what is theirs is left alone."""

import pytest

from ipamd.net.nft_elements import Element, Elements, add
from ipamd.runtime import failpoints
from tests.net.world import DIRECT, INTERNET_IP, NEIGHBOUR_IP, PRIMARY_MAC, source_seen

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"

DAMAGE = {
    "rules flushed": ["ip rule del priority 512", "ip rule del priority 1024", "ip rule del priority 1536"],
    "routes of the ENI flushed": ["ip route flush table 4003"],
    "routes of Pods deleted": [f"ip route delete {POD}", f"ip route delete {OTHER}"],
    "systemd-networkd restarted": [
        "ip rule del priority 512",
        "ip rule del priority 1024",
        "ip rule del priority 1536",
        "ip route flush table all proto 116",
    ],
    "nftables.service restarted": ["nft flush ruleset"],
    "table deleted": ["nft delete table ip tke_eni"],
    "chain flushed": ["nft flush chain ip tke_eni prerouting"],
    "chain of the ENI flushed": ["nft flush chain ip tke_eni leave_0x2000000"],
    "NAT rule gone": ["nft flush chain ip tke_eni postrouting"],
    "maps flushed": [
        "nft flush map ip tke_eni pods",
        "nft flush set ip tke_eni eip_pods",
        "nft flush map ip tke_eni eni_returns",
        "nft flush map ip tke_eni eni_arrivals",
        "nft flush set ip tke_eni direct_cidrs",
    ],
    "link down": ["ip link set eth1 down"],
    "forwarding off": ["sysctl -qw net.ipv4.ip_forward=0"],
    "reverse path by the mark off": [
        "sysctl -qw net.ipv4.conf.eth1.rp_filter=2",
        "sysctl -qw net.ipv4.conf.eth1.src_valid_mark=0",
    ],
}


def repair(world):
    """As the agent's repair loop: node, ENIs, then the Pods."""
    world.ensure()
    for wiring in world.pods.values():
        assert world.on_node(lambda wiring=wiring: world.dataplane.connect_pod(wiring))


def seen(world, with_eip, without):
    return (
        source_seen(with_eip, INTERNET_IP, timeout=0.5),
        source_seen(with_eip, NEIGHBOUR_IP, timeout=0.5),
        source_seen(without, NEIGHBOUR_IP, timeout=0.5),
    )


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "routes of Pods deleted"])
def test_damage_to_the_node_is_counted_once(world, damage):
    world.ensure()
    assert world.dataplane.mended == 0

    for command in DAMAGE[damage]:
        world.node.run(*command.split())
    world.ensure()

    counted = world.dataplane.mended
    assert counted >= 1
    world.ensure()
    assert world.dataplane.mended == counted


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_mended(world, damage):
    rule = "-t nat -A POSTROUTING -o eth+ ! -d 10.0.0.0/16 -j MASQUERADE"
    world.node.run("iptables-legacy", *rule.split())
    pods = world.add_pod(POD, eip=True), world.add_pod(OTHER)
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    for command in DAMAGE[damage]:
        world.node.run(*command.split())
    assert seen(world, *pods) != (POD, POD, OTHER), "the damage has to be one"
    repair(world)

    assert seen(world, *pods) == (POD, POD, OTHER)


def test_a_table_of_another_form_is_replaced_with_its_pods_kept(world):
    """As after an upgrade from a version that hooked its chains elsewhere."""
    world.node.run("nft", "flush", "ruleset")
    world.node.run(
        "nft",
        "-f",
        "-",
        stdin="""
        table ip tke_eni {
          set direct_cidrs { type ipv4_addr; }
          chain pod_0x1000000 { accept
          }
          map pods { type ipv4_addr : verdict; elements = { 10.0.1.100 : goto pod_0x1000000 }
          }
          set eip_pods { type ipv4_addr; elements = { 10.0.1.100 }
          }
          chain prerouting { type filter hook prerouting priority 5; policy accept;
          }
        }
    """,
    )
    world.ensure()

    found = world.snapshot()
    assert found.pod_marks == {"10.0.1.100": 0x1000000}
    assert found.eip_pods == {"10.0.1.100"}
    assert "priority dstnat + 10" in world.node.run("nft", "list", "table", "tke_eni")


class Meddler:
    """Flushes a part of the table as soon as it was written, before anybody can look at it."""

    def __init__(self, world, part):
        self._world = world
        self._part = part

    def before(self, step):
        pass

    def after(self, step, seconds, error):
        if step == "nft.write_table":
            self._world.node.run("nft", "flush", *self._part)


@pytest.mark.parametrize(
    "part",
    [("chain", "ip", "tke_eni", "sources"), ("map", "ip", "tke_eni", "eni_returns")],
    ids=lambda part: part[-1],
)
def test_what_is_flushed_at_the_moment_of_a_repair_is_not_taken_for_how_it_should_be(world, part):
    whole = world.node.run("nft", "-s", "list", part[0], *part[1:])
    world.node.run("nft", "flush", "chain", "ip", "tke_eni", "postrouting")
    leave = failpoints.listen(Meddler(world, part))
    try:
        world.ensure_node()
    finally:
        leave()
    assert world.node.run("nft", "-s", "list", part[0], *part[1:]) != whole

    world.ensure()

    assert world.node.run("nft", "-s", "list", part[0], *part[1:]) == whole


def foreign(world):
    world.node.run("ip", "rule", "add", "priority", "512", "from", "192.0.2.1", "lookup", "77")
    world.node.run("ip", "rule", "add", "fwmark", "0x2000000/0x3f000000", "priority", "99", "lookup", "78")
    world.node.run("ip", "route", "add", "192.0.2.0/24", "dev", "eth0", "table", "77")
    world.node.run("ip", "route", "add", "192.0.2.0/24", "dev", "eth0")
    world.node.run("nft", "add", "table", "ip", "theirs")
    world.node.run("nft", "add", "set", "ip", "theirs", "pods", "{ type ipv4_addr; }")
    world.node.run("nft", "add", "table", "inet", "tke_eni")
    world.node.run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", "-j", "MASQUERADE")
    world.node.run("ip", "link", "add", "eni0123456789a", "type", "veth", "peer", "name", "theirs")


def theirs(world):
    return [
        [line for line in world.node.run(*command.split()).splitlines() if "proto 116" not in line]
        for command in ("ip rule", "ip -4 route show table all", "nft list tables", "ls /sys/class/net")
    ]


def test_nothing_of_others_is_touched(bare_world):
    world = bare_world
    foreign(world)
    before = theirs(world)
    world.ensure()
    world.add_pod(POD, eip=True)
    repair(world)
    assert set(theirs(world)[0]) == set(before[0])
    world.on_node(world.dataplane.remove_all)

    assert theirs(world) == before


def test_after_removal_nothing_of_ours_is_left_and_all_can_be_made_again(world):
    world.add_pod(POD, eip=True)
    world.add_pod(OTHER)
    for _ in range(2):
        world.on_node(world.dataplane.remove_all)
        assert world.snapshot().empty
        assert "proto 116" not in world.node.run("ip", "route", "show", "table", "all")
        assert "proto 116" not in world.node.run("ip", "rule")
    world.ensure()
    pod = world.add_pod("10.0.1.102", eip=True)
    world.serve(world.internet, INTERNET_IP)

    assert source_seen(pod, INTERNET_IP) == "10.0.1.102"


def test_a_thousand_routes_are_removed_at_once(world):
    batch = "\n".join(
        f"route add 10.9.{n // 250}.{n % 250}/32 dev eth0 table 4999 proto 116" for n in range(1000)
    )
    world.node.run("ip", "-batch", "-", stdin=batch)
    world.on_node(world.dataplane.remove_all)

    assert world.snapshot().empty


def test_the_snapshot_shows_what_there_is(world):
    world.add_pod(POD, eip=True, alias="web")
    world.add_pod(OTHER, eni_mark=world.enis["eth0"].mark)
    found = world.snapshot()

    assert not found.empty
    assert found.table_exists
    assert found.pod_marks == {POD: 0x2000000, OTHER: 0x1000000}
    assert found.eip_pods == {POD}
    assert found.eni_marks == {0x1000000, 0x2000000}
    assert {(link.name, link.alias, link.up) for link in found.links} == {
        (world.pods[POD].host_veth, "web", True),
        (world.pods[OTHER].host_veth, "", True),
    }
    assert {(r.table, r.destination) for r in found.routes} == {
        (254, f"{POD}/32"),
        (254, f"{OTHER}/32"),
        (world.enis["eth1"].table, "0.0.0.0/0"),
    }


def test_a_pod_that_is_wired_while_the_node_is_repaired_is_not_lost(world):
    """Repair writes chains and rules, never the maps that ADD writes."""
    world.node.run("nft", "flush", "chain", "ip", "tke_eni", "prerouting")
    elements = Elements()
    world.on_node(lambda: elements.apply([add("pods", Element(POD, "pod_0x2000000"))]))
    elements.close()
    world.on_node(lambda: world.dataplane.ensure_node(PRIMARY_MAC, DIRECT))

    assert world.snapshot().pod_marks == {POD: 0x2000000}
