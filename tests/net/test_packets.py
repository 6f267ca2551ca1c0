"""Real packets through a real kernel: who sees which source address, and that answers come back.

The VPC of the tests drops what leaves by an ENI that does not own the source, so an answer at all shows that
the right ENI was taken.
"""

import pytest

from ipamd.net.model import DataPlaneConfig, PodEgress
from testbed import masquerade as ip_masq_agent
from tests.net.world import INTERNET_IP, NEIGHBOUR_IP, NODE_IP, source_seen

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"


def masquerade(world, flavour, sources=()):
    """Install what ip-masq-agent installs: all but the VPC is masqueraded, and not these sources."""
    ip_masq_agent.install(
        world.node.name, vpc_cidrs=["10.0.0.0/16"], sources=sources, iptables=f"iptables-{flavour}"
    )


def test_pod_reaches_pod_of_the_same_node(world):
    pod, other = world.add_pod(POD), world.add_pod(OTHER)
    world.serve(other, OTHER)

    assert source_seen(pod, OTHER) == POD


def test_node_reaches_pod_and_pod_reaches_node(world):
    pod = world.add_pod(POD)
    world.serve(pod, POD)
    world.serve(world.node, NODE_IP)

    assert source_seen(world.node, POD) == NODE_IP
    assert source_seen(pod, NODE_IP) == POD


def test_pod_and_vpc_neighbour_reach_each_other_by_the_pods_own_eni(world):
    """The neighbour is in the node's own subnet, which main reaches by the wrong ENI."""
    pod = world.add_pod(POD)
    world.serve(pod, POD)
    world.serve(world.neighbour, NEIGHBOUR_IP)

    assert source_seen(pod, NEIGHBOUR_IP) == POD
    assert source_seen(world.neighbour, POD) == NEIGHBOUR_IP


@pytest.mark.parametrize("eip", [False, True])
def test_client_outside_the_vpc_is_answered_by_the_eni_that_it_came_by(world, eip):
    """As a load balancer that keeps the client's address, or an EIP, sends it: straight to the Pod."""
    masquerade(world, "nft")
    pod = world.add_pod(POD, eip=eip)
    world.serve(pod, POD)

    assert source_seen(world.internet, POD) == INTERNET_IP


@pytest.mark.parametrize("flavour", ["nft", "legacy"])
def test_pod_with_eip_escapes_the_masquerade_that_others_get(world, flavour):
    masquerade(world, flavour)
    world.serve(world.internet, INTERNET_IP)

    assert source_seen(world.add_pod(POD, eip=True), INTERNET_IP) == POD
    assert source_seen(world.add_pod(OTHER), INTERNET_IP) == NODE_IP


@pytest.mark.parametrize("config", [DataPlaneConfig(eip_source_nat_exemption=False)])
@pytest.mark.parametrize("flavour", ["nft", "legacy"])
def test_without_the_exemption_ip_masq_agent_decides_about_pods_with_eip(world, flavour):
    """What it masquerades has the node's address, which the VPC drops on the ENI of the Pod."""
    masquerade(world, flavour)
    world.serve(world.internet, INTERNET_IP)
    pod = world.add_pod(POD, eip=True)
    assert source_seen(pod, INTERNET_IP, timeout=0.5) is None

    masquerade(world, flavour, sources=[f"{POD}/32"])

    assert source_seen(pod, INTERNET_IP) == POD


def test_masquerade_installed_after_the_pods_changes_nothing_for_eips(world):
    pod = world.add_pod(POD, eip=True)
    world.serve(world.internet, INTERNET_IP)
    masquerade(world, "nft")

    assert source_seen(pod, INTERNET_IP) == POD


def test_hairpin_masquerade_of_kube_proxy_still_works_for_pods_with_eip(world):
    """A Pod that reaches itself by a Service must see another source, or it would answer itself."""
    pod = world.add_pod(POD, eip=True)
    world.serve(pod, POD)
    service = "172.16.252.1"
    for rule in (
        f"-A PREROUTING -s {POD} -d {service} -j MARK --set-mark 0x4000/0x4000",
        f"-A PREROUTING -d {service} -p tcp -j DNAT --to {POD}:8080",
        "-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE",
    ):
        world.node.run("iptables-nft", "-t", "nat", *rule.split())

    assert source_seen(pod, service, 80) == NODE_IP


@pytest.mark.parametrize("eip", [False, True])
def test_service_address_leads_to_a_backend_elsewhere_in_the_vpc(world, eip):
    """The ENI is chosen by where the packet goes after kube-proxy's DNAT."""
    masquerade(world, "nft")
    pod = world.add_pod(POD, eip=eip)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    rule = f"-A PREROUTING -d 192.168.77.1 -p tcp -j DNAT --to {NEIGHBOUR_IP}:8080"
    world.node.run("iptables-nft", "-t", "nat", *rule.split())

    assert source_seen(pod, "192.168.77.1", 80) == POD


@pytest.mark.parametrize("eip", [False, True])
@pytest.mark.parametrize("client", ["internet", "neighbour"])
def test_node_port_without_masquerade_is_answered_from_the_node(world, client, eip):
    """With externalTrafficPolicy Local: in by the primary ENI, to a Pod whose own ENI is another."""
    masquerade(world, "nft")
    pod = world.add_pod(POD, eip=eip)
    world.serve(pod, POD)
    rule = f"-A PREROUTING -d {NODE_IP} -p tcp --dport 30080 -j DNAT --to {POD}:8080"
    world.node.run("iptables-nft", "-t", "nat", *rule.split())

    source = {"internet": INTERNET_IP, "neighbour": NEIGHBOUR_IP}[client]
    assert source_seen(getattr(world, client), NODE_IP, 30080) == source


def test_node_port_on_a_secondary_enis_address_is_answered_by_that_eni(world):
    """Where the guest has configured the ENI's address, a Pod of the primary ENI answers by the secondary."""
    pod = world.add_pod(POD, eni_mark=world.enis["eth0"].mark)
    world.own("p0", POD, world.enis["eth0"].mac)
    world.own("p1", "10.0.1.99", world.enis["eth1"].mac)
    world.node.run("ip", "address", "add", "10.0.1.99/32", "dev", "eth1")
    world.serve(pod, POD)
    rule = f"-A PREROUTING -d 10.0.1.99 -p tcp --dport 30080 -j DNAT --to {POD}:8080"
    world.node.run("iptables-nft", "-t", "nat", *rule.split())

    assert source_seen(world.internet, "10.0.1.99", 30080) == INTERNET_IP


@pytest.mark.parametrize("config", [DataPlaneConfig(pod_egress=egress) for egress in PodEgress])
def test_node_port_with_a_backend_elsewhere_is_masqueraded_as_ever(world, config):
    """What only passes the node is not ours: kube-proxy's masquerade has to work also beyond the VPC."""
    world.serve(world.internet, INTERNET_IP)
    for rule in (
        f"-A PREROUTING -d {NODE_IP} -p tcp --dport 30080 -j MARK --set-mark 0x4000/0x4000",
        f"-A PREROUTING -d {NODE_IP} -p tcp --dport 30080 -j DNAT --to {INTERNET_IP}:8080",
        "-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE",
    ):
        world.node.run("iptables-nft", "-t", "nat", *rule.split())

    assert source_seen(world.neighbour, NODE_IP, 30080) == NODE_IP


def test_pods_on_the_primary_eni_use_it_with_and_without_eip(world):
    masquerade(world, "nft")
    mark = world.enis["eth0"].mark
    with_eip, without = world.add_pod(POD, eni_mark=mark, eip=True), world.add_pod(OTHER, eni_mark=mark)
    for ip in (POD, OTHER):
        world.own("p0", ip, world.enis["eth0"].mac)
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)

    assert source_seen(with_eip, INTERNET_IP) == POD
    assert source_seen(without, INTERNET_IP) == NODE_IP
    assert source_seen(without, NEIGHBOUR_IP) == OTHER


@pytest.mark.parametrize("flavour", ["nft", "legacy"])
@pytest.mark.parametrize("config", [DataPlaneConfig(pod_egress=PodEgress.ENI)])
def test_with_egress_by_eni_every_pod_keeps_its_address(world, flavour):
    masquerade(world, flavour)
    pod = world.add_pod(POD)
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)

    assert source_seen(pod, INTERNET_IP) == POD
    assert source_seen(pod, NEIGHBOUR_IP) == POD


def test_strict_reverse_path_filter_of_the_node_does_not_drop_pods(bare_world):
    """RHEL and its kin start with rp_filter=1 for all; the ENI has to be loose, the rest may stay."""
    world = bare_world
    world.node.run("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1", "net.ipv4.conf.default.rp_filter=1")
    world.ensure()
    pod = world.add_pod(POD, eip=True)
    world.serve(pod, POD)
    world.serve(world.internet, INTERNET_IP)

    assert source_seen(pod, INTERNET_IP) == POD
    assert source_seen(world.internet, POD) == INTERNET_IP


def test_a_bound_eip_takes_effect_while_the_pod_runs_and_ends_when_it_is_lost(world):
    masquerade(world, "nft")
    pod = world.add_pod(POD)
    world.serve(world.internet, INTERNET_IP)
    seen = [source_seen(pod, INTERNET_IP)]
    for wanted in (True, True, False, False):
        world.on_node(lambda wanted=wanted: world.dataplane.set_eip_pod(POD, wanted=wanted))
        seen.append(source_seen(pod, INTERNET_IP))

    assert seen == [NODE_IP, POD, POD, NODE_IP, NODE_IP]


def test_a_connection_stays_on_its_way_when_the_pod_gets_an_eip(world):
    masquerade(world, "nft")
    pod = world.add_pod(POD)
    with world.conversation(pod, INTERNET_IP) as say:
        assert say("before") == f"{NODE_IP} before"
        world.on_node(lambda: world.dataplane.set_eip_pod(POD, wanted=True))
        assert say("after") == f"{NODE_IP} after"


def test_connections_outlive_a_restart_of_the_agent(world):
    """A new process knows nothing: between its first and second call, the Pods of eth1 still run."""
    pod = world.add_pod(POD, eip=True)
    world.serve(pod, POD)
    with world.conversation(pod, INTERNET_IP) as say:
        assert say("before") == f"{POD} before"
        world.restart_agent()
        world.ensure_node()
        assert say("between") == f"{POD} between"
        assert source_seen(world.internet, POD) == INTERNET_IP
        world.ensure()
        assert say("after") == f"{POD} after"


def test_marks_of_others_survive(world):
    """Service meshes and kube-proxy keep state in the other bits of packet and connection marks."""
    pod = world.add_pod(POD, eip=True)
    world.serve(world.internet, INTERNET_IP)
    mark = world.enis["eth1"].mark
    packet, known = f"{mark | 0x4000:#x}", f"{mark | 0x539:#x}"
    for rule in (
        "-t raw -A PREROUTING -i eni+ -j MARK --set-mark 0x4000/0x4000",
        "-t mangle -A PREROUTING -i eni+ -j CONNMARK --set-mark 0x539/0xfff",
        f"-t mangle -A POSTROUTING -o eth1 -m mark --mark {packet} -m connmark --mark {known} -j ACCEPT",
    ):
        world.node.run("iptables-nft", *rule.split())

    assert source_seen(pod, INTERNET_IP) == POD
    counters = world.node.run("iptables-nft", "-t", "mangle", "-nvxL", "POSTROUTING").splitlines()[2]
    assert int(counters.split()[0]) > 0


def test_untracked_packets_of_a_pod_still_leave_by_its_eni(world):
    pod = world.add_pod(POD)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    for chain in ("PREROUTING", "OUTPUT"):
        world.node.run("iptables-nft", "-t", "raw", "-A", chain, "-j", "CT", "--notrack")

    assert source_seen(pod, NEIGHBOUR_IP) == POD


def test_path_mtu_errors_reach_the_pod(world):
    """A hop with a smaller MTU answers to the Pod's own address, by the ENI that the packet left by."""
    pod = world.add_pod(POD, eip=True)
    world.vpc.run("ip", "link", "set", "p3", "mtu", "1300")
    ping = ["ping", "-c", "1", "-W", "2", "-M", "do", "-s", "1400", INTERNET_IP]
    printed = pod.attempt(*ping).stdout

    assert "mtu = 1300" in printed or "mtu=1300" in printed


def test_packets_to_an_address_without_pod_do_not_circle(world):
    """The VPC delivers each address of the ENI to the node; an idle one must not be sent back by the ENI."""
    pod, idle = world.add_pod(POD), "10.0.1.150"
    world.own("p1", idle, world.enis["eth1"].mac)
    world.vpc.run("nft", f"insert rule ip vpc arrived iifname p1 ip daddr {idle} counter")
    pod.attempt("ping", "-c", "1", "-W", "0.2", idle)
    listed = world.vpc.run("nft", "list", "chain", "ip", "vpc", "arrived")

    assert f"ip daddr {idle} counter packets 1 " in listed
