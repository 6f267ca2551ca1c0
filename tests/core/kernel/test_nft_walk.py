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


MARK = {"meta": {"key": "mark"}}


def mangled(key, value, comment=""):
    packet = TracedPacket(source="10.0.1.7", destination="203.0.113.5", iif="eni1", mark=5, ct_mark=6)
    return walked(
        chain(kind="filter"),
        rule({"mangle": {"key": key, "value": value}}, {"accept": None}, comment=comment),
        packet=packet,
    )


@pytest.mark.parametrize(
    ("key", "value", "marks", "notes"),
    [
        (MARK, 7, (7, 6), ["mark 0x7"]),
        (MARK, 5, (5, 6), []),
        ({"ct": {"key": "mark"}}, 7, (5, 7), []),
        ({"ct": {"key": "mark"}}, MARK, (5, 5), []),
    ],
)
def test_marks_of_packet_and_connection_are_set_apart(key, value, marks, notes):
    result = mangled(key, value)

    assert (result.packet.mark, result.packet.ct_mark) == marks
    assert [step.text for step in result.steps] == notes
    assert not result.unread


def test_who_sets_a_mark_is_told():
    assert [step.text for step in mangled(MARK, 7, comment="way of eth1").steps] == ["mark 0x7: way of eth1"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ({"meta": {"key": "priority"}}, 7),
        ({"ct": {"key": "zone"}}, 7),
        ({"payload": {"key": "mark"}}, 7),
        (MARK, {"meta": {"key": "skuid"}}),
    ],
)
def test_another_change_of_the_packet_is_noted_and_the_rule_goes_on(key, value):
    result = mangled(key, value)

    assert (result.packet.mark, result.packet.ct_mark) == (5, 6)
    (note,) = result.unread
    assert note.startswith("nft ip t c: a change of ")


def chosen_by(elements, hook="postrouting"):
    ways = {"map": {"family": "ip", "table": "t", "name": "ways", "elem": elements}}
    return walked(
        chain(kind="filter", hook=hook),
        chain("sub", hook=""),
        ways,
        rule({"vmap": {"key": SOURCE, "data": "@ways"}}),
        rule({"drop": None}),
        rule({"accept": None}, of="sub"),
        hook=hook,
    ).fate


@pytest.mark.parametrize(
    ("verdict", "fate"),
    [
        ({"accept": None}, Fate.PASSES),
        ("accept", Fate.PASSES),
        ({"drop": None}, Fate.DROPPED),
        ({"jump": {"target": "sub"}}, Fate.PASSES),
        ({"return": None}, Fate.PASSES),
    ],
)
def test_a_map_of_verdicts_chooses_by_the_packet(verdict, fate):
    assert chosen_by([["10.0.1.9", {"drop": None}], ["10.0.1.7", verdict]]) is fate
    assert chosen_by([["10.0.1.9", verdict]]) is Fate.DROPPED, "no element: the next rule"


@pytest.mark.parametrize(
    ("name", "fate"),
    [
        ("MASQUERADE", Fate.MASQUERADED),
        ("SNAT", Fate.SOURCE_TRANSLATED),
        ("DROP", Fate.DROPPED),
        ("REJECT", Fate.DROPPED),
        ("ACCEPT", Fate.PASSES),
    ],
)
def test_targets_of_iptables_are_known_by_name(name, fate):
    result = walked(chain(), rule({"xt": {"type": "target", "name": name}}), rule({"masquerade": None}))

    assert result.fate is fate
    assert not result.unread


def test_a_target_of_iptables_that_is_not_known_is_noted_and_the_next_rule_counts():
    result = walked(
        chain(),
        rule({"xt": {"type": "target", "name": "TPROXY"}}, {"drop": None}),
        rule({"masquerade": None}),
    )

    assert result.fate is Fate.MASQUERADED
    assert result.unread == ("nft ip t c: the target TPROXY of iptables",)


@pytest.mark.parametrize("name", ["comment", "addrtype"])
def test_matches_of_iptables_that_are_always_met_let_the_rule_go_on(name):
    result = walked(chain(), rule({"xt": {"type": "match", "name": name}}, {"masquerade": None}))

    assert result.fate is Fate.MASQUERADED
    assert not result.unread


def test_a_drop_tells_why():
    assert walked(chain(), rule({"drop": None}, comment="closed")).steps[-1].text == "dropped: closed"
    assert walked(chain(), rule({"drop": None})).steps[-1].text == "dropped: a rule says so"
    assert walked(chain(policy="drop")).steps[-1].text == "dropped by its policy"


def test_a_translation_tells_to_what_and_why():
    def result(statement, **about):
        found = walked(chain(), rule(statement, **about))
        return found.fate, found.address, found.steps[-1].text

    assert result({"snat": {"addr": "10.0.0.2"}}) == (
        Fate.SOURCE_TRANSLATED,
        "10.0.0.2",
        "source becomes 10.0.0.2",
    )
    assert result({"snat": {"addr": {"map": {}}}}) == (Fate.SOURCE_TRANSLATED, "", "source becomes ?")
    assert result({"masquerade": None}, comment="x") == (Fate.MASQUERADED, "", "masqueraded: x")
    assert result({"dnat": {"addr": "10.0.1.9"}}) == (
        Fate.DESTINATION_TRANSLATED,
        "10.0.1.9",
        "destination becomes 10.0.1.9",
    )
    assert result({"redirect": None})[2] == "destination becomes a backend"


def test_who_jumps_is_told_and_a_jump_to_nowhere_is_noted():
    listing = [chain(), chain("sub", hook=""), rule({"jump": {"target": "sub"}}, comment="to Pods")]

    assert [step.text for step in walked(*listing).steps] == ["to Pods"]
    assert walked(chain(), rule({"jump": {"target": "none"}})).unread == ("nft ip t c: jump none",)


def jumps(depth):
    through = [rule({"jump": {"target": f"s{n + 1}"}}, of=f"s{n}" if n else "c") for n in range(depth)]
    chains = [chain(f"s{n + 1}", hook="") for n in range(depth)]
    return walked(chain(), *chains, *through, rule({"drop": None}, of=f"s{depth}")).fate


def test_jumps_within_each_other_are_followed_as_far_as_the_kernel_does():
    assert jumps(16) is Fate.DROPPED
    assert jumps(18) is Fate.PASSES


def test_what_is_in_a_table_besides_chains_sets_and_rules_is_no_concern():
    others = [
        {"counter": {"family": "ip", "table": "t", "name": "n"}},
        {"zzz": {"family": "ip", "table": "t"}},
    ]

    assert walked(chain(), *others, rule({"drop": None})).fate is Fate.DROPPED
