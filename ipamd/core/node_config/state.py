"""What an agent tells of its node's ENIs and of the configuration in force: an annotation of the Node. Pure.

The controller copies it into the status of the NodeENIConfig that is named as the node; people read it with
kubectl on any Node. It is written seldom: numbers of addresses change all the time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core.kubernetes import nodes
from ipamd.core.node_config.fields import Value
from ipamd.core.node_config.layers import Layer

STATE: Final = nodes.ENI_STATE
"""The annotation."""
_ENTRY: Final = 2
"""Parts of an entry: a value and its source."""
SPACING: Final = 10.0
"""Seconds between two writes at least."""
COUNTS_SPACING: Final = 300.0
"""The same while only numbers differ: at most 17 writes a second for 5,000 nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEniState:
    """What the node has."""

    enis: int
    """For Pods."""
    addresses: int
    """For Pods, used or not."""
    limit: int
    """So many it can have."""
    values: Layer
    refused: str = ""
    """Why the last change of the configuration is not in force; empty when it is."""

    def text(self) -> str:
        """Return the annotation's value."""
        entries = {name: [entry.value, entry.source] for name, entry in sorted(self.values.items())}
        told = {
            "enis": self.enis,
            "addresses": self.addresses,
            "limit": self.limit,
            "refused": self.refused,
            "values": entries,
        }
        return json.dumps(told, separators=(",", ":"))


def is_due(present: str, wanted: str, *, since_write: float) -> bool:
    """Whether it is time to write the annotation, so many seconds after the last write."""
    if present == wanted:
        return False
    counts_only = _without_counts(present) == _without_counts(wanted)
    return since_write >= (COUNTS_SPACING if counts_only else SPACING)


def as_status(text: str) -> dict[str, Any]:
    """Return what `status.node` of a NodeENIConfig says of it; empty for what no agent has written."""
    told = _read(text)
    values = told.get("values")
    if not isinstance(values, Mapping):
        return {}
    return {
        **{name: told[name] for name in ("enis", "addresses", "limit") if type(told.get(name)) is int},
        "refused": str(told.get("refused", "")),
        "values": [
            {"field": name, "value": shown(entry[0]), "source": str(entry[1])}
            for name, entry in values.items()
            if isinstance(entry, list) and len(entry) == _ENTRY and _is_value(entry[0])
        ],
    }


def shown(value: Value) -> str:
    """Return a value for people: a list with commas, an object as key=value."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, Mapping):
        return ",".join(f"{key}={entry}" for key, entry in sorted(value.items()))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_value(value: object) -> bool:
    """Whether it is what a field can hold: whoever may write a Node may have written the annotation."""
    if isinstance(value, Mapping):
        return all(isinstance(entry, str) for entry in value.values())
    if isinstance(value, list):
        return all(isinstance(entry, str) for entry in value)
    return isinstance(value, int | str)


def _read(text: str) -> Mapping[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _without_counts(text: str) -> dict[str, Any]:
    return {name: entry for name, entry in _read(text).items() if name not in ("enis", "addresses")}
