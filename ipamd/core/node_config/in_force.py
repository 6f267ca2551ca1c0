"""The configuration that is in force on a node: flags, NodeENIConfigs and annotations of the Node. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ipamd.core import model
from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import fields, layers
from ipamd.core.node_config.layers import Layer, Sourced
from ipamd.core.text.quoting import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where new ENIs are: subnets by id, by tags or by range; all of nothing: in that of the primary ENI."""

    subnets: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    cidr: str = ""
    source: str = field(default="", compare=False)
    """Who has named them; empty for nobody."""

    @property
    def is_search(self) -> bool:
        """Whether the cloud has to be asked which subnets they are."""
        return bool(self.tags or self.cidr)

    def __str__(self) -> str:
        """In words."""
        if self.tags:
            return "subnets with tags " + ", ".join(f"{k}={v}" for k, v in sorted(self.tags.items()))
        return f"the subnet {self.cidr}" if self.cidr else ", ".join(self.subnets)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What holds on the node, with where each value is from."""

    min_warm: int
    max_warm: int
    desired: int
    """So many addresses at least, used or not."""
    most_enis: int | None
    """ENIs for Pods, besides what the CVM's limit says."""
    most_ips: int | None
    """Addresses for Pods of each of them, likewise."""
    min_warm_enis: int
    """ENIs that wait for single Pods, at least; it counts where exclusive ENI mode is on."""
    max_warm_enis: int
    most_direct_enis: int | None
    """ENIs of single Pods, besides what the CVM's quota says."""
    security_groups: tuple[str, ...]
    """Empty: those of the primary ENI."""
    sync_security_groups: bool
    places: Places
    disabled: bool
    values: Layer

    def within(self, limits: model.EniLimits) -> model.EniLimits:
        """Return the limits of the CVM, less what the configuration takes off; `enis` counts the primary."""
        enis, ips = limits.enis, limits.ips_per_eni
        if self.most_enis is not None:
            enis = min(enis, self.most_enis + 1)
        if self.most_ips is not None:
            ips = min(ips, self.most_ips + 1)
        return replace(limits, enis=1 if self.disabled else enis, ips_per_eni=ips)

    def source(self, name: str) -> str:
        """Return who has set a field; empty for nobody."""
        return self.values[name].source if name in self.values else ""


def in_force(*stack: Layer) -> InForce:
    """Return what the layers make, the lowest first: flags, NodeENIConfigs, annotations of the Node.

    Raises: InvalidInputError.
    """
    values = layers.stacked(stack)
    _check(values)

    def value(name: str, default: Any = None) -> Any:
        return cast("Any", values[name].value) if name in values else default

    return InForce(
        min_warm=value("minWarmTarget", 0),
        max_warm=value("maxWarmTarget", 0),
        desired=value("desiredRouteENIIP", 0),
        most_enis=value("maxRouteENI"),
        most_ips=value("maxIPPerENI"),
        min_warm_enis=value("minWarmENITarget", 0),
        max_warm_enis=value("maxWarmENITarget", 0),
        most_direct_enis=value("maxDirectENI"),
        security_groups=tuple(value("securityGroups", ())),
        sync_security_groups=value("syncSecurityGroups", default=True),
        places=Places(
            subnets=tuple(value("subnets", ())),
            tags=dict(value("subnetTags", {})),
            cidr=value("subnetCIDR", ""),
            source=next((values[name].source for name in fields.PLACES if name in values), ""),
        ),
        disabled=value("disabled", default=False),
        values=values,
    )


def from_node(annotations: Mapping[str, str]) -> Layer:
    """Return what TKE's annotations of a Node say. Raises: InvalidInputError."""
    found = fields.from_annotations(annotations, "Node")
    return {
        name: Sourced(value=value, source=f"annotation {fields.FIELDS[name].annotation}")
        for name, value in found.items()
    }


def _check(values: Layer) -> None:
    """Refuse targets that contradict each other, and say who has set them. Raises: InvalidInputError."""
    for least, most in fields.WARM:
        low, high = values.get(least), values.get(most)
        if low and high and cast("int", high.value) < cast("int", low.value):
            raise InvalidInputError(
                f"{most} is {shown(high.value)} by {high.source}, and {least} "
                f"{shown(low.value)} by {low.source}",
                advice=f"set both where you set one, with 0 <= {least} <= {most}",
            )
