"""An introspection answer as plain JSON values: camelCase names, every field present, times as RFC 3339.

protobuf's own JSON mapping prints 64-bit numbers as strings and leaves defaults out, both of which surprise
whoever pipes the output into jq. Fields named `*_unix` become `*` with a UTC time, empty when unset.
"""

from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message

_TIME = "_unix"


def from_message(message: Message) -> dict[str, Any]:
    """Return the message with all its fields, nested ones included."""
    return dict(_entry(message, field) for field in message.DESCRIPTOR.fields)


def _entry(message: Message, field: Any) -> tuple[str, Any]:
    value = getattr(message, field.name)
    if field.name.endswith(_TIME):
        return _camel(field.name.removesuffix(_TIME)), _time(value)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _camel(field.name), dict(value)
    if field.is_repeated:
        return _camel(field.name), [_plain(item) for item in value]
    return _camel(field.name), _plain(value)


def _plain(value: Any) -> Any:
    return from_message(value) if isinstance(value, Message) else value


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
