"""All NodeENIConfigs of a cluster as they are now, and what they make of each node. Pure.

What is wrong is wrong for the nodes that it concerns, and for nobody else: such a node keeps what it has,
which stands on the Node itself. An object that cannot be read concerns the nodes that follow it already.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.nodes import NodeView
from ipamd.core.node_config import note, resolve
from ipamd.core.node_config.node_eni_config import NodeEniConfig, read, source
from ipamd.core.node_config.resolve import Contradiction


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefusal:
    """Why an object is not followed, at one node or at all."""

    reason: str
    """A CamelCase word for programs."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was read of all objects."""

    groups: tuple[NodeEniConfig, ...] = ()
    of_nodes: Mapping[str, NodeEniConfig] = field(default_factory=dict)
    """Those for single nodes, by the node's name: there may be as many as nodes."""
    unreadable: Mapping[str, ConfigRefusal] = field(default_factory=dict)
    """By the object's name."""

    @property
    def is_empty(self) -> bool:
        """Whether there are no objects."""
        return not (self.groups or self.of_nodes or self.unreadable)

    def of(self, node: NodeView) -> tuple[NodeEniConfig, ...]:
        """Return the objects that concern a node."""
        own = self.of_nodes.get(node.name)
        matching = (config for config in self.groups if config.matches(node.labels))
        return (*matching, *((own,) if own else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigVerdict:
    """What is to stand on one Node, and which objects are to blame for what does not."""

    note: str | None
    """The annotation; None: it stays as it is."""
    refused: Mapping[str, ConfigRefusal] = field(default_factory=dict)
    """By the object's name."""


def survey(objects: Iterable[Mapping[str, Any]]) -> Survey:
    """Read all objects."""
    configs, unreadable = [], {}
    for obj in objects:
        try:
            configs.append(read(obj))
        except InvalidInputError as e:
            unreadable[obj["metadata"]["name"]] = ConfigRefusal(reason="Invalid", message=str(e))
    return Survey(
        groups=tuple(config for config in configs if config.selector is not None),
        of_nodes={config.name: config for config in configs if config.selector is None},
        unreadable=unreadable,
    )


def verdict(seen: Survey, node: NodeView) -> ConfigVerdict:
    """Return what is to stand on a Node."""
    followed = note.sources(node.eni_config or "{}")
    if node.name in seen.unreadable or followed & {source(name) for name in seen.unreadable}:
        return ConfigVerdict(note=None)
    mine = seen.of(node)
    groups = [config for config in mine if config.selector is not None]
    resolved = resolve.resolve(groups, seen.of_nodes.get(node.name), node.name)
    if isinstance(resolved, Contradiction):
        return _refused(resolved.names, resolved.message)
    try:
        resolve.check(resolved, f"node {node.name}")
    except InvalidInputError as e:
        return _refused([config.name for config in mine], str(e))
    if seen.is_empty and node.eni_config is None:
        return ConfigVerdict(note=None)
    return ConfigVerdict(note=note.write(resolved))


def _refused(names: Iterable[str], message: str) -> ConfigVerdict:
    refusal = ConfigRefusal(reason="Contradiction", message=message)
    return ConfigVerdict(note=None, refused=dict.fromkeys(names, refusal))


def is_due(seen: Survey, node: NodeView) -> str | None:
    """Return the annotation that is to be written on the Node; None when it is as it should be."""
    wanted = verdict(seen, node).note
    return wanted if wanted != node.eni_config else None
