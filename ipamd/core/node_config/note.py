"""What the controller tells an agent about its node's configuration: an annotation of the Node. Pure.

The controller alone reads all NodeENIConfigs; an agent reads its own Node, which it watches anyway. So 5,000
nodes cost the API server no watch more, and a change of a group one small write for each node of it.
"""

import json
from typing import Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import nodes
from ipamd.core.node_config import fields
from ipamd.core.node_config.layers import Layer, Sourced

CONFIG: Final = nodes.ENI_CONFIG
"""The annotation. `{}`: no NodeENIConfig concerns the Node; absent: nobody has said yet."""


def write(resolved: Layer) -> str:
    """Return the annotation's value: for each field its value and its source."""
    entries = {name: [entry.value, entry.source] for name, entry in resolved.items()}
    return json.dumps(entries, separators=(",", ":"), sort_keys=True)


def read(text: str) -> Layer:
    """Read it; fields of later releases are left out. Raises: InvalidInputError."""
    where = f"annotation {CONFIG}"
    try:
        found = {name: (value, str(source)) for name, (value, source) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as e:
        raise InvalidInputError(
            f"{where} is not what the controller writes: {e}", advice="remove it; it is written anew"
        ) from e
    return {
        name: Sourced(value=fields.FIELDS[name].checked(value, where), source=source)
        for name, (value, source) in found.items()
        if name in fields.FIELDS
    }


def sources(text: str) -> frozenset[str]:
    """Return which sources the annotation's value names; none when it cannot be read."""
    try:
        return frozenset(entry.source for entry in read(text).values())
    except InvalidInputError:
        return frozenset()
