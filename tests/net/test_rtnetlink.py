"""What is encoded by hand, pyroute2 reads as what was meant; its classes are had without the rest."""

import ipaddress
import struct
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.nfnetlink.nftsocket import nft_set_elem_list_msg
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ipamd.net import nft_elements, policy_requests, rtnetlink
from ipamd.net.message import attributes, messages
from ipamd.net.nft_elements import Element
from ipamd.net.rtnetlink import VethEnd

ips = st.integers(1, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number)))
macs = st.binary(min_size=6, max_size=6).map(lambda packed: packed.hex(":"))
indices = st.integers(1, 2**31 - 1)
tables = st.one_of(st.integers(1, 255), st.integers(256, 2**32 - 1))
mtus = st.integers(68, 65535)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_", min_size=1, max_size=15)
aliases = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60)

REQUEST, ACK, REPLACE, EXCL, CREATE, DUMP = 1, 4, 0x100, 0x200, 0x400, 0x300


def read(message_class, data):
    """Return flags, header fields and attributes as pyroute2 reads them; all of the data has to be read."""
    assert len(data) % 4 == 0
    (only,) = messages(data)
    assert only.data == data
    message = message_class(data)
    message.decode()
    fields = {name: message[name] for name, _ in message_class.fields if not name.startswith("__")}
    found = dict(message["attrs"])
    assert len(found) == len(message["attrs"])
    return message["header"]["type"], message["header"]["flags"], fields, found


@given(names, macs, mtus, names, macs, st.integers(0, 2**31 - 1))
def test_a_pair_of_links_has_its_names_macs_and_mtu(name, mac, mtu, pod_name, pod_mac, descriptor):
    request = rtnetlink.add_veth(
        VethEnd(name, mac, mtu), VethEnd(pod_name, pod_mac, mtu), descriptor, "make it"
    )
    kind, flags, fields, found = read(ifinfmsg, request.data)
    information = found.pop("IFLA_LINKINFO")
    peer = information.get_attr("IFLA_INFO_DATA").get_attr("VETH_INFO_PEER")

    assert (kind, flags) == (16, REQUEST | ACK | CREATE | EXCL)
    assert (fields["flags"], fields["change"], fields["index"]) == (1, 1, 0)
    assert found == {"IFLA_IFNAME": name, "IFLA_ADDRESS": mac, "IFLA_MTU": mtu}
    assert information.get_attr("IFLA_INFO_KIND") == "veth"
    assert dict(peer["attrs"]) == {
        "IFLA_IFNAME": pod_name,
        "IFLA_ADDRESS": pod_mac,
        "IFLA_MTU": mtu,
        "IFLA_NET_NS_FD": descriptor,
    }
    assert (peer["flags"], peer["change"], peer["index"]) == (0, 0, 0)


@given(indices, mtus, aliases)
def test_a_link_is_set_up_with_what_is_given(ifindex, mtu, alias):
    for given_, expected in (
        ({}, {}),
        ({"mtu": mtu}, {"IFLA_MTU": mtu}),
        ({"mtu": mtu, "alias": alias}, {"IFLA_MTU": mtu, "IFLA_IFALIAS": alias}),
    ):
        kind, flags, fields, found = read(ifinfmsg, rtnetlink.set_link(ifindex, "", **given_).data)
        assert (kind, flags, found) == (16, REQUEST | ACK, expected)
        assert (fields["index"], fields["flags"], fields["change"]) == (ifindex, 1, 1)


@given(indices)
def test_a_link_that_accepts_local_sources_says_so_beside_what_else_is_set(ifindex):
    # pyroute2 reads the settings of a link as the kernel lists them, not as it takes them.
    setting = struct.pack("=HHHHHHHHI", 20, 26, 16, 2, 12, 1, 8, 23, 1)
    alone, beside = rtnetlink.accept_local(ifindex, "").data, rtnetlink.set_link(ifindex, "", mtu=1500)

    assert alone[16:] == struct.pack("=BxHiII", 0, 0, ifindex, 0, 0) + setting
    with_it = rtnetlink.set_link(ifindex, "", mtu=1500, accept_local=True).data
    assert with_it[16:] == beside.data[16:] + setting


@given(names, aliases, indices)
def test_links_are_named_by_name_or_index(name, alias, ifindex):
    plain = REQUEST | ACK
    for data, expected, index, attributes_ in (
        (rtnetlink.set_alias(name, alias).data, 16, 0, {"IFLA_IFNAME": name, "IFLA_IFALIAS": alias}),
        (rtnetlink.delete_link(name).data, 17, 0, {"IFLA_IFNAME": name}),
        (rtnetlink.delete_link_index(ifindex).data, 17, ifindex, {}),
        (rtnetlink.get_link(name), 18, 0, {"IFLA_IFNAME": name, "IFLA_EXT_MASK": 8}),
        (rtnetlink.get_link_index(ifindex), 18, ifindex, {"IFLA_EXT_MASK": 8}),
    ):
        kind, flags, fields, found = read(ifinfmsg, data)
        assert (kind, flags, fields["index"], found) == (expected, plain, index, attributes_)
        assert (fields["flags"], fields["change"]) == (0, 0)


@given(indices, ips, st.integers(0, 32))
def test_addresses_of_links(ifindex, ip, prefix_length):
    kind, flags, fields, found = read(ifaddrmsg, rtnetlink.add_address(ifindex, ip, "").data)
    assert (kind, flags) == (20, REQUEST | ACK | CREATE | REPLACE)
    assert found == {"IFA_LOCAL": ip, "IFA_ADDRESS": ip}
    assert (fields["family"], fields["prefixlen"], fields["index"]) == (2, 32, ifindex)

    kind, flags, fields, found = read(
        ifaddrmsg, rtnetlink.delete_address(ifindex, ip, prefix_length, "").data
    )
    assert (kind, flags, found) == (21, REQUEST | ACK, {"IFA_LOCAL": ip})
    assert (fields["family"], fields["prefixlen"], fields["index"]) == (2, prefix_length, ifindex)


def route_fields(fields):
    return {name: fields[name] for name in ("family", "dst_len", "table", "proto", "scope", "type", "flags")}


@given(ips, indices)
def test_the_route_to_a_pod(ip, ifindex):
    ours = {
        "family": 2,
        "dst_len": 32,
        "table": 254,
        "proto": rtnetlink.PROTOCOL,
        "scope": 253,
        "type": 1,
        "flags": 0,
    }
    kind, flags, fields, found = read(rtmsg, rtnetlink.set_host_route(ip, ifindex, "").data)
    assert (kind, flags, route_fields(fields)) == (24, REQUEST | ACK | CREATE | REPLACE, ours)
    assert found == {"RTA_DST": ip, "RTA_TABLE": 254, "RTA_OIF": ifindex}

    kind, flags, fields, found = read(rtmsg, rtnetlink.delete_host_route(ip).data)
    assert (kind, flags, route_fields(fields)) == (25, REQUEST | ACK, ours)
    assert found == {"RTA_DST": ip, "RTA_TABLE": 254}


@given(ips, indices, tables)
def test_a_default_route_of_any_table(gateway, ifindex, table):
    kind, flags, fields, found = read(rtmsg, rtnetlink.set_default_route(gateway, ifindex, table, "").data)
    assert (kind, flags) == (24, REQUEST | ACK | CREATE | REPLACE)
    assert found == {"RTA_GATEWAY": gateway, "RTA_OIF": ifindex, "RTA_TABLE": table}
    assert route_fields(fields) == {
        "family": 2,
        "dst_len": 0,
        "table": table if table < 256 else 0,
        "proto": rtnetlink.PROTOCOL,
        "scope": 0,
        "type": 1,
        "flags": 4,
    }


@given(ips, macs, indices)
def test_neighbours_and_proxied_addresses(ip, mac, ifindex):
    kind, flags, fields, found = read(ndmsg, rtnetlink.set_neighbour(ip, mac, ifindex, "").data)
    assert (kind, flags) == (28, REQUEST | ACK | CREATE | REPLACE)
    assert found == {"NDA_DST": ip, "NDA_LLADDR": mac}
    assert (fields["family"], fields["ifindex"], fields["state"], fields["flags"]) == (2, ifindex, 0x80, 0)

    _, _, fields, found = read(ndmsg, rtnetlink.set_proxy(ip, ifindex, "").data)
    assert found == {"NDA_DST": ip}
    assert (fields["family"], fields["ifindex"], fields["state"], fields["flags"]) == (2, ifindex, 0, 8)


@given(ips, st.just("") | ips, st.just(0) | indices, st.integers(0, 2**32 - 1))
def test_the_question_for_a_packets_route(destination, source, iif, mark):
    data = rtnetlink.get_route(destination, source=source, iif=iif, mark=mark)
    kind, flags, fields, found = read(rtmsg, data)
    given_ = {"RTA_DST": destination, "RTA_SRC": source, "RTA_IIF": iif, "RTA_MARK": mark}
    assert (kind, flags, fields["flags"]) == (26, REQUEST | ACK, 0x3000)
    assert found == {name: value for name, value in given_.items() if value}
    assert (fields["dst_len"], fields["src_len"]) == (32, 32 if source else 0)


def test_lists_are_asked_for_by_kind():
    for message_class, data, expected, given_ in (
        (ifinfmsg, rtnetlink.list_links(), 18, {"IFLA_EXT_MASK": 8}),
        (ifaddrmsg, rtnetlink.list_addresses(), 22, {}),
        (rtmsg, rtnetlink.list_routes(), 26, {}),
        (ndmsg, rtnetlink.list_neighbours(), 30, {}),
        (ndmsg, rtnetlink.list_proxies(), 30, {}),
        (fibmsg, rtnetlink.list_rules(), 34, {}),
    ):
        kind, flags, fields, found = read(message_class, data)
        assert (kind, flags, found) == (expected, REQUEST | DUMP, given_)
        assert fields["family"] == (0 if message_class is ifinfmsg else 2)
        if message_class is ndmsg:
            assert fields["flags"] == (8 if data == rtnetlink.list_proxies() else 0)


@given(ips, st.text("abcdefx_0123456789", max_size=40))
def test_an_element_of_a_set_or_map(ip, chain):
    data = nft_elements.encoded(nft_elements.add("pods", Element(ip, chain)))
    message = nft_set_elem_list_msg(data)
    message.decode()
    (element,) = message.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS")
    key = element.get_attr("NFTA_SET_ELEM_KEY").get_attr("NFTA_DATA_VALUE")
    value = element.get_attr("NFTA_SET_ELEM_DATA")

    assert message["header"]["flags"] == REQUEST | ACK | CREATE
    assert message["nfgen_family"] == 2
    assert message.get_attr("NFTA_SET_ELEM_LIST_TABLE") == "tke_eni"
    assert message.get_attr("NFTA_SET_ELEM_LIST_SET") == "pods"
    assert bytes(key) == ipaddress.IPv4Address(ip).packed
    if chain:
        verdict = value.get_attr("NFTA_DATA_VERDICT")
        assert verdict.get_attr("NFTA_VERDICT_CHAIN") == chain
        assert verdict.get_attr("NFTA_VERDICT_CODE") in (-4, "NFT_GOTO", 0xFFFFFFFC)
    else:
        assert value is None


@given(ips, indices)
def test_an_element_of_link_and_address_has_a_register_for_each(ip, ifindex):
    data = nft_elements.encoded(nft_elements.add("pod_sources", Element(ip, ifindex=ifindex)))
    message = nft_set_elem_list_msg(data)
    message.decode()
    (element,) = message.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS")
    key = element.get_attr("NFTA_SET_ELEM_KEY").get_attr("NFTA_DATA_VALUE")

    assert bytes(key) == struct.pack("=I", ifindex) + ipaddress.IPv4Address(ip).packed


@given(st.integers(0, 2**32 - 1), tables, st.integers(1, 2**32 - 1), names)
def test_rules_are_pyroute2s(priority, table, mark, iif):
    match = [("FRA_IIFNAME", iif), ("FRA_FWMARK", mark), ("FRA_FWMASK", mark)]
    request = policy_requests.add_rule(priority, table, match)
    kind, flags, fields, found = read(fibmsg, request.data)
    assert (kind, flags, fields["action"]) == (32, REQUEST | ACK | CREATE | EXCL, 1)
    assert found == {
        "FRA_PRIORITY": priority,
        "FRA_TABLE": table,
        "FRA_PROTOCOL": rtnetlink.PROTOCOL,
        **dict(match),
    }


@given(st.binary())
def test_what_is_no_message_is_taken_apart_without_end_or_error(data):
    for message in messages(data):
        list(attributes(message.data, 16))
    list(attributes(data))


ONLY_TWO_CLASSES = """
import sys
import ipamd.agent.main
assert not [name for name in sys.modules if name.split(".")[0] == "pyroute2"], "left behind"
import pyroute2
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from ipamd.net import policy_requests
assert pyroute2.IPRoute and pyroute2.netlink.rtnl.rtmsg.rtmsg is rtmsg
assert policy_requests.rtmsg.__name__ == "rtmsg" and policy_requests.rtmsg is not rtmsg
"""
AFTER_ALL_OF_IT = """
import sys
import pyroute2
before = {name: module for name, module in sys.modules.items() if name.startswith("pyroute2")}
from ipamd.net import policy_requests
assert before == {name: module for name, module in sys.modules.items() if name.startswith("pyroute2")}
assert policy_requests.add_rule(512, 254, []).data
"""


def test_pyroute2_is_loaded_no_further_than_its_classes_and_nobody_else_notices():
    for script in (ONLY_TWO_CLASSES, AFTER_ALL_OF_IT):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
