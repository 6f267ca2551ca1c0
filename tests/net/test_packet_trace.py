"""What the trace of a packet says is what an outside host sees: each case is traced and sent.

The VPC of the tests drops what leaves by an ENI that does not own the source, so what the trace says of
source and link is judged by it; the trace itself does not know the VPC.
"""

import pytest

from ipamd.net import packet_trace
from ipamd.net.model import DataPlaneConfig, PodEgress
from ipamd.net.packet_trace import Ending
from testbed import masquerade as ip_masq_agent
from tests.net.world import GATEWAY, INTERNET_IP, NEIGHBOUR_IP, NODE_IP, end_of, source_seen

pytestmark = pytest.mark.netns
POD, OTHER = "10.0.1.100", "10.0.1.101"
SERVICE = "172.16.252.1"
METADATA = "169.254.0.23"


def traced(world, destination, pod=POD, port=None):
    return world.on_node(
        lambda: packet_trace.traced(pod, end_of(pod).name, destination, backend=NEIGHBOUR_IP, port=port)
    )


def said(world, destination, pod=POD):
    """Whom the outside sees by what the trace says; None where the VPC lets nothing through."""
    trace = traced(world, destination, pod)
    if trace.ending is Ending.DROPPED:
        return None
    owned = {"eth0": {NODE_IP}, "eth1": {POD, OTHER}}
    return trace.source if trace.source in owned.get(trace.link, {trace.source}) else None


def agree(world, sandbox, destination, expected, port=8080):
    assert said(world, destination) == expected
    assert source_seen(sandbox, destination, port, timeout=2.0 if expected else 0.5) == expected


@pytest.fixture
def world(world):
    world.serve(world.internet, INTERNET_IP)
    world.serve(world.neighbour, NEIGHBOUR_IP)
    world.serve(world.node, NODE_IP)
    return world


@pytest.fixture
def masqueraded(world):
    ip_masq_agent.install(world.node.name, vpc_cidrs=["10.0.0.0/16"], iptables="iptables-nft")
    return world


def test_a_pod_with_eip_leaves_by_its_eni_with_its_own_address(masqueraded):
    pod = masqueraded.add_pod(POD, eip=True)

    agree(masqueraded, pod, INTERNET_IP, POD)
    trace = traced(masqueraded, INTERNET_IP)
    assert (trace.link, trace.gateway, trace.ending) == ("eth1", GATEWAY, Ending.LEAVES)
    assert [step.text for step in trace.steps if step.chain == "nft ip tke_eni postrouting"]


def test_a_pod_without_eip_gets_the_address_of_the_node(masqueraded):
    pod = masqueraded.add_pod(POD)

    agree(masqueraded, pod, INTERNET_IP, NODE_IP)
    assert traced(masqueraded, INTERNET_IP).link == "eth0"


def test_what_iptables_legacy_does_is_taken_for_ip_masq_agents_and_said_so(world):
    ip_masq_agent.install(world.node.name, vpc_cidrs=["10.0.0.0/16"], iptables="iptables-legacy")
    pod = world.add_pod(POD)

    agree(world, pod, INTERNET_IP, NODE_IP)
    assert any(step.chain == "iptables-legacy nat" for step in traced(world, INTERNET_IP).steps)


def test_without_any_masquerade_the_vpc_gets_a_foreign_source(world):
    pod = world.add_pod(POD)

    assert traced(world, INTERNET_IP).source == POD
    agree(world, pod, INTERNET_IP, None)


@pytest.mark.parametrize("eip", [False, True])
def test_to_the_vpc_a_pod_has_its_own_address(masqueraded, eip):
    agree(masqueraded, masqueraded.add_pod(POD, eip=eip), NEIGHBOUR_IP, POD)


def test_the_node_and_other_pods_see_the_pod(masqueraded):
    pod, other = masqueraded.add_pod(POD), masqueraded.add_pod(OTHER)
    masqueraded.serve(other, OTHER)

    agree(masqueraded, pod, NODE_IP, POD)
    agree(masqueraded, pod, OTHER, POD)
    assert traced(masqueraded, OTHER).ending is traced(masqueraded, NODE_IP).ending is Ending.ON_THE_NODE


@pytest.mark.parametrize("eip", [False, True])
def test_a_service_is_followed_to_a_backend_in_the_vpc(masqueraded, eip):
    pod = masqueraded.add_pod(POD, eip=eip)
    rule = f"-A PREROUTING -d {SERVICE} -p tcp -j DNAT --to {NEIGHBOUR_IP}:8080"
    masqueraded.node.run("iptables-nft", "-t", "nat", *rule.split())

    agree(masqueraded, pod, SERVICE, POD, port=80)
    assert traced(masqueraded, SERVICE).to_backend


def test_a_backend_that_nftables_names_is_followed_there(masqueraded):
    pod = masqueraded.add_pod(POD)
    masqueraded.node.run(
        *("nft", "-f", "-"),
        stdin=f"""
        table ip services {{
          chain here {{ type nat hook prerouting priority dstnat; ip daddr {SERVICE} dnat to {INTERNET_IP}; }}
        }}""",
    )

    agree(masqueraded, pod, SERVICE, NODE_IP)
    assert not traced(masqueraded, SERVICE).to_backend


def test_a_service_is_known_by_its_port_alone(masqueraded):
    pod = masqueraded.add_pod(POD)
    masqueraded.node.run(
        *("nft", "-f", "-"),
        stdin=f"""
        table ip services {{
          chain here {{
            type nat hook prerouting priority dstnat
            ip daddr {SERVICE} tcp dport 80 dnat to {NEIGHBOUR_IP}:8080
          }}
          chain only {{ type filter hook forward priority 0; ct state new tcp dport != 8080 drop; }}
        }}""",
    )

    agree(masqueraded, pod, SERVICE, POD, port=80)
    trace = traced(masqueraded, SERVICE, port=80)
    assert (trace.source, trace.ending, trace.to_backend) == (POD, Ending.LEAVES, False)
    assert traced(masqueraded, SERVICE, port=81).ending is Ending.DROPPED
    assert traced(masqueraded, SERVICE).unread


@pytest.mark.parametrize("eip", [False, True])
def test_a_foreign_masquerade_in_front_takes_the_way_out_and_is_named(masqueraded, eip):
    pod = masqueraded.add_pod(POD, eip=eip)
    masqueraded.node.run(
        *("nft", "-f", "-"),
        stdin="""
        table ip intruder {
          chain post {
            type nat hook postrouting priority 50
            ip saddr 10.0.1.0/24 masquerade comment "of others"
          }
        }""",
    )

    trace = traced(masqueraded, INTERNET_IP)
    assert ("nft ip intruder post", "masqueraded: of others") in [(s.chain, s.text) for s in trace.steps]
    agree(masqueraded, pod, INTERNET_IP, None if eip else NODE_IP)


def drop_forward(world):
    world.node.run("iptables-nft", "-P", "FORWARD", "DROP")


def drop_forward_in_legacy(world):
    world.node.run("iptables-legacy", "-P", "FORWARD", "DROP")


def no_forwarding(world):
    world.node.run("sysctl", "-qw", "net.ipv4.ip_forward=0")


def no_eni_route(world):
    world.node.run("ip", "route", "flush", "table", str(world.enis["eth1"].table))


def no_pod_route(world):
    world.node.run("ip", "route", "delete", POD)


def link_down(world):
    world.node.run("ip", "link", "set", end_of(POD).name, "down")


@pytest.mark.parametrize(
    ("breakage", "reason"),
    [
        (drop_forward, "nft ip filter FORWARD: dropped by its policy"),
        (drop_forward_in_legacy, "iptables-legacy FORWARD: dropped"),
        (no_forwarding, "ip_forward is 0"),
        (no_pod_route, "its answers find no way back"),
        (link_down, "is down"),
    ],
)
def test_what_stops_the_packet_is_named(masqueraded, breakage, reason):
    pod = masqueraded.add_pod(POD, eip=True)
    breakage(masqueraded)

    agree(masqueraded, pod, INTERNET_IP, None)
    assert reason in traced(masqueraded, INTERNET_IP).reason


def test_an_eni_without_routes_lets_packets_fall_through_to_main(masqueraded):
    pod = masqueraded.add_pod(POD, eip=True)
    no_eni_route(masqueraded)

    trace = traced(masqueraded, INTERNET_IP)
    assert trace.link == "eth0"
    agree(masqueraded, pod, INTERNET_IP, NODE_IP)


def test_a_flushed_chain_of_ours_shows_in_the_trace(masqueraded):
    pod = masqueraded.add_pod(POD, eip=True)
    masqueraded.node.run("nft", "flush chain ip tke_eni prerouting")

    agree(masqueraded, pod, INTERNET_IP, NODE_IP)


@pytest.mark.parametrize("config", [DataPlaneConfig(closed_to_pods=frozenset({METADATA}), link_wait=2.0)])
def test_what_is_closed_to_pods_is_dropped_and_says_so(masqueraded):
    masqueraded.add_pod(POD, eip=True)

    trace = traced(masqueraded, METADATA)
    assert (trace.ending, trace.reason) == (Ending.DROPPED, "dropped: closed to Pods")


@pytest.mark.parametrize("config", [DataPlaneConfig(pod_egress=PodEgress.ENI, link_wait=2.0)])
def test_with_egress_by_eni_every_pod_leaves_by_its_own(masqueraded):
    agree(masqueraded, masqueraded.add_pod(POD), INTERNET_IP, POD)


def test_the_trace_changes_nothing(masqueraded):
    masqueraded.add_pod(POD, eip=True)
    before = masqueraded.generation()
    traced(masqueraded, INTERNET_IP)

    assert masqueraded.generation() == before
