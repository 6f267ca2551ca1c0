"""Which Pods ip-masq-agent must not masquerade, and how its configuration is revised to say so.

Its ConfigMap (kube-system/ip-masq-agent-config, key `config`) belongs to people: TKE's page on Pod EIPs has
them add the address of each Pod with an EIP to `NonMasqueradeSrcCIDRs`. Here the same is done for them. Which
entries are ours stands in an annotation of the ConfigMap; every other entry and field is theirs and stays as
it is. Go reads field names whatever their case, and so do we. Pure.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ipamd.core.claim.eipclaim import GROUP, Claim
from ipamd.core.errors import InvalidInputError

NAMESPACE = "kube-system"
NAME = "ip-masq-agent-config"
KEY = "config"
"""The key of the ConfigMap whose text is the configuration."""
FIELD = "NonMasqueradeSrcCIDRs"
OURS = f"{GROUP}/non-masquerade-src-cidrs"
"""Annotation of the ConfigMap: the entries of the field that tke-eni has added, separated by commas."""
TITLE = f"ConfigMap {NAMESPACE}/{NAME}"
ADVICE = "correct it; until then its entries for Pods with EIP stay as they are"


class MasqueradeMode(Enum):
    """What is done about ip-masq-agent's configuration: the values of --ip-masq-agent-config."""

    OFF = "off"
    KEEP = "keep"
    CLEAR = "clear"
    """Our entries are taken out, and none is added: for whoever had `keep`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The list as it has to be, and which of its entries are ours."""

    entries: tuple[str, ...]
    ours: frozenset[str]


def exempt(claims: Iterable[Claim]) -> frozenset[str]:
    """Return the entries for all Pods whose EIP is bound or about to be: ip-masq-agent takes a minute."""
    return frozenset(
        f"{claim.binding.private_ip}/32"
        for claim in claims
        if claim.binding and _is_ipv4(claim.binding.private_ip)
    )


def revise(present: Sequence[str], ours: frozenset[str], wanted: frozenset[str]) -> Revision:
    """Return the list with what is wanted, without what we added before, and with all that people wrote.

    An entry that people wrote themselves stays theirs also while it is wanted. The order of what stays is
    kept.
    """
    theirs = frozenset(present) - ours
    kept = [entry for entry in present if entry not in ours or entry in wanted]
    added = sorted(wanted - frozenset(kept), key=_order)
    return Revision(entries=(*kept, *added), ours=wanted - theirs)


def read_ours(annotations: Mapping[str, Any]) -> frozenset[str]:
    """Return the entries that the annotation names."""
    value = annotations.get(OURS)
    return frozenset(filter(None, value.split(","))) if isinstance(value, str) else frozenset()


def write_ours(ours: frozenset[str]) -> str | None:
    """Return the value of the annotation; None, which removes it in a merge patch, when nothing is ours."""
    return ",".join(sorted(ours, key=_order)) or None


def field_of(config: Mapping[Any, Any], field: str = FIELD) -> str:
    """Return how the configuration spells the field, or would.

    InvalidInputError when it has the field twice, in different spellings.
    """
    found = [name for name in config if isinstance(name, str) and name.lower() == field.lower()]
    if len(found) > 1:
        raise InvalidInputError(f"{TITLE}: {KEY} has both {' and '.join(found)}", advice=ADVICE)
    lower = any(isinstance(name, str) and name[:1].islower() for name in config)
    return found[0] if found else field[:1].lower() + field[1:] if lower else field


def entries_of(config: Mapping[str, Any], field: str) -> list[str]:
    """Return the entries of the field; InvalidInputError when it is no list of texts."""
    value = config.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise InvalidInputError(
            f"{TITLE}: {field} in {KEY} is {str(value)[:80]!r}; allowed is a list of CIDRs", advice=ADVICE
        )
    return [str(entry) for entry in value]


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _order(entry: str) -> tuple[int, str]:
    """Sort by address; what is none comes first."""
    try:
        return int(ipaddress.IPv4Network(entry, strict=False).network_address), entry
    except ValueError:
        return -1, entry
