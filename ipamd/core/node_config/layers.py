"""Values of a node's configuration with where each is from, laid over each other. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ipamd.core.node_config import fields
from ipamd.core.node_config.fields import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A value, and who has set it."""

    value: Value
    source: str
    """For people: `NodeENIConfig big`, `annotation tke.cloud.tencent.com/disable-node-eni`, `default`."""


Layer = Mapping[str, Sourced]
"""By the field's name."""


def layer(values: Mapping[str, Value], source: str) -> Layer:
    """Return values that all have one source."""
    return {name: Sourced(value=value, source=source) for name, value in values.items()}


def over(lower: Layer, upper: Layer) -> Layer:
    """Return both, where they differ the upper one: field by field, and of PLACES all or nothing."""
    replaced = {other for name in upper for other in fields.same_place(name)}
    return {**{name: value for name, value in lower.items() if name not in replaced}, **upper}


def stacked(layers: Iterable[Layer]) -> Layer:
    """Return layers laid over each other, the lowest first."""
    whole: Layer = {}
    for one in layers:
        whole = over(whole, one)
    return whole
