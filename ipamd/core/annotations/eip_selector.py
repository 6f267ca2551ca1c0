"""`eip-selector`: the user's own EIPs by tag, name or public IP instead of by id.

The value is a JSON object with one of `tags` (an object; an EIP needs all of them), `names` and `publicIPs`
(lists). Of lists a Pod whose name ends in a number takes the entry of that number, as of `eip-id-list`; of
tags any EIP that is free. EIPClaim and EIPPool have the same three fields. Pure. Errors name field, value and
what is allowed; whose annotation or object it is, the caller adds.
"""

import ipaddress
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipamd.core.errors import InvalidInputError
from ipamd.core.model import Eip
from ipamd.core.text.quoting import shown

MOST_TAGS = 6
"""Tags of a selector: DescribeAddresses takes ten filters (document 215/16702)."""
MOST_ENTRIES: Mapping[str, int] = {"names": 20, "publicIPs": 100}
"""Entries of a list: a filter takes a hundred values, but of names only the first counts."""
_LONGEST = 8192
"""Characters of an annotation that are looked at."""
_LONGEST_WORD = 128
"""Characters of a name (API page ModifyAddressAttribute) and of a tag's key or value."""
_EXAMPLE = '{"tags": {"team": "web"}}, {"names": ["web-a"]} or {"publicIPs": ["198.51.100.7"]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class EipSelector:
    """Which of the account's EIPs are meant. Invariant: one of the three is there."""

    tags: tuple[tuple[str, str], ...] = ()
    """Sorted pairs of key and value; an EIP needs all of them."""
    names: tuple[str, ...] = ()
    public_ips: tuple[str, ...] = ()

    @property
    def length(self) -> int | None:
        """How many entries a Pod's number may pick from; None where there is no order."""
        return None if self.tags else len(self.names) or len(self.public_ips)

    def entry(self, number: int) -> "EipSelector":
        """Return the selector of one entry of the list."""
        if self.names:
            return EipSelector(names=(self.names[number],))
        return EipSelector(public_ips=(self.public_ips[number],))

    def matches(self, eip: Eip) -> bool:
        """Whether the EIP is one of those that are meant."""
        if self.tags:
            return all(eip.tags.get(key) == value for key, value in self.tags)
        return eip.name in self.names if self.names else eip.public_ip in self.public_ips

    def __str__(self) -> str:
        if self.tags:
            return "with " + " and ".join(f"tag {key}={value}" for key, value in self.tags)
        if self.names:
            return "of the name " + " or ".join(self.names)
        return "with the public IP " + " or ".join(self.public_ips)


def parse(text: str) -> EipSelector:
    """Return the selector that the annotation's value describes; errors: InvalidInputError."""
    if len(text) > _LONGEST:
        raise InvalidInputError(f"it has {len(text)} characters; allowed are {_LONGEST}")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise InvalidInputError(f"{shown(text)} is not JSON ({e}); allowed is {_EXAMPLE}") from e
    if not isinstance(value, dict):
        raise InvalidInputError(f"{shown(text)} is no JSON object; allowed is {_EXAMPLE}")
    return read(value)


def read(value: Mapping[str, Any]) -> EipSelector:
    """Return the selector of a JSON object; errors: InvalidInputError."""
    unknown = [field for field in value if field not in _FIELDS]
    if unknown:
        raise InvalidInputError(
            f"field {shown(unknown[0])} is not known; allowed is one of {', '.join(_FIELDS)}"
        )
    if len(value) != 1:
        there = " and ".join(value) or "no field"
        raise InvalidInputError(f"it has {there}; allowed is one of {', '.join(_FIELDS)}")
    field, content = next(iter(value.items()))
    return _FIELDS[field](content)


def write(selector: EipSelector) -> dict[str, Any]:
    """Return the JSON object that `read` reads."""
    if selector.tags:
        return {"tags": dict(selector.tags)}
    if selector.names:
        return {"names": list(selector.names)}
    return {"publicIPs": list(selector.public_ips)}


def _tags(content: object) -> EipSelector:
    if not isinstance(content, Mapping) or not 1 <= len(content) <= MOST_TAGS:
        raise InvalidInputError(f"tags is {shown(content)}; allowed is an object with 1 to {MOST_TAGS} tags")
    for key, value in content.items():
        if not _is_word(key) or not _is_word(value):
            raise InvalidInputError(
                f"tags has {shown(key)}: {shown(value)}; allowed are keys and values of 1 to "
                f"{_LONGEST_WORD} characters"
            )
    return EipSelector(tags=tuple(sorted(content.items())))


def _names(content: object) -> EipSelector:
    entries = _entries("names", content)
    for number, entry in enumerate(entries, 1):
        if not _is_word(entry):
            raise InvalidInputError(
                f"entry {number} of names is {shown(entry)}; allowed is a name of 1 to "
                f"{_LONGEST_WORD} characters"
            )
    return EipSelector(names=tuple(entries))


def _public_ips(content: object) -> EipSelector:
    entries = _entries("publicIPs", content)
    for number, entry in enumerate(entries, 1):
        if not _is_ipv4(entry):
            raise InvalidInputError(
                f"entry {number} of publicIPs is {shown(entry)}; allowed is an IPv4 address"
            )
    return EipSelector(public_ips=tuple(entries))


_FIELDS: Mapping[str, Callable[[object], EipSelector]] = {
    "tags": _tags,
    "names": _names,
    "publicIPs": _public_ips,
}


def _entries(field: str, content: object) -> Sequence[Any]:
    most = MOST_ENTRIES[field]
    if not isinstance(content, list) or not 1 <= len(content) <= most:
        raise InvalidInputError(f"{field} is {shown(content)}; allowed is a list with 1 to {most} entries")
    twice = next((entry for number, entry in enumerate(content) if entry in content[:number]), None)
    if twice is not None:
        raise InvalidInputError(f"{field} has {shown(twice)} twice; an EIP serves one Pod, so name it once")
    return content


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value == value.strip() and 1 <= len(value) <= _LONGEST_WORD


def _is_ipv4(value: object) -> bool:
    try:
        return isinstance(value, str) and str(ipaddress.IPv4Address(value)) == value
    except ValueError:
        return False
