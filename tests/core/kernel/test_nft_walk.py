"""nftables on paper: what becomes of a packet; what cannot be read is noted and counts as not met."""

import pytest

from ipamd.core.kernel.nft_expressions import TracedPacket
from ipamd.core.kernel.nft_ruleset import NftRuleset
from ipamd.core.kernel.nft_walk import Fate, walk

PACKET = TracedPacket(source="10.0.1.7", destination="203.0.113.5", iif="eni1", oif="eth0")
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}


def chain(name="c", hook="postrouting", *, kind="nat", priority=100, policy="accept", table="t"):
    base = {"type": kind, "hook": hook, "prio": priority, "policy": policy} if hook else {}
    return {"chain": {"family": "ip", "table": table, "name": name, **base}}


def rule(*statements, of="c", comment="", table="t"):
    told = {"comment": comment} if comment else {}
    return {"rule": {"family": "ip", "table": table, "chain": of, "expr": list(statements), **told}}


def match(left, right, op="=="):
    return {"match": {"op": op, "left": left, "right": right}}


def walked(*listing, hook="postrouting", packet=PACKET, backend=""):
    return walk(NftRuleset(listing), hook, packet, lambda *_: "", backend)


@pytest.mark.parametrize(
    ("right", "met"),
    [
        ("10.0.1.7", True),
        ("10.0.1.8", False),
        ({"prefix": {"addr": "10.0.1.0", "len": 24}}, True),
        ({"prefix": {"addr": "10.0.2.0", "len": 24}}, False),
        ({"range": ["10.0.1.5", "10.0.1.9"]}, True),
        ({"set": ["10.0.9.9", {"prefix": {"addr": "10.0.1.0", "len": 28}}]}, True),
        ("@pods", True),
        ("@others", False),
    ],
)
@pytest.mark.parametrize("op", ["==", "!="])
def test_addresses_are_compared_as_nft_lists_them(right, met, op):
    sets = [
        {"set": {"family": "ip", "table": "t", "name": "pods", "elem": ["10.0.1.7"]}},
        {"set": {"family": "ip", "table": "t", "name": "others"}},
    ]
    result = walked(chain(), *sets, rule(match(SOURCE, right, op), {"masquerade": None}))

    assert (result.fate is Fate.MASQUERADED) is (met is (op == "=="))
    assert not result.unread


def test_earlier_chains_translate_and_later_ones_are_not_asked():
    result = walked(
        chain("late", priority=100),
        chain("early", priority=50),
        rule({"masquerade": None}, of="late"),
        rule({"snat": {"addr": SOURCE}}, of="early", comment="stays"),
    )

    assert result.fate is Fate.SOURCE_KEPT
    assert [(step.chain, step.text) for step in result.steps] == [
        ("nft ip t early", "source stays 10.0.1.7: stays")
    ]


def test_a_drop_ends_it_and_an_accept_only_its_chain():
    listing = [
        chain("a", kind="filter", priority=0),
        chain("b", kind="filter", priority=1, policy="drop"),
        rule({"accept": None}, of="a"),
    ]
    assert walked(*listing).fate is Fate.DROPPED
    assert walked(*listing, rule({"accept": None}, of="b")).fate is Fate.PASSES


def test_a_return_goes_back_and_a_goto_does_not_come_back():
    def result(how):
        return walked(
            chain(),
            chain("sub", hook=""),
            rule({how: {"target": "sub"}}),
            rule({"masquerade": None}),
            rule({"return": None}, of="sub"),
            rule({"drop": None}, of="sub"),
        ).fate

    assert result("jump") is Fate.MASQUERADED
    assert result("goto") is Fate.PASSES


def test_chains_that_jump_in_circles_end():
    result = walked(chain(), rule({"jump": {"target": "c"}}))

    assert result.fate is Fate.PASSES
    assert result.unread


def test_marks_are_set_bit_by_bit():
    mark = {"meta": {"key": "mark"}}
    kept = {"|": [{"&": [mark, 0xFFC2FFFF]}, 0x20000]}
    result = walked(
        chain(kind="filter"),
        rule({"mangle": {"key": mark, "value": kept}}),
        packet=TracedPacket(source="10.0.1.7", destination="203.0.113.5", iif="eni1", mark=0x14000),
    )

    assert result.packet.mark == 0x24000


@pytest.mark.parametrize(
    "unknown",
    [
        match({"payload": {"protocol": "tcp", "field": "dport"}}, 80),
        {"xt": {"type": "match", "name": "set"}},
        match(SOURCE, "10.0.1.7", "<"),
    ],
)
def test_what_cannot_be_read_counts_as_not_met_and_is_noted(unknown):
    result = walked(chain(), rule(unknown, {"masquerade": None}))

    assert result.fate is Fate.PASSES
    (note,) = result.unread
    assert note.startswith("nft ip t c: ")


def test_a_translated_destination_is_what_later_chains_see():
    destination = {"payload": {"protocol": "ip", "field": "daddr"}}
    listing = [
        chain("dnat", hook="prerouting", priority=-100),
        chain("ours", hook="prerouting", kind="filter", priority=-90),
        rule(match(destination, "203.0.113.5"), {"xt": {"type": "target", "name": "DNAT"}}, of="dnat"),
        rule(match(destination, "10.0.1.20"), {"drop": None}, of="ours", comment="seen"),
    ]
    result = walked(*listing, hook="prerouting", backend="10.0.1.20")

    assert result.fate is Fate.DROPPED
    assert result.packet.destination == "10.0.1.20"


def test_tables_of_ipv6_are_no_concern():
    ruleset = NftRuleset([{"chain": {"family": "ip6", "table": "t", "name": "c", "hook": "forward"}}])

    assert ruleset.at("forward") == []
