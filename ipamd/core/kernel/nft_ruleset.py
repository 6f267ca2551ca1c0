"""What stands in nftables, from its listing (libnftables-json(5)): chains by hook, sets, rules. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Expression = Any
"""A statement, an expression or a constant as nft lists it."""
_FAMILIES = ("ip", "inet")
_OF_BASE_CHAINS = {"type": "kind", "hook": "hook", "prio": "priority", "policy": "policy"}
"""What only chains with a hook have, by nft's names and ours."""


@dataclass(frozen=True, slots=True)
class NftRule:
    """One rule: its statements in order."""

    statements: Sequence[Mapping[str, Expression]]
    comment: str = ""


@dataclass(slots=True)
class NftChain:
    """One chain; those without a hook are only jumped to."""

    family: str
    table: str
    name: str
    kind: str = ""
    """`filter`, `nat` or `route`, of a chain with a hook."""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    rules: list[NftRule] = field(default_factory=list)

    def __str__(self) -> str:
        return f"nft {self.family} {self.table} {self.name}"


class NftRuleset:
    """Everything that IPv4 packets meet. Invariant: nothing changes after it was read."""

    def __init__(self, listing: Sequence[Mapping[str, Any]]) -> None:
        """Read what `list ruleset` or `list table` printed."""
        self._chains: dict[tuple[str, str, str], NftChain] = {}
        self._elements: dict[tuple[str, str, str], Sequence[Expression]] = {}
        for entry in listing:
            for kind, value in entry.items():
                if value.get("family") in _FAMILIES:
                    self._read(kind, value)

    def _read(self, kind: str, value: Mapping[str, Any]) -> None:
        if kind == "chain":
            chain = NftChain(
                value["family"],
                value["table"],
                value["name"],
                **{field: value[key] for key, field in _OF_BASE_CHAINS.items() if key in value},
            )
            self._chains[chain.family, chain.table, chain.name] = chain
        elif kind in ("set", "map"):
            self._elements[value["family"], value["table"], value["name"]] = value.get("elem", ())
        elif kind == "rule":
            chain = self._chains[value["family"], value["table"], value["chain"]]
            chain.rules.append(NftRule(value["expr"], value.get("comment", "")))

    def at(self, hook: str) -> list[NftChain]:
        """Return the chains that a packet meets at a hook, in order."""
        return sorted(
            (chain for chain in self._chains.values() if chain.hook == hook), key=lambda chain: chain.priority
        )

    def chain(self, beside: NftChain, name: str) -> NftChain | None:
        """Return a chain of the same table."""
        return self._chains.get((beside.family, beside.table, name))

    def elements(self, beside: NftChain, name: str) -> Sequence[Expression]:
        """Return the elements of a set or map of the same table."""
        return self._elements.get((beside.family, beside.table, name), ())
