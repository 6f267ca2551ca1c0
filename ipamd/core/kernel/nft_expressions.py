"""Expressions of nftables as nft lists them (libnftables-json(5)): what they are for one packet. Pure."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core.kernel.nft_ruleset import Expression, NftChain, NftRuleset

UNREADABLE: Final = object()
"""What is not known of the packet, or not understood."""
_MARK_BITS: Final = 0xFFFFFFFF
_PORTS: Final = (("tcp", "dport"), ("th", "dport"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPacket:
    """The first packet of a TCP connection, as far as rules look at it."""

    source: str
    destination: str
    iif: str
    oif: str = ""
    mark: int = 0
    ct_mark: int = 0
    port: int | None = None
    """Of the destination; None when it is not known."""


Fib = Callable[[TracedPacket, str, frozenset[str]], str]
"""From packet, result (`oif` or `type`) and flags (`saddr`, `daddr`, `iif`) to what the kernel's routes say;
empty for no route."""


class ExpressionReader:
    """Reads expressions of one ruleset; `packet` is the one that they are about, and may be another later."""

    def __init__(self, ruleset: NftRuleset, packet: TracedPacket, fib: Fib) -> None:
        """Take the ruleset, the packet, and who answers about routes."""
        self.packet = packet
        self._ruleset = ruleset
        self._fib = fib

    def members(self, chain: NftChain, data: Expression) -> Sequence[Any]:
        """Return what a named or anonymous set or map consists of."""
        if isinstance(data, str) and data.startswith("@"):
            return self._ruleset.elements(chain, data[1:])
        if isinstance(data, dict) and "set" in data:
            inside = data["set"]
            return inside if isinstance(inside, list) else [inside]
        return data if isinstance(data, list) else [data]

    def is_met(self, chain: NftChain, value: Any) -> bool | None:
        """Whether a statement `match` is met; None when it cannot be read."""
        left, operator, right = self.value(chain, value["left"]), value["op"], value["right"]
        if left is UNREADABLE or operator not in ("==", "!=", "in"):
            return None
        met = any(self.is_in(chain, left, member) for member in self.members(chain, right))
        return met is not (operator == "!=")

    def is_in(self, chain: NftChain, value: Any, member: Expression) -> bool:
        """Whether a value is a constant, or lies in a network, a range, a wildcard of names."""
        if isinstance(member, dict):
            if "elem" in member:
                return self.is_in(chain, value, member["elem"]["val"])
            if "concat" in member:
                return self._are_in(chain, value, member["concat"])
            if "prefix" in member:
                return _in_network(value, f"{member['prefix']['addr']}/{member['prefix']['len']}")
            if "range" in member:
                low, high = member["range"]
                return _between(value, low, high)
            member = self.value(chain, member)
        if isinstance(member, str) and isinstance(value, str) and member.endswith("*"):
            return value.startswith(member[:-1])
        if isinstance(member, bool):
            return bool(value) is member
        return bool(value == member)

    def _are_in(self, chain: NftChain, values: Any, members: Sequence[Expression]) -> bool:
        parts = values if isinstance(values, tuple) else ()
        return len(parts) == len(members) and all(
            self.is_in(chain, value, member) for value, member in zip(parts, members, strict=True)
        )

    def value(self, chain: NftChain, expression: Expression) -> Any:
        """Return what an expression is for the packet; UNREADABLE when it cannot be said."""
        if not isinstance(expression, dict):
            return expression
        ((kind, of),) = expression.items()
        match kind:
            case "payload" if of.get("protocol") == "ip":
                return {"saddr": self.packet.source, "daddr": self.packet.destination}.get(
                    of.get("field"), UNREADABLE
                )
            case "payload" if (of.get("protocol"), of.get("field")) in _PORTS:
                return UNREADABLE if self.packet.port is None else self.packet.port
            case "meta":
                return self._meta(of["key"])
            case "ct":
                known = {"mark": self.packet.ct_mark, "state": "new", "direction": "original", "status": ""}
                return known.get(of["key"], UNREADABLE)
            case "fib":
                return self._fib(self.packet, of["result"], frozenset(of["flags"]))
            case "&" | "|" | "^":
                return self._combined(chain, kind, of)
            case "concat":
                parts = tuple(self.value(chain, part) for part in of)
                return UNREADABLE if UNREADABLE in parts else parts
        return UNREADABLE

    def _meta(self, key: str) -> Any:
        packet = self.packet
        known = {
            "iif": packet.iif,
            "iifname": packet.iif,
            "oif": packet.oif,
            "oifname": packet.oif,
            "mark": packet.mark,
            "nfproto": "ipv4",
            "protocol": "ip",
            "l4proto": "tcp",
        }
        return known.get(key, UNREADABLE)

    def _combined(self, chain: NftChain, kind: str, parts: Sequence[Expression]) -> Any:
        values = [self.value(chain, part) for part in parts]
        if not all(isinstance(value, int) for value in values):
            return UNREADABLE
        result = values[0]
        for value in values[1:]:
            result = result & value if kind == "&" else result | value if kind == "|" else result ^ value
        return result & _MARK_BITS


def named(expression: Expression) -> str:
    """Return what an expression is about, for people."""
    if not isinstance(expression, dict):
        return str(expression)
    ((kind, of),) = expression.items()
    details = of if isinstance(of, dict) else {}
    return " ".join(
        part for part in (details.get("protocol", kind), details.get("field", details.get("key"))) if part
    )


def _in_network(value: Any, network: str) -> bool:
    try:
        return ipaddress.IPv4Address(value) in ipaddress.IPv4Network(network, strict=False)
    except ValueError:
        return False


def _between(value: Any, low: Any, high: Any) -> bool:
    try:
        if isinstance(low, int):
            return bool(low <= value <= high)
        return ipaddress.IPv4Address(low) <= ipaddress.IPv4Address(value) <= ipaddress.IPv4Address(high)
    except (TypeError, ValueError):
        return False
