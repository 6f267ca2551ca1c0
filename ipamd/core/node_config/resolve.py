"""Which NodeENIConfigs a node has to follow, and what they say together. Pure.

Groups first, those of lower priority below, then the object named as the node. Two groups of one priority
that both match and say different things of one field contradict each other, and so does nothing else: then
the node keeps what it has, until one of the two has another priority.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import fields, layers
from ipamd.core.node_config.layers import Layer
from ipamd.core.node_config.node_eni_config import NodeEniConfig, source
from ipamd.core.text.quoting import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two objects of which none is above the other, and what they disagree about."""

    names: tuple[str, str]
    field: str
    message: str


def resolve(matching: Iterable[NodeEniConfig], own: NodeEniConfig | None, node: str) -> Layer | Contradiction:
    """Return what the groups that match a node and its own object say of it; empty for none."""
    groups = sorted(matching, key=lambda c: (c.priority, c.name))
    for one, other in itertools.combinations(groups, 2):
        if one.priority == other.priority and (found := _difference(one, other, node)):
            return found
    ordered = [*groups, *((own,) if own else ())]
    return layers.stacked(layers.layer(config.values, source(config.name)) for config in ordered)


def check(resolved: Layer, where: str) -> None:
    """Refuse what only several objects together get wrong. Raises: InvalidInputError."""
    try:
        fields.check({name: entry.value for name, entry in resolved.items()}, where)
    except InvalidInputError as e:
        sources = sorted({entry.source for entry in resolved.values()})
        raise InvalidInputError(f"{e.message} ({' over '.join(sources)})", advice=e.advice) from e


def _difference(one: NodeEniConfig, other: NodeEniConfig, node: str) -> Contradiction | None:
    for name in one.values:
        for rival in fields.same_place(name):
            # Two ways to name subnets never have equal values: a list, an object, a text.
            if rival in other.values and other.values[rival] != one.values[name]:
                return Contradiction(
                    names=(one.name, other.name),
                    field=name,
                    message=(
                        f"{source(one.name)} and {source(other.name)} both match node {node} with priority "
                        f"{one.priority}, and {name} is {shown(one.values[name])} in one, "
                        f"{rival} {shown(other.values[rival])} in the other; give one a higher spec.priority"
                    ),
                )
    return None
