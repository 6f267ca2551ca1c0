"""What chains of others in nftables do to a Pod's first packet to the internet. Pure.

The rules are walked as the kernel does, with what is known of such a packet: the link that it comes from,
its source, that its connection is new and has no mark of others. A match on anything else may hold or not;
what only such a rule does is not counted on, and not complained of. So a finding is certain, and a firewall
that lets Pods through is left in peace. Rules are entries of nft's JSON (libnftables-json(5)), those of
iptables-nft with their `xt` parts.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

Entry = Mapping[str, Any]
_DEEPEST: Final = 16
"""Jumps within each other, as in the kernel."""


class ChainVerdict(Enum):
    """What becomes of the packet in a chain."""

    PASSES = "passes"
    ACCEPTED = "accepted"
    DROPPED = "dropped"
    TRANSLATED = "translated"
    """It gets another source address."""
    RETURNS = "returns"
    MAYBE = "maybe"
    """Something that is not known here decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPacket:
    """The first packet of a Pod to an address that is nobody's here."""

    source: str
    iif: str
    oif: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseChain:
    """A chain with a hook: where packets come by."""

    family: str
    table: str
    name: str
    kind: str
    hook: str
    priority: int
    policy: str

    def __str__(self) -> str:
        return f"chain {self.family} {self.table} {self.name} (hook {self.hook}, priority {self.priority})"


def base_chains(listing: Sequence[Entry]) -> list[BaseChain]:
    """Return the chains of a listing that have a hook, in the order of their priorities."""
    found = [
        BaseChain(
            family=chain["family"],
            table=chain["table"],
            name=chain["name"],
            kind=chain.get("type", ""),
            hook=chain["hook"],
            priority=int(chain.get("prio", 0)),
            policy=chain.get("policy", "accept"),
        )
        for chain in (entry["chain"] for entry in listing if "chain" in entry)
        if "hook" in chain
    ]
    return sorted(found, key=lambda chain: chain.priority)


def fate(base: BaseChain, table: Sequence[Entry], packet: PodPacket) -> ChainVerdict:
    """Return what a base chain does to the packet; `table` is the listing of its table."""
    rules: dict[str, list[Entry]] = {}
    for entry in table:
        if "rule" in entry:
            rules.setdefault(entry["rule"]["chain"], []).append(entry["rule"])
    found, doubt = _walk(base.name, rules, packet, 0)
    if found in (ChainVerdict.PASSES, ChainVerdict.RETURNS):
        found = ChainVerdict.DROPPED if base.policy == "drop" else ChainVerdict.ACCEPTED
    # What may have let it pass before stands against a drop, not against what lets it pass anyway.
    return ChainVerdict.MAYBE if doubt and found in (ChainVerdict.DROPPED, ChainVerdict.TRANSLATED) else found


def _walk(
    chain: str, rules: Mapping[str, Sequence[Entry]], packet: PodPacket, depth: int
) -> tuple[ChainVerdict, bool]:
    """Return what becomes of it, and whether a rule that may have matched would have ended it otherwise."""
    doubt = False
    for rule in rules.get(chain, ()) if depth < _DEEPEST else ():
        matches, verdict, target = _read(rule.get("expr", ()), packet)
        if matches is False or (verdict is None and not target):
            continue
        if target:
            found, inner = _walk(target, rules, packet, depth + 1)
            doubt = doubt or inner
            if found in (ChainVerdict.PASSES, ChainVerdict.RETURNS):
                continue
            verdict = found
        if matches is None or verdict is ChainVerdict.MAYBE:
            doubt = doubt or verdict in (ChainVerdict.ACCEPTED, ChainVerdict.MAYBE, ChainVerdict.RETURNS)
            continue
        return verdict or ChainVerdict.PASSES, doubt
    return ChainVerdict.PASSES, doubt


def _read(expression: Sequence[Any], packet: PodPacket) -> tuple[bool | None, ChainVerdict | None, str]:
    """Return whether a rule matches (None: perhaps), its verdict, and where it jumps to."""
    matches: bool | None = True
    chosen = False
    for part in expression:
        kind, value = _split(part)
        if kind == "match":
            one = _match(value, packet)
            if one is False:
                return False, None, ""
            matches = None if one is None else matches
            chosen = chosen or bool(one)
        elif kind in ("jump", "goto"):
            return matches, None, str(value["target"])
        elif kind in _VERDICTS:
            return matches, _VERDICTS[kind], ""
        elif kind == "xt":
            fate_of_target = _XT_TARGETS.get(str(value.get("name")))
            if value.get("type") == "target":
                return matches, fate_of_target or ChainVerdict.MAYBE, ""
            if value.get("name") in _XT_OF_OTHERS and not chosen:
                return False, None, ""
            matches = matches if value.get("name") == "comment" else None
        elif kind not in _SILENT:
            matches = None
    return matches, None, ""


_VERDICTS: Final = {
    "accept": ChainVerdict.ACCEPTED,
    "drop": ChainVerdict.DROPPED,
    "reject": ChainVerdict.DROPPED,
    "return": ChainVerdict.RETURNS,
    "masquerade": ChainVerdict.TRANSLATED,
    "snat": ChainVerdict.TRANSLATED,
    "queue": ChainVerdict.MAYBE,
}
_XT_TARGETS: Final = {
    "MASQUERADE": ChainVerdict.TRANSLATED,
    "SNAT": ChainVerdict.TRANSLATED,
    "ACCEPT": ChainVerdict.ACCEPTED,
    "DROP": ChainVerdict.DROPPED,
    "REJECT": ChainVerdict.DROPPED,
    "RETURN": ChainVerdict.RETURNS,
}
_XT_OF_OTHERS: Final = ("conntrack", "state", "mark", "connmark")
"""Matches that nft does not show the inside of. Where a rule does not choose Pods besides, they are those of
kube-proxy and Docker: established connections, and marked packets."""
_SILENT: Final = ("counter", "log", "mangle", "comment")
"""Statements that neither choose nor end."""


def _split(part: Any) -> tuple[str, Mapping[str, Any]]:
    """Return a statement's name and what it says; {"accept": null} says nothing."""
    kind, value = next(iter(part.items())) if isinstance(part, Mapping) and part else (str(part), None)
    return str(kind), value if isinstance(value, Mapping) else {}


def _match(match: Entry, packet: PodPacket) -> bool | None:
    left, right, operator = match.get("left"), match.get("right"), match.get("op", "==")
    if _is_mark(left) and operator == "==" and isinstance(right, int) and right:
        return False
    known = _known(left, packet)
    if known is None:
        return None
    holds = _holds(known, right)
    if holds is None:
        return None
    return holds if operator in ("==", "in") else not holds if operator == "!=" else None


def _is_mark(left: Any) -> bool:
    """Whether it is the mark of packet or connection, or some of its bits."""
    if isinstance(left, Mapping) and isinstance(left.get("&"), list):
        left = left["&"][0]
    parts = [left.get("meta"), left.get("ct")] if isinstance(left, Mapping) else []
    return any(isinstance(part, Mapping) and part.get("key") == "mark" for part in parts)


def _known(left: Any, packet: PodPacket) -> str | None:
    """Return what is known of the field, None when it is not."""
    if not isinstance(left, Mapping):
        return None
    meta, payload, connection = left.get("meta"), left.get("payload"), left.get("ct")
    if isinstance(meta, Mapping):
        return {"iifname": packet.iif, "iif": packet.iif, "oifname": packet.oif, "oif": packet.oif}.get(
            str(meta.get("key"))
        )
    if isinstance(payload, Mapping) and (payload.get("protocol"), payload.get("field")) == ("ip", "saddr"):
        return packet.source
    if isinstance(connection, Mapping) and connection.get("key") == "state":
        return "new"
    return None


def _holds(known: str, right: Any) -> bool | None:
    """Whether a value is what, or among what, the right side says; None when that is not to be told."""
    if isinstance(right, str):
        if right.startswith("@"):
            return None
        return known.startswith(right[:-1]) if right.endswith("*") else known == right
    if isinstance(right, list):
        found = [_holds(known, one) for one in right]
        return True if True in found else None if None in found else False
    if isinstance(right, Mapping):
        if "set" in right:
            return _holds(known, right["set"])
        prefix = right.get("prefix")
        if isinstance(prefix, Mapping):
            network = ipaddress.ip_network(f"{prefix['addr']}/{prefix['len']}", strict=False)
            return ipaddress.ip_address(known) in network
    return None
