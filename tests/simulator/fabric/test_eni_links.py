"""An attached ENI is a link in its CVM, and nothing but a link."""

import json
import subprocess
from pathlib import Path

import pytest

from simulator.fabric import netns
from simulator.fabric.api import FabricError
from tests.testkit.eventually import eventually

pytestmark = pytest.mark.netns


def _links(name):
    output = subprocess.run(
        ["ip", "-netns", name, "-json", "address"], check=True, capture_output=True, text=True
    ).stdout
    return {link["ifname"]: link for link in json.loads(output)}


def _ipv4(link):
    return [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]


def test_the_primary_eni_is_configured_as_dhcp_leaves_it(lab):
    cvm = lab.cvm(10)

    eth0 = _links(cvm.netns)["eth0"]

    assert eth0["address"] == "52:54:00:00:00:0a"
    assert "UP" in eth0["flags"]
    assert eth0["mtu"] == 1500
    assert _ipv4(eth0) == ["10.0.1.10/24"]
    assert lab.ping(cvm.netns, "10.0.1.1"), "the gateway answers"


def test_a_cvm_has_the_kernel_parameters_of_its_image_whatever_the_machine_has(lab):
    cvm = lab.cvm(10)

    def read(key):
        return Path("/proc/sys/net/ipv4", *key.split(".")).read_text().strip()

    assert netns.run_in(cvm.netns, lambda: read("ip_forward")) == "0"
    assert netns.run_in(cvm.netns, lambda: read("conf.eth0.rp_filter")) == "1"


def test_a_secondary_eni_appears_down_and_without_address(lab):
    cvm = lab.cvm(10)

    lab.fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1, secondary_ips=("10.0.1.12",)))

    eth1 = _links(cvm.netns)["eth1"]
    assert eth1["address"] == "52:54:00:00:00:0b"
    assert "UP" not in eth1["flags"]
    assert eth1["addr_info"] == []


def test_the_link_vanishes_on_detach_and_the_rest_stays(lab):
    cvm = lab.cvm(10)
    lab.fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1))

    lab.fabric.detach_eni("eni-00000011")

    assert set(_links(cvm.netns)) == {"lo", "eth0"}
    assert set(lab.fabric.spoof_drops()) == {cvm.eni_id}
    assert lab.ping(cvm.netns, "10.0.1.1")


def test_the_link_vanishes_from_a_pod_s_namespace_too(lab, fabric):
    cvm = lab.cvm(10)
    fabric.add_instance("pod")
    pod = fabric.netns_of("pod")
    fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1))
    subprocess.run(["ip", "-netns", cvm.netns, "link", "set", "eth1", "netns", pod], check=True)

    fabric.detach_eni("eni-00000011")

    assert set(_links(pod)) == {"lo"}


def test_a_link_that_somebody_deleted_can_still_be_detached(lab):
    cvm = lab.cvm(10)
    port = lab.port(11, cvm.instance_id, device_index=1, secondary_ips=("10.0.1.12",))
    lab.fabric.attach_eni(port)

    subprocess.run(["ip", "-netns", cvm.netns, "link", "delete", "eth1"], check=True)

    lab.fabric.remove_ip(port.eni_id, "10.0.1.12")
    lab.fabric.detach_eni(port.eni_id)
    lab.fabric.attach_eni(port)
    assert set(_links(cvm.netns)) == {"lo", "eth0", "eth1"}


def test_a_primary_eni_that_cannot_be_configured_leaves_nothing(lab, fabric):
    fabric.add_instance("ins-00000010")
    name = fabric.netns_of("ins-00000010")
    subprocess.run(["ip", "-netns", name, "route", "add", "default", "dev", "lo"], check=True)
    port = lab.port(10, "ins-00000010")

    with pytest.raises(FabricError, match=f"ENI eni-00000010 .* {name}"):
        fabric.attach_eni(port)

    assert set(_links(name)) == {"lo"}
    assert fabric.spoof_drops() == {}
    subprocess.run(["ip", "-netns", name, "route", "delete", "default", "dev", "lo"], check=True)
    fabric.attach_eni(port)
    assert lab.ping(name, "10.0.1.1")


def test_a_detached_eni_can_go_to_another_cvm_with_its_addresses(lab):
    a, b = lab.cvm(10), lab.cvm(20)
    lab.fabric.attach_eni(lab.port(11, a.instance_id, device_index=1))
    lab.fabric.add_ip("eni-00000011", "10.0.1.12")
    lab.fabric.detach_eni("eni-00000011")

    lab.fabric.attach_eni(lab.port(11, b.instance_id, device_index=1, secondary_ips=("10.0.1.12",)))

    assert set(_links(b.netns)) == {"lo", "eth0", "eth1"}
    lab.own_address(b, "10.0.1.12", link="eth1")
    assert lab.ping(a.netns, "10.0.1.12")


def test_everything_may_be_asked_twice(lab, fabric):
    cvm = lab.cvm(10)
    port = lab.port(11, cvm.instance_id, device_index=1)
    for _ in range(2):
        fabric.add_instance(cvm.instance_id)
        fabric.attach_eni(port)
        fabric.add_ip(port.eni_id, "10.0.1.12")
        fabric.bind_eip("198.18.0.1", "10.0.1.12")
        fabric.add_nat_gateway("nat-1", "198.18.9.9")
        lab.routes(("0.0.0.0/0", "NAT", "nat-1"))
    for _ in range(2):
        fabric.unbind_eip("198.18.0.1")
        fabric.remove_ip(port.eni_id, "10.0.1.12")
        fabric.detach_eni(port.eni_id)
        fabric.remove_instance(cvm.instance_id)

    assert fabric.netns_of(cvm.instance_id) == ""
    assert fabric.spoof_drops() == {}


def test_a_removed_cvm_takes_namespace_links_and_addresses_along(lab, fabric):
    cvm = lab.cvm(10)

    fabric.remove_instance(cvm.instance_id)

    assert cvm.netns not in netns.names()
    again = lab.cvm(10)
    assert lab.ping(again.netns, "10.0.1.1")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"eni_id": "eni 1;"}, "'eni 1;'"),
        ({"mac": "52:54:00:00:00"}, "'52:54:00:00:00'"),
        ({"primary_ip": "10.0.1"}, "'10.0.1'"),
        ({"subnet_cidr": "10.0.1.1/24"}, "'10.0.1.1/24'"),
        ({"instance_id": "ins-unknown"}, "ins-unknown"),
        ({"primary_ip": "10.0.1.10"}, "eni-00000010"),
    ],
)
def test_a_port_that_cannot_be_is_refused_by_name_and_leaves_nothing(lab, changes, named):
    cvm = lab.cvm(10)

    with pytest.raises(FabricError, match=named):
        lab.fabric.attach_eni(lab.port(11, **{"instance_id": cvm.instance_id, "device_index": 1, **changes}))

    assert set(_links(cvm.netns)) == {"lo", "eth0"}
    assert set(lab.fabric.spoof_drops()) == {cvm.eni_id}


def test_an_attach_that_the_kernel_refuses_leaves_nothing_and_can_be_repeated(lab):
    cvm = lab.cvm(10)
    ip = ["ip", "-netns", cvm.netns, "link"]
    subprocess.run([*ip, "add", "eth1", "type", "bridge"], check=True)

    with pytest.raises(FabricError, match=r"ENI eni-00000011 .* eth1: File exists"):
        lab.fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1))

    subprocess.run([*ip, "delete", "eth1"], check=True)
    lab.fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1))
    assert set(_links(cvm.netns)) == {"lo", "eth0", "eth1"}


def test_contradictions_are_refused(lab, fabric):
    a, b = lab.cvm(10), lab.cvm(20)

    with pytest.raises(FabricError, match=f"attached to {a.instance_id}"):
        fabric.attach_eni(lab.port(10, b.instance_id, device_index=1))
    with pytest.raises(FabricError, match=f"belongs to {a.eni_id}"):
        fabric.add_ip(b.eni_id, a.ip)
    with pytest.raises(FabricError, match="not attached"):
        fabric.add_ip("eni-nowhere", "10.0.1.77")
    with pytest.raises(FabricError, match="primary address"):
        fabric.remove_ip(a.eni_id, a.ip)


@pytest.fixture
def moved(lab, fabric):
    """A CVM whose extended ENI is eth0 of another namespace, as a Pod has it."""
    cvm = lab.cvm(10)
    fabric.add_instance("pod")
    pod = fabric.netns_of("pod")
    fabric.attach_eni(lab.port(11, cvm.instance_id, device_index=1, returns=True))
    subprocess.run(["ip", "-netns", cvm.netns, "link", "set", "eth1", "netns", pod], check=True)
    subprocess.run(["ip", "-netns", pod, "link", "set", "eth1", "name", "eth0"], check=True)
    return cvm


def test_an_extended_eni_returns_when_the_namespace_that_has_it_ends(lab, fabric, moved):
    fabric.remove_instance("pod")

    back = eventually(lambda: _link_with(moved.netns, "52:54:00:00:00:0b"), "the link is back")

    assert back["ifname"].startswith("dev")
    assert "UP" not in back["flags"]
    assert back["addr_info"] == []
    lab.own_address(moved, "10.0.1.11", link=back["ifname"])
    peer = lab.cvm(12)
    assert lab.ping(peer.netns, "10.0.1.11"), "it carries packets as before"


def test_an_eni_that_was_detached_meanwhile_does_not_return(fabric, moved):
    fabric.detach_eni("eni-00000011")
    fabric.remove_instance("pod")

    assert set(_links(moved.netns)) == {"lo", "eth0"}


def _link_with(name, mac):
    return next((link for link in _links(name).values() if link.get("address") == mac), None)
