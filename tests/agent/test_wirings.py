"""Names in the kernel: what is written beside a link is enough to know its owner again."""

import pytest

from ipamd.agent import wirings
from ipamd.core import addresses, model, names
from ipamd.net.model import EniLink, FoundLink

NOW = 1000.0
LINK = EniLink(mac="52:54:00:00:00:01", name="eth1", ifindex=3, table=4003, mark=0x20000, mtu=1500)
KEY = model.SandboxKey(network="tke-eni", container_id="ab" * 32, ifname="eth0")


def assigned(pod, ip="10.0.1.10"):
    state = addresses.Assigned(key=KEY, pod=pod, since=NOW, netns="/run/netns/x")
    return addresses.Address(ip=ip, eni_id="eni-1", state=state, added_at=NOW)


def found(wiring, **changes):
    fields = {"name": wiring.host_veth, "mac": names.host_mac(wiring.ip), "alias": wiring.alias, **changes}
    return FoundLink(ifindex=9, up=True, **fields)


def pod(name="web-0", namespace="default"):
    return model.PodRef(namespace=namespace, name=name, uid="11111111-2222-3333-4444-555555555555")


def test_owner_is_read_back_from_the_alias():
    wiring = wirings.wiring(assigned(pod()), LINK, eip=False)

    ip, state = wirings.owner(found(wiring), {}, NOW)

    assert ip == "10.0.1.10"
    assert state == addresses.Assigned(key=KEY, pod=pod(), since=NOW)


def test_alias_that_would_not_fit_is_left_out_and_the_pod_known_by_its_ip():
    long = pod(name="a" * 200)
    wiring = wirings.wiring(assigned(long), LINK, eip=False)

    assert wiring.alias == ""
    _, state = wirings.owner(found(wiring), {"10.0.1.10": long}, NOW)
    assert state == addresses.Occupied(host_interface=wiring.host_veth, pod=long, since=NOW)


@pytest.mark.parametrize(
    "alias",
    ["", "nonsense", "tke-eni c eth0 default/other uid", "tke-eni c eth0 default/web-0 uid; rm -rf /"],
)
def test_alias_that_is_not_ours_or_names_another_pod_is_not_believed(alias):
    wiring = wirings.wiring(assigned(pod()), LINK, eip=False)

    _, state = wirings.owner(found(wiring, alias=alias), {}, NOW)

    assert isinstance(state, addresses.Occupied)
    assert state.pod is None


def test_address_without_a_sandbox_has_no_wiring():
    warm = addresses.Address(ip="10.0.1.10", eni_id="eni-1", state=addresses.Warm(since=NOW), added_at=NOW)

    with pytest.raises(TypeError, match="no sandbox"):
        wirings.wiring(warm, LINK, eip=False)


def test_gateway_is_the_first_address_of_the_subnet():
    assert wirings.gateway_of("10.0.1.0/24") == "10.0.1.1"
