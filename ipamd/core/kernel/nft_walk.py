"""What nftables does to the first packet of a connection: its listing, carried out on paper. Pure.

It knows what our own table and usual masquerading consist of. What it cannot read (a match of iptables that
nft lists by name only, a port that nobody gave) counts as not met and is noted for whoever reads the result.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from ipamd.core.kernel.nft_expressions import ExpressionReader, Fib, TracedPacket, named
from ipamd.core.kernel.nft_ruleset import Expression, NftChain, NftRule, NftRuleset

BACKEND: Final = "a backend"
"""Where a packet goes whose destination was translated to an address that the listing does not tell."""
_MOST_JUMPS: Final = 16
_NEUTRAL: Final = frozenset({"counter", "log", "comment", "notrack", "quota"})
_ALWAYS_MET: Final = frozenset({"comment", "addrtype"})
"""Matches of iptables that are listed by name: by addrtype masquerading leaves local destinations out."""
_TARGETS: Final = {"MASQUERADE": "masquerade", "SNAT": "snat", "DNAT": "dnat", "REDIRECT": "redirect"}


class Fate(Enum):
    """What a hook does with a packet."""

    PASSES = "passes"
    DROPPED = "dropped"
    SOURCE_KEPT = "keeps its source"
    MASQUERADED = "masqueraded"
    SOURCE_TRANSLATED = "source translated"
    DESTINATION_TRANSLATED = "destination translated"


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One thing that was done to the packet, and by whom."""

    chain: str
    text: str


@dataclass(frozen=True, slots=True)
class HookResult:
    """What became of the packet at one hook."""

    packet: TracedPacket
    fate: Fate
    steps: tuple[WalkStep, ...]
    unread: tuple[str, ...]
    """Where something could not be read."""
    address: str = ""
    """To what source or destination was translated, if the listing tells."""


class _Ended(Exception):  # noqa: N818 - no error: how a chain ends at once
    """The chain has a verdict."""

    def __init__(self, fate: Fate, address: str = "", port: int | None = None) -> None:
        super().__init__()
        self.fate = fate
        self.address = address
        self.port = port


class _Returned(Exception):  # noqa: N818 - likewise
    """Back to the chain that has jumped here."""


def walk(ruleset: NftRuleset, hook: str, packet: TracedPacket, fib: Fib, backend: str = "") -> HookResult:
    """Return what becomes of a packet at a hook.

    backend: where it goes on to when its destination is translated and the listing does not tell to what.
    """
    return _Walk(ruleset, packet, fib, backend).run(hook)


class _Walk:
    def __init__(self, ruleset: NftRuleset, packet: TracedPacket, fib: Fib, backend: str) -> None:
        self._ruleset = ruleset
        self._reader = ExpressionReader(ruleset, packet, fib)
        self._backend = backend
        self._steps: list[WalkStep] = []
        self._unread: dict[str, None] = {}

    @property
    def _packet(self) -> TracedPacket:
        return self._reader.packet

    def run(self, hook: str) -> HookResult:
        translated = _Ended(Fate.PASSES)
        for chain in self._ruleset.at(hook):
            if chain.kind == "nat" and translated.fate is not Fate.PASSES:
                continue  # a connection is translated once at a hook
            ended = self._base(chain)
            if ended.fate is Fate.DROPPED:
                return self._result(ended)
            if ended.fate is not Fate.PASSES:
                translated = ended
            if ended.fate is Fate.DESTINATION_TRANSLATED:
                onward = ended.address or self._backend or self._packet.destination
                # An address that is told without a port leaves the port as it was.
                port = ended.port if ended.port or not ended.address else self._packet.port
                self._reader.packet = replace(self._packet, destination=onward, port=port)
        return self._result(translated)

    def _result(self, ended: _Ended) -> HookResult:
        return HookResult(self._packet, ended.fate, tuple(self._steps), tuple(self._unread), ended.address)

    def _base(self, chain: NftChain) -> _Ended:
        try:
            with contextlib.suppress(_Returned):
                self._chain(chain, 0)
        except _Ended as ended:
            return ended
        if chain.policy == "drop":
            self._note(chain, "dropped by its policy")
            return _Ended(Fate.DROPPED)
        return _Ended(Fate.PASSES)

    def _chain(self, chain: NftChain, depth: int) -> None:
        for rule in chain.rules:
            self._rule(chain, rule, depth)

    def _rule(self, chain: NftChain, rule: NftRule, depth: int) -> None:
        for statement in rule.statements:
            if not self._statement(chain, rule, statement, depth):
                return

    def _statement(self, chain: NftChain, rule: NftRule, statement: Any, depth: int) -> bool:
        """Carry one statement out; return whether the rule goes on."""
        kind, value = next(iter(statement.items())) if isinstance(statement, dict) else (str(statement), {})
        if kind in _NEUTRAL:
            return True
        if kind == "match":
            met = self._reader.is_met(chain, value)
            if met is None:
                self._cannot_read(chain, f"a match of {named(value['left'])}")
            return bool(met)
        if kind == "xt":
            return self._of_iptables(chain, rule, value)
        if kind == "mangle":
            return self._set(chain, rule, value)
        if kind == "vmap":
            verdict = self._looked_up(chain, value)
            if verdict is None:
                return False
            ((kind, value),) = verdict.items()
        return self._verdict(chain, rule, kind, value, depth)

    def _verdict(self, chain: NftChain, rule: NftRule, kind: str, value: Any, depth: int) -> bool:
        match kind:
            case "accept":
                raise _Ended(Fate.PASSES)
            case "drop" | "reject":
                self._note(chain, f"dropped: {rule.comment or 'a rule says so'}")
                raise _Ended(Fate.DROPPED)
            case "return":
                raise _Returned
            case "jump" | "goto":
                self._go(chain, rule, kind, value["target"], depth)
                return True
            case "masquerade" | "snat" | "dnat" | "redirect":
                self._translate(chain, rule, kind, value or {})
        self._cannot_read(chain, kind)
        return False

    def _go(self, chain: NftChain, rule: NftRule, how: str, name: str, depth: int) -> None:
        target = self._ruleset.chain(chain, name)
        if target is None or depth > _MOST_JUMPS:
            self._cannot_read(chain, f"{how} {name}")
            return
        if rule.comment:
            self._note(chain, rule.comment)
        with contextlib.suppress(_Returned):
            self._chain(target, depth + 1)
        if how == "goto":
            raise _Returned

    def _translate(self, chain: NftChain, rule: NftRule, kind: str, value: Mapping[str, Expression]) -> None:
        told = self._reader.value(chain, value.get("addr") or "")
        known = told if isinstance(told, str) else ""
        why = f": {rule.comment}" if rule.comment else ""
        if kind in ("dnat", "redirect"):
            self._note(chain, f"destination becomes {known or BACKEND}{why}")
            port = self._reader.value(chain, value.get("port"))
            raise _Ended(Fate.DESTINATION_TRANSLATED, known, port if isinstance(port, int) else None)
        if kind == "snat" and known == self._packet.source:
            self._note(chain, f"source stays {known}{why}")
            raise _Ended(Fate.SOURCE_KEPT, known)
        self._note(
            chain, f"masqueraded{why}" if kind == "masquerade" else f"source becomes {known or '?'}{why}"
        )
        raise _Ended(Fate.MASQUERADED if kind == "masquerade" else Fate.SOURCE_TRANSLATED, known)

    def _of_iptables(self, chain: NftChain, rule: NftRule, value: Any) -> bool:
        name = value.get("name", "")
        if value.get("type") == "match":
            if name not in _ALWAYS_MET:
                self._cannot_read(chain, f"the match {name} of iptables")
            return name in _ALWAYS_MET
        if name in _TARGETS:
            self._translate(chain, rule, _TARGETS[name], {})
        if name in ("DROP", "REJECT"):
            self._verdict(chain, rule, "drop", None, 0)
        if name == "ACCEPT":
            raise _Ended(Fate.PASSES)
        self._cannot_read(chain, f"the target {name} of iptables")
        return False

    def _set(self, chain: NftChain, rule: NftRule, value: Any) -> bool:
        new = self._reader.value(chain, value["value"])
        ((kind, of),) = value["key"].items()
        if not isinstance(new, int) or of.get("key") != "mark" or kind not in ("meta", "ct"):
            self._cannot_read(chain, f"a change of {kind} {of.get('key')}")
            return True
        if kind == "meta":
            if new != self._packet.mark:
                self._note(chain, f"mark {new:#x}" + (f": {rule.comment}" if rule.comment else ""))
            self._reader.packet = replace(self._packet, mark=new)
        else:
            self._reader.packet = replace(self._packet, ct_mark=new)
        return True

    def _looked_up(self, chain: NftChain, value: Any) -> dict[str, Any] | None:
        key, data = self._reader.value(chain, value["key"]), value["data"]
        elements = self._reader.members(chain, data)
        for element in elements:
            entry, verdict = element
            if self._reader.is_in(chain, key, entry):
                return dict(verdict) if isinstance(verdict, dict) else {verdict: None}
        return None

    def _note(self, chain: NftChain, text: str) -> None:
        self._steps.append(WalkStep(str(chain), text))

    def _cannot_read(self, chain: NftChain, what: str) -> None:
        self._unread[f"{chain}: {what}"] = None
