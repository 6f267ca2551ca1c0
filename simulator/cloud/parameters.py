"""The shape of an action's parameters, and the gateway's check of a request against it.

The cloud's gateway refuses unknown names (UnknownParameter), missing required ones (MissingParameter) and
wrong JSON types (InvalidParameter) before the product sees the call; a null counts as absent. Parameters of a
GET request arrive as flat text (`Filters.0.Name=...`) and are given their types here. Pure functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from simulator.cloud import situations


class Scalar(Enum):
    """The JSON types of the API; a float parameter does not occur in the actions here."""

    TEXT = "string"
    INTEGER = "int"
    BOOLEAN = "bool"


@dataclass(frozen=True, slots=True)
class ListOf:
    """A JSON array of one kind."""

    item: "Kind"


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object with these fields, `required` ones among them."""

    fields: Mapping[str, "Kind"]
    required: tuple[str, ...] = ()


Kind = Scalar | ListOf | Record

TEXT = Scalar.TEXT
INTEGER = Scalar.INTEGER
BOOLEAN = Scalar.BOOLEAN
TEXTS = ListOf(TEXT)
FILTERS = ListOf(Record({"Name": TEXT, "Values": TEXTS}, required=("Name", "Values")))
TAGS = ListOf(Record({"Key": TEXT, "Value": TEXT}, required=("Key", "Value")))
PRIVATE_IPS = ListOf(
    Record(
        {
            "PrivateIpAddress": TEXT,
            "Primary": BOOLEAN,
            "PublicIpAddress": TEXT,
            "AddressId": TEXT,
            "Description": TEXT,
            "IsWanIpBlocked": BOOLEAN,
            "State": TEXT,
            "QosLevel": TEXT,
        },
        required=("PrivateIpAddress",),
    )
)

_PYTHON_TYPE = {TEXT: str, INTEGER: int, BOOLEAN: bool}


def checked(values: Mapping[str, Any], shape: Record) -> dict[str, Any]:
    """Give the parameters without nulls; raise the ApiError of the first one that does not fit `shape`."""
    return _record(values, shape, "")


def check_not_empty(values: Mapping[str, Any], name: str) -> None:
    """Raise ApiError (MissingParameter) for a list parameter that is given without an item."""
    if not values[name]:
        raise situations.PARAMETER_MISSING.error(name=f"{name}.0")


def _record(values: Mapping[str, Any], shape: Record, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{where}.{name}" if where else name
        if name not in shape.fields:
            raise situations.PARAMETER_UNKNOWN.error(name=path)
        if value is not None:
            found[name] = _value(value, shape.fields[name], path)
    for name in shape.required:
        if name not in found:
            raise situations.PARAMETER_MISSING.error(name=f"{where}.{name}" if where else name)
    return found


def _value(value: Any, kind: Kind, path: str) -> Any:
    if isinstance(kind, ListOf):
        if not isinstance(value, list):
            raise situations.PARAMETER_TYPE.error(name=path)
        return [_value(item, kind.item, f"{path}.{index}") for index, item in enumerate(value)]
    if isinstance(kind, Record):
        if not isinstance(value, dict):
            raise situations.PARAMETER_TYPE.error(name=path)
        return _record(value, kind, path)
    # type() and not isinstance(): True is an int for Python, not for JSON.
    if type(value) is not _PYTHON_TYPE[kind]:
        raise situations.PARAMETER_TYPE.error(name=path)
    return value


def from_query(pairs: Mapping[str, str], shape: Record) -> dict[str, Any]:
    """Give the parameters of a flat GET query as the JSON that a POST would have carried.

    Text that does not fit the type of its parameter is left as text, for `checked` to refuse.
    """
    tree: dict[str, Any] = {}
    for dotted, text in pairs.items():
        *parents, leaf = dotted.split(".")
        node = tree
        for name in parents:
            child = node.setdefault(name, {})
            if not isinstance(child, dict):
                raise situations.PARAMETER_TYPE.error(name=dotted)
            node = child
        node[leaf] = text
    return {name: _typed(value, shape.fields.get(name, TEXT)) for name, value in tree.items()}


def _typed(value: Any, kind: Kind) -> Any:
    if isinstance(kind, ListOf) and isinstance(value, dict) and all(key.isdigit() for key in value):
        return [_typed(value[key], kind.item) for key in sorted(value, key=int)]
    if isinstance(kind, Record) and isinstance(value, dict):
        return {name: _typed(item, kind.fields.get(name, TEXT)) for name, item in value.items()}
    if kind is INTEGER and isinstance(value, str) and value.removeprefix("-").isdecimal():
        return int(value)
    if kind is BOOLEAN and value in ("true", "True", "TRUE", "1"):
        return True
    if kind is BOOLEAN and value in ("false", "False", "FALSE", "0"):
        return False
    return value
