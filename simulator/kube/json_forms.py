"""The forms that members of objects have in JSON, with the server's words for what is not of a form.

Pure. A form is a function of the value and the field's Go name that returns the value as it is stored (a time
in UTC, a quantity in canonical form) or raises WrongTypeError. Kinds name the forms of their members in
`Strategy.typed_members`.
"""

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from simulator.kube import objects, quantities

_MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")


class WrongTypeError(Exception):
    """A member is not of the form that the kind has there; the text is the server's."""


def _strings(value: Any, field: str) -> Any:
    if not isinstance(value, dict):
        raise WrongTypeError(_cannot(value, field, "map[string]string"))
    for item in value.values():
        if not isinstance(item, str):
            raise WrongTypeError(_cannot(item, field, "string"))
    return value


def _bytes(value: Any, field: str) -> Any:
    if not isinstance(value, dict):
        raise WrongTypeError(_cannot(value, field, "map[string][]uint8"))
    for item in value.values():
        if not isinstance(item, str):
            raise WrongTypeError(_cannot(item, field, "[]uint8"))
        try:
            base64.b64decode(item, validate=True)
        except binascii.Error as error:
            raise WrongTypeError(f"illegal base64 data: {error}") from error
    return value


def _text(value: Any, field: str) -> Any:
    if not isinstance(value, str):
        raise WrongTypeError(_cannot(value, field, "string"))
    return value


def _number(value: Any, field: str) -> Any:
    if not isinstance(value, int) or isinstance(value, bool):
        raise WrongTypeError(_cannot(value, field, "int64"))
    return value


def _texts(value: Any, field: str) -> Any:
    if not isinstance(value, list):
        raise WrongTypeError(_cannot(value, field, "[]string"))
    for item in value:
        if not isinstance(item, str):
            raise WrongTypeError(_cannot(item, field, "string"))
    return value


def _objects(value: Any, field: str) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise WrongTypeError(_cannot(value, field, "[]v1.OwnerReference"))
    # The server drops repetitions.
    return [item for index, item in enumerate(value) if item not in value[:index]]


def _quantities(value: Any, field: str) -> Any:
    if not isinstance(value, dict):
        raise WrongTypeError(_cannot(value, field, "v1.ResourceList"))
    try:
        return {name: str(quantities.parse(item)) for name, item in value.items()}
    except ValueError as error:
        raise WrongTypeError(str(error)) from error


def _micro_time(value: Any, field: str) -> Any:
    if not isinstance(value, str):
        raise WrongTypeError(_cannot(value, field, "string"))
    if not _MICRO_TIME.fullmatch(value):
        raise WrongTypeError(
            f'parsing time "{value}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{value}"'
        )
    return dt.datetime.fromisoformat(value).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(value: Any, field: str) -> Any:
    if not isinstance(value, str):
        raise WrongTypeError(_cannot(value, field, "string"))
    try:
        return objects.timestamp(objects.seconds(value))
    except ValueError as error:
        raise WrongTypeError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": {error}') from error


FORMS: dict[str, Callable[[Any, str], Any]] = {
    "bytes": _bytes,
    "strings": _strings,
    "text": _text,
    "number": _number,
    "texts": _texts,
    "objects": _objects,
    "quantities": _quantities,
    "microtime": _micro_time,
    "time": _time,
}


def _cannot(value: Any, field: str, go_type: str) -> str:
    return f"json: cannot unmarshal {json_type(value)} into Go struct field {field} of type {go_type}"


def json_type(value: Any) -> str:
    """Name the JSON type of a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if value is None:
        return "null"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
