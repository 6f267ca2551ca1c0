"""Policy rules of others that take Pods' packets before ours do. Pure.

Rules are walked in the order of their priority. Ours find what is for a Pod (`to_pods`) and what leaves by
an ENI (`from_pods`); a rule of somebody else before them (cloud-init's, an operator's) leads Pods' packets
elsewhere, where the VPC drops them or a Pod loses its EIP. It may be meant so, hence it is told and not
removed.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_LOOK_UP: Final = 1
_GIVES_UP: Final = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
"""Actions of fib_rules.h that end a packet; all others but looking up a table lead on to further rules."""
_MAIN: Final = 254
_LOCAL: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRule:
    """A rule of somebody else; `source` and `destination` are networks, or empty for any."""

    priority: int
    action: int
    table: int
    source: str
    destination: str
    inverted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConflict:
    """A rule of somebody else that takes packets of these addresses, and a sentence that says so."""

    priority: int
    ips: tuple[str, ...]
    text: str


def catching(
    rules: Iterable[ForeignRule], ips: Iterable[str], *, to_pods: int, from_pods: int
) -> Iterator[RuleConflict]:
    """Yield each rule that takes their packets; the numbers are our priorities."""
    addresses = [ipaddress.IPv4Address(ip) for ip in ips]
    for rule in rules:
        if _is_harmless(rule):
            continue
        caught = [ip for ip in addresses if _catches(rule, ip, to_pods, from_pods)]
        if caught:
            text = (
                f"the policy rule {_shown(rule)} is not ours and takes the packets of {_named(caught)} "
                f"before our rules {to_pods} and {from_pods}"
            )
            yield RuleConflict(priority=rule.priority, ips=tuple(map(str, caught)), text=text)


def _is_harmless(rule: ForeignRule) -> bool:
    if rule.action == _LOOK_UP:
        # Main has every Pod's route: to a Pod it leads right.
        return rule.table == _LOCAL or (rule.table == _MAIN and not rule.source and not rule.inverted)
    return rule.action not in _GIVES_UP


def _catches(rule: ForeignRule, ip: ipaddress.IPv4Address, to_pods: int, from_pods: int) -> bool:
    return _is_in(ip, rule.source, rule.inverted, rule.priority <= from_pods) or _is_in(
        ip, rule.destination, rule.inverted, rule.priority <= to_pods
    )


def _is_in(ip: ipaddress.IPv4Address, network: str, inverted: bool, is_before: bool) -> bool:  # noqa: FBT001
    return bool(network) and is_before and (ip in ipaddress.IPv4Network(network)) != inverted


def _shown(rule: ForeignRule) -> str:
    """Return the rule as `ip rule` shows it."""
    words = [f"{rule.priority}:", *(["not"] if rule.inverted else []), "from", rule.source or "all"]
    words += ["to", rule.destination] if rule.destination else []
    words.append(_GIVES_UP.get(rule.action) or f"lookup {rule.table}")
    return f"'{' '.join(words)}'"


def _named(caught: list[ipaddress.IPv4Address]) -> str:
    others = len(caught) - 1
    return f"{caught[0]}{f' and {others} more' if others else ''}"
