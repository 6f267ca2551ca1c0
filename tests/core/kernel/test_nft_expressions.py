"""What expressions of nftables are for one packet; what cannot be said is said to be unreadable."""

import pytest

from ipamd.core.kernel.nft_expressions import UNREADABLE, ExpressionReader, TracedPacket, named
from ipamd.core.kernel.nft_ruleset import NftChain, NftRuleset

CHAIN = NftChain("ip", "t", "c")
PACKET = TracedPacket(
    source="10.0.1.7", destination="203.0.113.5", iif="eni1", oif="eth0", mark=0x30000, ct_mark=0x20000
)
SETS = [{"set": {"family": "ip", "table": "t", "name": "pods", "elem": ["10.0.1.7"]}}]
META_MARK = {"meta": {"key": "mark"}}


def fib(packet, result, flags):
    return f"{result} of {packet.source} by {'+'.join(sorted(flags))}"


READER = ExpressionReader(NftRuleset(SETS), PACKET, fib)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (7, 7),
        ("text", "text"),
        ({"payload": {"protocol": "ip", "field": "saddr"}}, "10.0.1.7"),
        ({"payload": {"protocol": "ip", "field": "daddr"}}, "203.0.113.5"),
        ({"payload": {"protocol": "ip", "field": "ttl"}}, UNREADABLE),
        ({"payload": {"protocol": "tcp", "field": "saddr"}}, UNREADABLE),
        ({"meta": {"key": "iifname"}}, "eni1"),
        ({"meta": {"key": "iif"}}, "eni1"),
        ({"meta": {"key": "oifname"}}, "eth0"),
        ({"meta": {"key": "oif"}}, "eth0"),
        (META_MARK, 0x30000),
        ({"meta": {"key": "nfproto"}}, "ipv4"),
        ({"meta": {"key": "l4proto"}}, "tcp"),
        ({"meta": {"key": "skuid"}}, UNREADABLE),
        ({"ct": {"key": "mark"}}, 0x20000),
        ({"ct": {"key": "state"}}, "new"),
        ({"ct": {"key": "direction"}}, "original"),
        ({"ct": {"key": "zone"}}, UNREADABLE),
        ({"fib": {"result": "type", "flags": ["daddr", "iif"]}}, "type of 10.0.1.7 by daddr+iif"),
        ({"&": [META_MARK, 0x10000]}, 0x10000),
        ({"|": [META_MARK, 0x4]}, 0x30004),
        ({"^": [META_MARK, 0x10001]}, 0x20001),
        ({"|": [0x1FFFFFFFF, 0]}, 0xFFFFFFFF),
        ({"&": [{"meta": {"key": "skuid"}}, 1]}, UNREADABLE),
        ({"map": {}}, UNREADABLE),
    ],
)
def test_an_expression_is_what_the_packet_has(expression, value):
    assert READER.value(CHAIN, expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (META_MARK, 0),
        ({"ct": {"key": "mark"}}, 0),
        ({"meta": {"key": "oifname"}}, ""),
        ({"payload": {"protocol": "tcp", "field": "dport"}}, UNREADABLE),
    ],
)
def test_a_packet_that_nobody_has_marked_or_sent_on_has_no_mark_and_no_way_out(expression, value):
    fresh = TracedPacket(source="10.0.1.7", destination="203.0.113.5", iif="eni1")

    assert ExpressionReader(NftRuleset(SETS), fresh, fib).value(CHAIN, expression) == value


@pytest.mark.parametrize(
    ("value", "member", "inside"),
    [
        ("10.0.1.7", "10.0.1.7", True),
        ("10.0.1.7", "10.0.1.8", False),
        ("10.0.1.7", {"elem": {"val": "10.0.1.7", "comment": "x"}}, True),
        ("10.0.1.7", {"elem": {"val": "10.0.1.8"}}, False),
        ("10.0.1.7", {"prefix": {"addr": "10.0.1.0", "len": 29}}, True),
        ("10.0.1.7", {"prefix": {"addr": "10.0.1.8", "len": 29}}, False),
        ("no address", {"prefix": {"addr": "10.0.1.0", "len": 24}}, False),
        ("10.0.1.7", {"range": ["10.0.1.7", "10.0.1.9"]}, True),
        ("10.0.1.7", {"range": ["10.0.1.5", "10.0.1.7"]}, True),
        ("10.0.1.7", {"range": ["10.0.1.8", "10.0.1.9"]}, False),
        ("10.0.1.7", {"range": ["10.0.1.5", "10.0.1.6"]}, False),
        ("no address", {"range": ["10.0.1.5", "10.0.1.9"]}, False),
        (80, {"range": [80, 90]}, True),
        (90, {"range": [80, 90]}, True),
        (79, {"range": [80, 90]}, False),
        ("text", {"range": [80, 90]}, False),
        ("eni1", "eni*", True),
        ("eth0", "eni*", False),
        (1, True, True),
        (0, True, False),
        ("", False, True),
        (0x30000, META_MARK, True),
    ],
)
def test_a_value_is_compared_with_constants_networks_ranges_and_names(value, member, inside):
    assert READER.is_in(CHAIN, value, member) is inside


@pytest.mark.parametrize(
    ("data", "members"),
    [
        ("@pods", ["10.0.1.7"]),
        ("@others", []),
        ({"set": ["a", "b"]}, ["a", "b"]),
        ({"set": "a"}, ["a"]),
        (["a"], ["a"]),
        ("a", ["a"]),
    ],
)
def test_sets_are_named_or_stand_in_the_rule(data, members):
    assert list(READER.members(CHAIN, data)) == members


@pytest.mark.parametrize(
    ("left", "operator", "right", "met"),
    [
        (META_MARK, "==", 0x30000, True),
        (META_MARK, "!=", 0x30000, False),
        (META_MARK, "in", [1, 0x30000], True),
        (META_MARK, "==", [1, 2], False),
        (META_MARK, "!=", [1, 2], True),
        (META_MARK, "<", 0x30000, None),
        ({"meta": {"key": "skuid"}}, "==", 0, None),
        ({"meta": {"key": "skuid"}}, "!=", 0, None),
    ],
)
def test_a_match_is_met_or_not_or_cannot_be_read(left, operator, right, met):
    assert READER.is_met(CHAIN, {"left": left, "op": operator, "right": right}) is met


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("text", "text"),
        ({"payload": {"protocol": "tcp", "field": "dport"}}, "tcp dport"),
        (META_MARK, "meta mark"),
        ({"&": [META_MARK, 1]}, "&"),
    ],
)
def test_an_expression_is_named_for_people(expression, words):
    assert named(expression) == words
