"""The object NodeENIConfig: for one node, if it is named as the node, or for a group of nodes. Pure.

One with `spec.nodeSelector` is for a group, whatever its name; one without is for the Node of its name, as
with TKE. TKE's annotations on the object mean the same as its fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.node_config import fields, selector
from ipamd.core.node_config.fields import Value
from ipamd.core.node_config.selector import Selector
from ipamd.core.text.quoting import shown

API_VERSION: Final = "networking.tke.cloud.tencent.com/v1"
KIND: Final = "NodeENIConfig"
MOST_PRIORITY: Final = 1000
_OWN: Final = ("nodeSelector", "priority")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEniConfig:
    """One object that was read without an error."""

    name: str
    values: Mapping[str, Value]
    selector: Selector | None
    """None: for the Node of its name."""
    priority: int
    """Among groups that match one node the highest wins."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it is for a group to which a Node with these labels belongs."""
        return self.selector is not None and selector.matches(self.selector, labels)


def source(name: str) -> str:
    """Return how the object is named as the source of a value."""
    return f"{KIND} {name}"


def read(obj: Mapping[str, Any]) -> NodeEniConfig:
    """Read an object. Raises: InvalidInputError: names object, field, value and what is allowed."""
    metadata = obj["metadata"]
    where = source(metadata["name"])
    spec = obj.get("spec") or {}
    if not isinstance(spec, Mapping):
        raise InvalidInputError(f"{where}: spec is {shown(spec)}", advice="allowed is an object")
    if unknown := sorted(set(spec) - set(fields.FIELDS) - set(_OWN)):
        raise InvalidInputError(
            f"{where}: there is no field spec.{unknown[0]}",
            advice=f"allowed are {', '.join((*_OWN, *fields.FIELDS))}",
        )
    written = {name: fields.FIELDS[name].checked(spec[name], where) for name in fields.FIELDS if name in spec}
    noted = fields.from_annotations(metadata.get("annotations") or {}, where)
    for name in sorted(set(written) & set(noted)):
        if written[name] != noted[name]:
            raise InvalidInputError(
                f"{where}: spec.{name} is {shown(written[name])}, and {shown(noted[name])} by its annotation "
                f"{fields.FIELDS[name].annotation}",
                advice="remove the annotation",
            )
    values = {**noted, **written}
    fields.check(values, where)
    chosen = spec.get("nodeSelector")
    return NodeEniConfig(
        name=metadata["name"],
        values=values,
        selector=None if chosen is None else selector.read(chosen, f"{where}: spec.nodeSelector"),
        priority=_priority(spec.get("priority", 0), where),
    )


def _priority(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST_PRIORITY:
        raise InvalidInputError(
            f"{where}: priority is {shown(value)}",
            advice=f"allowed is a whole number from 0 to {MOST_PRIORITY}",
        )
    return value
