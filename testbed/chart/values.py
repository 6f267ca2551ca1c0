"""The values of the chart: declared once, for values.yaml, its schema and the table in the manual. Pure."""

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

_WIDTH: Final = 110
Schema = Mapping[str, Any]
TEXT: Final[Schema] = {"type": "string"}
SWITCH: Final[Schema] = {"type": "boolean"}
FLAGS: Final[Schema] = {"type": "array", "items": {"type": "string", "pattern": "^--[a-z]"}}
OBJECT: Final[Schema] = {"type": "object"}
OBJECTS: Final[Schema] = {"type": "array", "items": OBJECT}
LABELS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
_AMOUNTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
RESOURCES: Final[Schema] = {
    "type": "object",
    "properties": {"limits": _AMOUNTS, "requests": _AMOUNTS},
    "additionalProperties": False,
}
SECRETS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": TEXT},
        "required": ["name"],
        "additionalProperties": False,
    },
}


@dataclass(frozen=True, slots=True)
class Value:
    """What an operator may choose."""

    path: str
    """Its keys, with dots between them."""
    default: Any
    schema: Schema
    meaning: str


def text(values: Sequence[Value]) -> str:
    """Return values.yaml: the defaults, each below its meaning."""
    return "".join(f"{line}\n" for line in _lines(values, ""))


def _lines(values: Sequence[Value], indent: str) -> Iterator[str]:
    for key, below in _grouped(values).items():
        whole = below[0]
        if whole.path == key:
            yield from textwrap.wrap(
                whole.meaning, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
            shown = yaml.safe_dump({key: whole.default}, sort_keys=False, width=_WIDTH)
            yield from (f"{indent}{line}" for line in shown.splitlines())
        else:
            yield f"{indent}{key}:"
            yield from _lines(_inner(key, below), f"{indent}  ")


def schema(values: Sequence[Value]) -> str:
    """Return values.schema.json, which refuses keys and types that the chart does not know."""
    made = {"$schema": "http://json-schema.org/draft-07/schema#", **_schema(values)}
    # What a chart around this one gives to all of its parts.
    made["properties"]["global"] = OBJECT
    return json.dumps(made, indent=2) + "\n"


def _schema(values: Sequence[Value]) -> dict[str, Any]:
    properties = {}
    for key, below in _grouped(values).items():
        whole = below[0]
        if whole.path == key:
            properties[key] = {"description": whole.meaning, **whole.schema}
        else:
            properties[key] = _schema(_inner(key, below))
    return {"type": "object", "additionalProperties": False, "properties": properties}


def rows(values: Sequence[Value]) -> Iterator[tuple[str, str, str]]:
    """Yield path, default and meaning of each value, for the manual."""
    for value in values:
        shown = "" if value.default in ("", [], {}) else f"`{json.dumps(value.default)}`"
        yield f"`{value.path}`", shown, value.meaning


def _grouped(values: Sequence[Value]) -> Mapping[str, list[Value]]:
    groups: dict[str, list[Value]] = {}
    for value in values:
        groups.setdefault(value.path.partition(".")[0], []).append(value)
    return groups


def _inner(key: str, values: Sequence[Value]) -> list[Value]:
    return [Value(one.path.removeprefix(f"{key}."), one.default, one.schema, one.meaning) for one in values]
