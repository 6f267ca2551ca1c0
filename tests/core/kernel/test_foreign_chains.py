"""What a foreign chain of nftables does to a Pod's first packet, or may do: certain, or not complained of."""

import pytest

from ipamd.core.kernel.foreign_chains import ChainVerdict, PodPacket, base_chains, fate

PACKET = PodPacket(source="10.0.1.7", iif="eni1", oif="eth1")
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
STATE = {"ct": {"key": "state"}}
MARK = {"meta": {"key": "mark"}}
PORT = {"payload": {"protocol": "tcp", "field": "dport"}}
PASSES, ACCEPTED, DROPPED = ChainVerdict.PASSES, ChainVerdict.ACCEPTED, ChainVerdict.DROPPED
TRANSLATED, MAYBE = ChainVerdict.TRANSLATED, ChainVerdict.MAYBE


def chain(name="c", **changes):
    base = {"family": "ip", "table": "t", "name": name, "type": "filter", "hook": "forward", "prio": 0}
    return {"chain": {**base, "policy": "accept", **changes}}


def rule(*statements, of="c"):
    return {"rule": {"family": "ip", "table": "t", "chain": of, "expr": list(statements)}}


def match(left, right, op="=="):
    return {"match": {"op": op, "left": left, "right": right}}


def xt(kind, name):
    return {"xt": {"type": kind, "name": name}}


def becomes(*rules, policy="accept"):
    (base,) = base_chains([chain(policy=policy)])
    return fate(base, rules, PACKET)


DROP, ACCEPT, RETURN = {"drop": None}, {"accept": None}, {"return": None}
UNKNOWN = match(PORT, 80)


def test_only_chains_with_a_hook_are_met_and_in_the_order_of_their_priorities():
    listing = [
        {"table": {"family": "ip", "name": "t"}},
        chain("late", prio=10),
        {"chain": {"family": "ip", "table": "t", "name": "jumped-to"}},
        chain("early", prio=-300, hook="prerouting"),
    ]

    assert [str(found) for found in base_chains(listing)] == [
        "chain ip t early (hook prerouting, priority -300)",
        "chain ip t late (hook forward, priority 10)",
    ]


def test_what_nft_does_not_list_of_a_chain_is_the_kernels_default():
    (base,) = base_chains([{"chain": {"family": "ip", "table": "t", "name": "c", "hook": "forward"}}])

    assert (base.kind, base.priority, base.policy) == ("", 0, "accept")


@pytest.mark.parametrize(("policy", "verdict"), [("accept", ACCEPTED), ("drop", DROPPED)])
@pytest.mark.parametrize("rules", [(), (rule(RETURN, DROP),), (rule(match(SOURCE, "10.9.9.9"), DROP),)])
def test_what_no_rule_ends_has_the_chains_policy(policy, verdict, rules):
    assert becomes(*rules, policy=policy) is verdict


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        (ACCEPT, ACCEPTED),
        (DROP, DROPPED),
        ({"reject": None}, DROPPED),
        ({"masquerade": None}, TRANSLATED),
        ({"snat": {"addr": "10.0.0.1"}}, TRANSLATED),
        (xt("target", "MASQUERADE"), TRANSLATED),
        (xt("target", "SNAT"), TRANSLATED),
        (xt("target", "DROP"), DROPPED),
        (xt("target", "REJECT"), DROPPED),
        (xt("target", "ACCEPT"), ACCEPTED),
    ],
)
def test_a_rule_without_a_choice_decides(statement, verdict):
    other = ACCEPT if verdict is not ACCEPTED else DROP

    assert becomes(rule({"counter": {"packets": 1}}, statement), rule(other)) is verdict


@pytest.mark.parametrize(
    "statement", [{"queue": {"num": 1}}, xt("target", "NFQUEUE"), xt("target", "TPROXY")]
)
def test_what_something_else_decides_is_no_certain_drop(statement):
    assert becomes(rule(statement), policy="drop") is MAYBE
    assert becomes(rule(statement)) is ACCEPTED


@pytest.mark.parametrize(
    ("left", "right", "met"),
    [
        (SOURCE, "10.0.1.7", True),
        (SOURCE, "10.0.1.6", False),
        (SOURCE, "10.0.1.8", False),
        (SOURCE, {"prefix": {"addr": "10.0.1.0", "len": 24}}, True),
        (SOURCE, {"prefix": {"addr": "10.0.2.0", "len": 24}}, False),
        (SOURCE, {"set": ["10.0.9.9", "10.0.1.7"]}, True),
        (SOURCE, {"set": ["10.0.9.9"]}, False),
        (SOURCE, ["10.0.9.9", {"prefix": {"addr": "10.0.0.0", "len": 16}}], True),
        ({"meta": {"key": "iifname"}}, "eni*", True),
        ({"meta": {"key": "iifname"}}, "eth*", False),
        ({"meta": {"key": "iif"}}, "eni1", True),
        ({"meta": {"key": "oifname"}}, "eth1", True),
        ({"meta": {"key": "oif"}}, "eth0", False),
        (STATE, "new", True),
        (STATE, ["established", "related"], False),
    ],
)
def test_source_links_and_state_of_the_packet_are_known(left, right, met):
    assert (becomes(rule(match(left, right), DROP)) is DROPPED) is met
    assert (becomes(rule(match(left, right, "in"), DROP)) is DROPPED) is met
    assert (becomes(rule(match(left, right, "!="), DROP)) is DROPPED) is not met


@pytest.mark.parametrize(
    "unknown",
    [
        UNKNOWN,
        match(SOURCE, "@pods"),
        match(SOURCE, ["10.0.9.9", "@pods"]),
        match(SOURCE, {"range": ["10.0.1.0", "10.0.1.9"]}),
        match(SOURCE, "10.0.1.7", "<"),
        match({"payload": {"protocol": "ip", "field": "daddr"}}, "10.0.1.7"),
        match({"payload": {"protocol": "ip6", "field": "saddr"}}, "10.0.1.7"),
        match({"meta": {"key": "l4proto"}}, "tcp"),
        match({"ct": {"key": "status"}}, "dnat"),
        match("text", "10.0.1.7"),
        xt("match", "set"),
        {"limit": {"rate": 1}},
    ],
)
def test_a_match_on_anything_else_may_hold_or_not_and_is_not_counted_on(unknown):
    assert becomes(rule(unknown, DROP)) is ACCEPTED
    assert becomes(rule(unknown, ACCEPT), rule(DROP)) is MAYBE
    assert becomes(rule(unknown, RETURN), rule({"masquerade": None})) is MAYBE
    assert becomes(rule(unknown, DROP), rule(DROP)) is DROPPED
    assert becomes(rule(unknown, ACCEPT)) is ACCEPTED


@pytest.mark.parametrize(
    "left", [MARK, {"ct": {"key": "mark"}}, {"&": [MARK, 0x4000]}, {"&": [{"ct": {"key": "mark"}}, 1]}]
)
def test_the_packet_has_no_mark_of_others(left):
    assert becomes(rule(match(left, 0x4000), DROP), policy="drop") is DROPPED
    assert becomes(rule(match(left, 0x4000), ACCEPT), policy="drop") is DROPPED
    assert becomes(rule(match(left, 0), ACCEPT), rule(DROP)) is MAYBE
    assert becomes(rule(match(left, 0x4000, "!="), ACCEPT), rule(DROP)) is MAYBE
    assert becomes(rule(match(left, "0x4000"), ACCEPT), rule(DROP)) is MAYBE


def test_a_comment_of_iptables_chooses_nothing_and_its_hidden_matches_are_of_others():
    assert becomes(rule(xt("match", "comment"), DROP)) is DROPPED
    assert becomes(rule({"comment": "x"}, {"log": None}, {"mangle": {}}, DROP)) is DROPPED
    for name in ("conntrack", "state", "mark", "connmark"):
        assert becomes(rule(xt("match", name), ACCEPT), policy="drop") is DROPPED
        chosen = rule(match(SOURCE, "10.0.1.7"), xt("match", name), ACCEPT)
        assert becomes(chosen, policy="drop") is MAYBE


def test_a_jump_comes_back_unless_the_chain_ends_it():
    assert becomes(rule({"jump": {"target": "sub"}}), rule(DROP), rule(RETURN, of="sub")) is DROPPED
    assert becomes(rule({"jump": {"target": "sub"}}), rule(DROP), rule(ACCEPT, of="sub")) is ACCEPTED
    assert becomes(rule({"goto": {"target": "sub"}}), rule(DROP, of="sub")) is DROPPED
    assert becomes(rule({"jump": {"target": "nowhere"}})) is ACCEPTED


def test_a_jump_that_may_be_taken_ends_nothing_for_certain():
    assert becomes(rule(UNKNOWN, {"jump": {"target": "sub"}}), rule(DROP, of="sub")) is ACCEPTED
    assert becomes(rule(UNKNOWN, {"jump": {"target": "sub"}}), rule(ACCEPT, of="sub"), rule(DROP)) is MAYBE
    inside = (rule(UNKNOWN, ACCEPT, of="sub"), rule({"jump": {"target": "sub"}}))
    assert becomes(*inside, rule(DROP)) is MAYBE


def test_a_rule_that_does_not_match_is_passed_by_and_what_follows_counts():
    assert becomes(rule(match(SOURCE, "10.9.9.9"), ACCEPT), rule({"counter": None}), rule(DROP)) is DROPPED


def test_chains_that_jump_in_circles_end():
    assert becomes(rule({"jump": {"target": "c"}}), policy="drop") is DROPPED


def jumps(depth):
    through = [rule({"jump": {"target": f"s{n + 1}"}}, of=f"s{n}" if n else "c") for n in range(depth)]
    return becomes(*through, rule(DROP, of=f"s{depth}"))


def test_as_many_jumps_within_each_other_as_in_the_kernel_are_followed():
    assert jumps(15) is DROPPED
    assert jumps(16) is ACCEPTED
