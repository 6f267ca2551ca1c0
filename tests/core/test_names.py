import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core import names

IPS = st.ip_addresses(v=4).map(str)


def test_host_veth_tells_the_sandbox():
    # printf 3f6940ab5ab4/eth0 | sha1sum
    assert names.host_veth("3f6940ab5ab4", "eth0") == "enie37ed751629"


def test_links_of_earlier_releases_have_the_name_that_tke_gives():
    # printf default.web-0 | sha1sum
    assert names.host_veth_of_pod("default", "web-0") == "eni0d7763386da"


@given(st.text(), st.text())
def test_any_host_veth_fits_the_kernel_and_is_recognised(container_id, ifname):
    name = names.host_veth(container_id, ifname)

    assert len(name) <= 15
    assert names.HOST_VETH.fullmatch(name)


def test_links_of_others_are_not_taken_for_host_veths():
    for name in ("eth0", "eni", "eni0123456789", "enix123456789a", "eni0123456789ab", "ENI0123456789A"):
        assert not names.HOST_VETH.fullmatch(name)


def test_macs_of_a_sandbox_are_of_the_sum_that_its_name_is_of():
    # printf 3f6940ab5ab4/eth0 | sha1sum: e37ed751629fe46bf067…
    assert names.host_end("3f6940ab5ab4", "eth0") == (
        "enie37ed751629",
        names.host_mac("3f6940ab5ab4", "eth0"),
    )
    assert names.host_mac("3f6940ab5ab4", "eth0") == "0a:e2:e4:6b:f0:67"
    assert names.pod_mac(names.host_mac("3f6940ab5ab4", "eth0")) == "0a:e3:e4:6b:f0:67"


@given(st.text(), st.text())
def test_macs_are_unicast_local_and_differ_between_the_ends(container_id, ifname):
    host = names.host_mac(container_id, ifname)
    pod = names.pod_mac(host)

    assert host != pod
    assert names.HOST_MAC.fullmatch(host)
    assert not names.HOST_MAC.fullmatch(pod)
    for mac in (host, pod):
        assert int(mac[:2], 16) & 0b11 == 0b10


@given(IPS)
def test_macs_of_earlier_releases_tell_the_address_and_keep_the_pods_end(ip):
    host = names.host_mac_of_address(ip)

    assert names.HOST_MAC.fullmatch(host)
    assert names.address_of_host_mac(host) == ip
    assert names.pod_mac(host) == host.replace("0a:e0:", "0a:e1:")


@pytest.mark.parametrize(
    "mac", ["", "0a:e2:0a:00:01:05", "0a:e1:0a:00:01:05", "0a:e0:0a:00:01", "0a:e0:0a:00:01:05:06"]
)
def test_no_other_mac_tells_an_address(mac):
    assert names.address_of_host_mac(mac) == ""
