import pytest

from ipamd.core import names
from ipamd.net.model import ChainedLink
from tests.net.world import end_of

pytestmark = pytest.mark.netns
POD = "10.0.1.100"
VETH = end_of(POD).name
ALIAS = f"tke-eni abc eth0 - uid {POD}"


def differences(world):
    return world.on_node(lambda: world.dataplane.check_pod(world.pods[POD]))


@pytest.mark.parametrize("eip", [False, True])
def test_a_pod_that_was_just_wired_has_no_differences(world, eip):
    world.add_pod(POD, eip=eip)

    assert differences(world) == []


@pytest.mark.parametrize(
    ("where", "command", "expected"),
    [
        ("node", f"ip link set {VETH} down", f"link {VETH} on the node is down"),
        ("node", f"ip link set {VETH} address 02:00:00:00:00:01", "has MAC 02:00:00:00:00:01, not 0a:e2:"),
        ("node", f"ip link set {VETH} mtu 1400", "has MTU 1400, not 1500"),
        ("node", f"ip link set {VETH} alias x", "has the alias 'x', not 'tke-eni abc eth0 - uid 10.0.1.100'"),
        (
            "node",
            f"sysctl -qw net.ipv6.conf.{VETH}.disable_ipv6=0",
            f"link {VETH} on the node takes part in IPv6",
        ),
        (
            "node",
            f"ip neighbour delete proxy 169.254.1.1 dev {VETH}",
            f"link {VETH} on the node does not answer",
        ),
        ("node", f"ip link delete {VETH}", f"link {VETH} does not exist on the node"),
        ("node", f"ip route delete {POD}", f"main has no route {POD}/32 dev {VETH}"),
        ("node", f"ip route replace {POD}/32 dev eth0 scope link", f"main has no route {POD}/32 dev {VETH}"),
        ("node", "nft flush map ip tke_eni pods", f"{POD} in nft map tke_eni pods is missing, not goto"),
        ("node", "nft flush ruleset", f"{POD} in nft map tke_eni pods is missing, not goto"),
        (
            "node",
            f"nft flush map ip tke_eni pods; add element ip tke_eni pods {{ {POD} : goto pod_0x1000000 }}",
            "is goto pod_0x1000000, not goto pod_0x2000000",
        ),
        (
            "node",
            f"nft add element ip tke_eni eip_pods {{ {POD} }}",
            f"{POD} must not be in nft set tke_eni eip_pods",
        ),
        ("pod", "ip link set eth0 down", "interface eth0 of the Pod is down"),
        ("pod", "ip link set eth0 name eth9", "interface eth0 does not exist in"),
        ("pod", "ip link set eth0 mtu 1600", "interface eth0 of the Pod has MTU 1600, not 1500"),
        ("pod", "ip address flush dev eth0", f"interface eth0 of the Pod has no address {POD}/32"),
        ("pod", "ip route delete 169.254.1.1", "the Pod has no route 169.254.1.1 dev eth0"),
        ("pod", "ip route delete default", "the Pod has no default route via 169.254.1.1 dev eth0"),
        (
            "pod",
            "ip neighbour replace 169.254.1.1 dev eth0 lladdr 02:00:00:00:00:01 nud permanent",
            "neighbour entry for 169.254.1.1 is not 0a:e2:",
        ),
    ],
)
def test_each_difference_is_named(world, where, command, expected):
    pod = world.add_pod(POD, alias=ALIAS)
    {"node": world.node, "pod": pod}[where].run(*split(command))

    assert any(expected in sentence for sentence in differences(world)), differences(world)


def test_a_link_that_is_down_is_one_difference_with_all_that_the_kernel_takes_away_with_it(world):
    world.add_pod(POD, alias=ALIAS)
    world.node.run("ip", "link", "set", VETH, "down")

    assert [sentence for sentence in differences(world) if "of the Pod" not in sentence] == [
        f"link {VETH} on the node is down"
    ]


def test_a_missing_eip_is_named(world):
    world.add_pod(POD, eip=True)
    world.node.run("nft", "flush", "set", "ip", "tke_eni", "eip_pods")

    assert differences(world) == [f"{POD} is missing from nft set tke_eni eip_pods"]


def test_a_namespace_that_is_gone_is_a_difference_and_no_failure(world):
    pod = world.add_pod(POD)
    pod.delete()

    assert any("CNI_NETNS" in sentence for sentence in differences(world))


@pytest.mark.parametrize(
    "command",
    [
        "ip link set eth0 address 02:00:00:00:00:01",
        "ip link set eth0 mtu 1400",
        "ip address add 192.0.2.5/32 dev eth0",
        "ip neighbour flush all nud permanent",
        "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0",
    ],
)
def test_what_a_pod_or_a_chained_plugin_may_change_is_no_difference(world, command):
    world.add_pod(POD).run(*command.split())

    assert differences(world) == []


@pytest.mark.parametrize(
    ("chained", "expected"),
    [
        (ChainedLink(mac="02:00:00:00:00:01", mtu=1400), []),
        (
            ChainedLink(mac=names.pod_mac(end_of(POD).mac), mtu=1500),
            ["has MAC 02:00:00:00:00:01, not 0a:e3:"],
        ),
        (ChainedLink(mac="02:00:00:00:00:02"), ["has MAC 02:00:00:00:00:01, not 0a:e3:"]),
    ],
)
def test_a_mac_has_to_be_ours_or_that_which_the_runtime_knows_of(world, chained, expected):
    pod = world.add_pod(POD)
    pod.run("ip", "link", "set", "eth0", "address", "02:00:00:00:00:01", "mtu", "1400")

    found = world.on_node(lambda: world.dataplane.check_pod(world.pods[POD], chained))
    assert len(found) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, found, strict=True))


def split(command):
    """Split as a shell does, but give nft its command as one argument: it may hold several."""
    program, rest = command.split(" ", maxsplit=1)
    return [program, rest] if program == "nft" else command.split()
