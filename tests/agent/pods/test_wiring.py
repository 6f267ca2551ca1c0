"""Names in the kernel: what is written beside a link is enough to know its owner again."""

from dataclasses import replace

import pytest

from ipamd.agent.pods import wiring as pods_wiring
from ipamd.core import model, names
from ipamd.core.ledger import states
from ipamd.net.model import EniLink, FoundLink

NOW = 1000.0
LINK = EniLink(mac="52:54:00:00:00:01", name="eth1", ifindex=3, table=4003, mark=0x20000, mtu=1500)
KEY = model.SandboxKey(container_id="ab" * 32, ifname="eth0")


def assigned(pod, ip="10.0.1.10"):
    state = states.Assigned(
        key=KEY,
        pod=pod,
        since=NOW,
        host_interface=names.host_veth(KEY.container_id, KEY.ifname),
        network="tke-eni",
        netns="/run/netns/x",
    )
    return states.Address(ip=ip, eni_id="eni-1", state=state, added_at=NOW)


def found(wiring, **changes):
    fields = {"name": wiring.host_veth, "mac": names.host_mac(wiring.ip), "alias": wiring.alias, **changes}
    return FoundLink(ifindex=9, up=True, **fields)


def pod(name="web-0", namespace="default"):
    return model.PodRef(namespace=namespace, name=name, uid="11111111-2222-3333-4444-555555555555")


def test_owner_is_read_back_from_the_alias():
    wiring = pods_wiring.wiring(assigned(pod()), LINK)

    state = pods_wiring.owner(found(wiring), {}, eip=True, now=NOW)

    assert state == replace(assigned(pod()).state, netns="", awaits_eip=True)


def test_owner_of_a_link_that_an_earlier_release_has_named_is_read_back_too():
    wiring = pods_wiring.wiring(assigned(pod()), LINK)
    old = names.host_veth_of_pod("default", "web-0")

    state = pods_wiring.owner(found(wiring, name=old), {}, eip=False, now=NOW)

    assert state == replace(assigned(pod()).state, netns="", host_interface=old)


def test_wiring_follows_the_ledger_alone():
    bound = states.Binding(eip_id="eip-1", public_ip="", stage=states.BindStage.BOUND)
    address = replace(assigned(pod()), eip=bound)

    wiring = pods_wiring.wiring(address, LINK)

    assert (wiring.host_veth, wiring.eip) == (address.state.host_interface, True)
    assert not pods_wiring.wiring(address.staged(states.BindStage.BINDING), LINK).eip


def test_alias_that_would_not_fit_is_left_out_and_the_pod_known_by_its_ip():
    long = pod(name="a" * 200)
    wiring = pods_wiring.wiring(assigned(long), LINK)

    assert wiring.alias == ""
    state = pods_wiring.owner(found(wiring), {"10.0.1.10": long}, eip=False, now=NOW)
    assert state == states.Occupied(host_interface=wiring.host_veth, pod=long, since=NOW)


@pytest.mark.parametrize(
    "alias",
    ["", "nonsense", "tke-eni c eth0 default/web-0", "tke-eni c eth0 default/web-0 uid; rm -rf /"],
)
def test_alias_that_is_not_ours_is_not_believed(alias):
    wiring = pods_wiring.wiring(assigned(pod()), LINK)

    state = pods_wiring.owner(found(wiring, alias=alias), {}, eip=False, now=NOW)

    assert isinstance(state, states.Occupied)
    assert state.pod is None


def test_address_without_a_sandbox_has_no_wiring():
    warm = states.Address(ip="10.0.1.10", eni_id="eni-1", state=states.Warm(since=NOW), added_at=NOW)

    with pytest.raises(TypeError, match="no sandbox"):
        pods_wiring.wiring(warm, LINK)


def test_gateway_is_the_first_address_of_the_subnet():
    assert pods_wiring.gateway_of("10.0.1.0/24") == "10.0.1.1"
