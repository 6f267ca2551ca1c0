"""Names in the kernel: what is written beside a link is enough to know its owner again."""

from dataclasses import replace

import pytest

from ipamd.agent.pods import wiring as pods_wiring
from ipamd.core import model, names
from ipamd.core.kubernetes import pods
from ipamd.core.ledger import states
from ipamd.net.model import EniLink, FoundLink, FoundRoute, Snapshot
from tests.testkit.pods import pod_ref

NOW = 1000.0
LINK = EniLink(mac="52:54:00:00:00:01", name="eth1", ifindex=3, table=4003, mark=0x2000000, mtu=1500)
KEY = model.SandboxKey(container_id="ab" * 32, ifname="eth0")
END = names.host_end(KEY.container_id, KEY.ifname)
IP = "10.0.1.10"


def assigned(pod, ip=IP):
    state = states.Assigned(
        key=KEY,
        pod=pod,
        since=NOW,
        host_interface=END.name,
        host_mac=END.mac,
        network="tke-eni",
        netns="/run/netns/x",
    )
    return states.Address(ip=ip, eni_id="eni-1", state=state, added_at=NOW)


def found(wiring, **changes):
    fields = {"name": wiring.host_veth, "mac": wiring.host_mac, "alias": wiring.alias, **changes}
    return FoundLink(ifindex=9, up=True, **fields)


def kernel(*links, routes=()):
    """What is listed: the links, and routes as destination and ifindex."""
    made = (FoundRoute(table=254, destination=to, gateway="", ifindex=ifindex) for to, ifindex in routes)
    return Snapshot(
        rules=(),
        routes=tuple(made),
        links=links,
        table_exists=True,
        pod_marks={},
        eip_pods=frozenset(),
        pod_sources={},
        eni_marks=frozenset(),
        ipv6_guard=True,
    )


def known(ref, ip=IP):
    """The Pod as the API server has it."""
    metadata = {"namespace": ref.namespace, "name": ref.name, "uid": ref.uid}
    return pods.view({"metadata": metadata, "status": {"podIP": ip}})


def owner(link, *known_pods, eip=False):
    return pods_wiring.owner(link, IP, known_pods, eip=eip, now=NOW)


def test_owner_is_read_back_from_the_alias():
    wiring = pods_wiring.wiring(assigned(pod_ref()), LINK)

    assert owner(found(wiring), eip=True) == replace(assigned(pod_ref()).state, netns="", awaits_eip=True)


def test_owner_of_a_link_that_an_earlier_release_has_named_is_read_back_too():
    wiring = pods_wiring.wiring(assigned(pod_ref()), LINK)
    link = found(
        wiring,
        name=names.host_veth_of_pod("default", "web-0"),
        mac="0a:e0:0a:00:01:0a",
        alias=f"tke-eni {KEY.container_id} eth0 default/web-0 {pod_ref().uid}",
    )

    wanted = {"netns": "", "host_interface": link.name, "host_mac": link.mac}
    assert owner(link) == replace(assigned(pod_ref()).state, **wanted)


def test_wiring_follows_the_ledger_alone():
    bound = states.Binding(eip_id="eip-1", public_ip="", stage=states.BindStage.BOUND)
    address = replace(assigned(pod_ref()), eip=bound)

    wiring = pods_wiring.wiring(address, LINK)

    assert (wiring.host_end, wiring.eip) == (END, True)
    assert not pods_wiring.wiring(address.staged(states.BindStage.BINDING), LINK).eip


def test_pod_whose_name_has_no_room_beside_the_link_is_known_by_its_uid():
    long = pod_ref(name="a" * 200)
    link = found(pods_wiring.wiring(assigned(long), LINK))

    assert "aaa" not in link.alias
    assert owner(link, known(pod_ref("other", uid="2")), known(long, ip="")) == replace(
        assigned(long).state, netns=""
    )
    assert owner(link) == states.Occupied(host_interface=END.name, host_mac=END.mac, pod=None, since=NOW)


@pytest.mark.parametrize(
    "alias",
    ["", "nonsense", "tke-eni c eth0 default/web-0", "tke-eni c eth0 default/web-0 uid; rm -rf /"],
)
def test_alias_that_is_not_ours_is_not_believed(alias):
    link = found(pods_wiring.wiring(assigned(pod_ref()), LINK), alias=alias)
    occupied = states.Occupied(host_interface=END.name, host_mac=END.mac, pod=None, since=NOW)

    assert owner(link) == occupied
    assert owner(link, known(pod_ref())) == replace(occupied, pod=pod_ref())


def test_addresses_of_a_link_are_those_that_lead_to_it():
    link = found(pods_wiring.wiring(assigned(pod_ref(), ip="10.0.1.99"), LINK))

    listed = kernel(link, routes=[("10.0.1.10/32", 9), ("10.0.1.11/32", 9), ("10.0.1.12/32", 8)])

    assert pods_wiring.addresses_of_links(listed) == {link.name: {"10.0.1.10", "10.0.1.11"}}


@pytest.mark.parametrize(
    ("changes", "ips"),
    [
        ({}, {IP}),
        ({"mac": "0a:e0:0a:00:01:0b", "alias": "tke-eni c eth0 default/web-0 uid"}, {"10.0.1.11"}),
        ({"alias": ""}, set()),
    ],
)
def test_link_that_nothing_leads_to_has_the_addresses_that_it_was_made_for(changes, ips):
    link = found(pods_wiring.wiring(assigned(pod_ref()), LINK), **changes)

    assert pods_wiring.addresses_of_links(kernel(link)) == {link.name: ips}


def test_address_without_a_sandbox_has_no_wiring():
    warm = states.Address(ip="10.0.1.10", eni_id="eni-1", state=states.Warm(since=NOW), added_at=NOW)

    with pytest.raises(TypeError, match="no sandbox"):
        pods_wiring.wiring(warm, LINK)


def test_gateway_is_the_first_address_of_the_subnet():
    assert pods_wiring.gateway_of("10.0.1.0/24") == "10.0.1.1"
