"""The runtime's network configuration list (CNI specification 1.1, "Network configuration lists"). Pure.

The file is shared: our plugin, the plugins that the flags chain behind it, and whatever an operator adds.
Ours are the network's name (sandboxes are known by it), the place of our plugin, the chained plugins that the
flags choose, and the versions: a runtime takes the highest one of cniVersions that it knows itself and asks
every plugin of the list in it, so only what all of them speak may be offered. A list that offers more, or
names a plugin that the node does not have, lets no Pod start. Everything else is kept as it is found.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core.cni.errors import SUPPORTED_VERSIONS
from ipamd.core.text.quoting import shown

NAME: Final = "tke-eni"
PLUGIN: Final = "tke-route-eni"
PORT_MAPPING: Final = "portmap"
BANDWIDTH: Final = "bandwidth"
SHIPPED: Final[Mapping[str, Mapping[str, Any]]] = {
    # snat: masquerades a Pod that reaches itself by the node's address, and 127.0.0.1 of the node.
    PORT_MAPPING: {"type": PORT_MAPPING, "capabilities": {"portMappings": True}, "snat": True},
    BANDWIDTH: {"type": BANDWIDTH, "capabilities": {"bandwidth": True}},
}
"""What can be chained behind our plugin, by its type."""
READ_BY_RUNTIMES: Final = (".conf", ".conflist", ".json")
"""Endings of the files that runtimes read, in the order of their names; they use the first."""

_SINGLE_VERSIONS: Final = SUPPORTED_VERSIONS[: SUPPORTED_VERSIONS.index("1.0.0") + 1]
"""What `cniVersion` may say: it is all that runtimes see that do not know cniVersions, and those end here.
Also what a plugin is trusted with that does not say what it speaks."""

Binaries = Mapping[str, tuple[str, ...] | None]
"""The plugins that the node has, with the versions that they speak; None: it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the file has to be."""

    network: Mapping[str, Any]
    changes: tuple[str, ...]
    """What differs from what was there, one sentence each."""
    problems: tuple[str, ...]
    """What keeps Pods from starting, or from our network, one sentence each."""
    lacking: tuple[str, ...]
    """What of the wishes of Pods does nothing, one sentence each; all else works."""

    def encoded(self) -> bytes:
        """Return the file's content."""
        return (json.dumps(self.network, indent=2) + "\n").encode()


def plugin_types(content: bytes | None) -> frozenset[str]:
    """Return the types that a file names, other than ours; none when it is no configuration list."""
    network = _decoded(content)
    return frozenset(plugin["type"] for plugin in (network or {}).get("plugins", ())) - {PLUGIN}


def keep(content: bytes | None, *, chosen: Sequence[str], binaries: Binaries) -> Kept:
    """Return what a file (None: there is none) has to be.

    `chosen` are the types of SHIPPED that the flags want; `binaries` tells of each type that is named by the
    file or chosen.
    """
    found = _decoded(content)
    before: Mapping[str, Any] = found or {}
    plugins = list(_plugins(before.get("plugins", []), [kind for kind in chosen if kind in binaries]))
    problems = [
        f"it names the plugin {shown(kind)}, which is not there, so that no Pod can start"
        for kind in _types(plugins)
        if kind not in binaries
    ]
    versions = _common(binaries[kind] for kind in _types(plugins) if kind in binaries)
    if not versions:
        problems.append("its plugins have no version of CNI in common, so that no Pod can start")
        versions = _SINGLE_VERSIONS
    ours = {
        "cniVersion": [version for version in versions if version in _SINGLE_VERSIONS or len(versions) == 1][
            -1
        ],
        "cniVersions": list(versions),
        "name": NAME,
    }
    network = {**ours, **before, **ours, "plugins": plugins}
    return Kept(
        network=network,
        changes=tuple(_changes(before, network)) if found is not None else (),
        problems=tuple(problems),
        lacking=tuple(_not_there(kind) for kind in chosen if kind not in binaries),
    )


def is_damaged(content: bytes | None) -> bool:
    """Whether there is something, and it is no configuration list."""
    return content is not None and _decoded(content) is None


def before_ours(names: Sequence[str], ours: str) -> list[str]:
    """Return the names of the files that a runtime prefers to ours."""
    return sorted(name for name in names if name.endswith(READ_BY_RUNTIMES) and name < ours)


def _decoded(content: bytes | None) -> dict[str, Any] | None:
    """Return the object in the file; None when it is no list of plugins, each with a type.

    Runtimes are stricter than Python: they read neither a byte order mark nor NaN.
    """
    try:
        network = json.loads((content or b"").decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    plugins = network.get("plugins", []) if isinstance(network, dict) else None
    if not isinstance(plugins, list):
        return None
    whole = all(isinstance(plugin, dict) and isinstance(plugin.get("type"), str) for plugin in plugins)
    return network if whole else None


def _refuse(constant: str) -> Any:
    msg = f"{constant} is no JSON"
    raise ValueError(msg)


def _plugins(found: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Yield ours, then what was there in its order, then what is wanted and was not there."""
    ours = [plugin for plugin in found if plugin["type"] == PLUGIN]
    yield ours[0] if ours else {"type": PLUGIN}
    others = [plugin for plugin in found if plugin["type"] != PLUGIN]
    for plugin in others:
        kind = plugin["type"]
        if kind in wanted:
            yield _with_capabilities(plugin, SHIPPED[kind]["capabilities"])
        elif plugin != SHIPPED.get(kind):  # an operator's, also when it is of a type that we ship
            yield plugin
    for kind in wanted:
        if all(plugin["type"] != kind for plugin in others):
            yield SHIPPED[kind]


def _with_capabilities(plugin: Mapping[str, Any], needed: Mapping[str, bool]) -> Mapping[str, Any]:
    """Return the plugin with what a runtime needs to see, to hand the Pod's wishes on; its options stay."""
    present = plugin.get("capabilities")
    present = present if isinstance(present, dict) else {}
    return plugin if needed.items() <= present.items() else {**plugin, "capabilities": {**present, **needed}}


def _types(plugins: Sequence[Mapping[str, Any]]) -> list[str]:
    return [plugin["type"] for plugin in plugins[1:]]


def _common(spoken: Iterator[tuple[str, ...] | None]) -> tuple[str, ...]:
    every = [_SINGLE_VERSIONS if versions is None else versions for versions in spoken]
    return tuple(version for version in SUPPORTED_VERSIONS if all(version in versions for versions in every))


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in ("name", "cniVersion", "cniVersions"):
        if before.get(key) != after[key]:
            yield f"{key} was {json.dumps(before.get(key))[:80]} and is {json.dumps(after[key])}"
    was, now = before.get("plugins", []), after["plugins"]
    if was != now:
        yield f"plugins were {_chain(was)} and are {_chain(now)}" + (
            "" if _chain(was) != _chain(now) else ", with the capabilities that they need"
        )


def _chain(plugins: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(shown(plugin["type"]) for plugin in plugins) or "none"


def _not_there(kind: str) -> str:
    wish = {PORT_MAPPING: "hostPort", BANDWIDTH: "the bandwidth annotations"}[kind]
    return f"the plugin {kind} is not there, so that {wish} of Pods does nothing"
