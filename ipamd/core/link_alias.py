"""What stands beside the host's end of a Pod's veth: whose it is, and which addresses it was made for.

    <network> <container> <ifname> <namespace>/<pod> <uid> <address>[,<address>...]

People see it in `ip link`. The agent reads it when its store was lost, and then knows every owner again; the
repair reads it to tell whose a link is that the ledger does not have. A field that is unknown, or that had to
make room, is "-". Earlier releases wrote no addresses (the MAC told the one), and nothing at all when it did
not fit. Root of the node can write what he likes, so every field is checked before it is believed. Pure.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ipamd.core.model import PodRef, SandboxKey

LONGEST: Final = 255
"""Bytes: IFALIASZ of the kernel, without its NUL."""

_NOTHING: Final = "-"
_ALIAS: Final = re.compile(
    r"(?P<network>[\w.-]{1,255}) (?P<container>[\w.-]{1,255}) (?P<ifname>[^/:\s]{1,15}) "
    r"(-|(?P<namespace>[a-z0-9-]{1,63})/(?P<name>[a-z0-9.-]{1,253})) "
    r"(?P<uid>[A-Za-z0-9-]{0,128})( (?P<ips>[0-9a-f.:,]+|-))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAlias:
    """The owner of a link. Empty is what is unknown."""

    key: SandboxKey
    network: str = ""
    pod: PodRef | None = None
    uid: str = ""
    """The Pod's UID, also where its name had no room."""
    ips: tuple[str, ...] = ()

    def encode(self) -> str:
        """Return the text, at most `LONGEST` bytes; empty when not even the sandbox fits."""
        return next((text for text in map(_text, self._shorter()) if len(text.encode()) <= LONGEST), "")

    def _shorter(self) -> Iterator["LinkAlias"]:
        """Yield less and less; what the API server can tell again goes first."""
        yield self
        nameless = replace(self, pod=None)
        yield nameless
        yield replace(nameless, network="")
        yield replace(nameless, network="", uid="")


def parse(text: str) -> LinkAlias | None:
    """Return the owner that an alias of this or an earlier release names, or None."""
    match = _ALIAS.fullmatch(text)
    if match is None:
        return None
    uid = _known(match["uid"])
    named = match["name"] is not None
    return LinkAlias(
        key=SandboxKey(container_id=match["container"], ifname=match["ifname"]),
        network=_known(match["network"]),
        pod=PodRef(namespace=match["namespace"], name=match["name"], uid=uid) if named else None,
        uid=uid,
        ips=tuple(ip for ip in _known(match["ips"] or "").split(",") if _is_address(ip)),
    )


def names_same_sandbox(one: str, other: str) -> bool:
    """Whether two aliases say that a link is the same sandbox's."""
    if one == other:
        return True
    first, second = parse(one), parse(other)
    return first is not None and second is not None and first.key == second.key


def _text(alias: LinkAlias) -> str:
    pod = str(alias.pod) if alias.pod is not None else _NOTHING
    ips = ",".join(alias.ips) or _NOTHING
    key = alias.key
    fields = (alias.network or _NOTHING, key.container_id, key.ifname, pod, alias.uid or _NOTHING, ips)
    return " ".join(fields)


def _known(field: str) -> str:
    return "" if field == _NOTHING else field


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
