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


@given(IPS)
def test_macs_are_unicast_local_and_differ_between_the_ends(ip):
    host, pod = names.host_mac(ip), names.pod_mac(ip)

    assert host != pod
    for mac in (host, pod):
        assert int(mac[:2], 16) & 0b11 == 0b10


@given(IPS, IPS)
def test_macs_differ_where_ips_differ(one, other):
    assert (names.host_mac(one) == names.host_mac(other)) == (one == other)
