"""Fields of an object of the API, whatever a person may have written: what is of another type is empty.

Pure; objects are dicts of JSON.
"""

from collections.abc import Collection, Mapping
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is an object of JSON, else an empty one."""
    # A dict is known by its type; to ask for a Mapping costs more than the rest of a trim, 50,000 times.
    return value if isinstance(value, (dict, Mapping)) else {}


def items(value: object) -> list[Any]:
    """Return the value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """Return the value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def trimmed(
    obj: Mapping[str, Any],
    *,
    metadata: Collection[str],
    labels: Collection[str],
    annotations: Collection[str],
) -> dict[str, Any]:
    """Return spec, status, and of the metadata what is named: an object as a cache keeps it."""
    full = obj["metadata"]
    return {
        "metadata": {
            **_only(full, metadata),
            "labels": _only(mapping(full.get("labels")), labels),
            "annotations": _only(mapping(full.get("annotations")), annotations),
        },
        **_only(obj, ("spec", "status")),
    }


def _only(fields: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: fields[key] for key in keys if key in fields}
