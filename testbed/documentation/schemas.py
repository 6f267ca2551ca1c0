"""JSON Schemas of what `ipamctl -o json` prints, from the contract in proto/: its fields and their comments.

What a command prints is its answer's message by the rules of `ipamd.ctl.plain`. A field is never renamed or
taken away, so what a schema requires stays; more fields may come, so it allows them.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc  # type: ignore[import-untyped]

_ROOT: Final = Path(__file__).parents[2]
_PROTO: Final = _ROOT / "proto"
_FILES: Final = ("diagnosis", "introspection", "maintenance")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TIME: Final = "_unix"
_MESSAGES: Final = 4
_FIELDS: Final = 2
"""Numbers of fields in descriptor.proto, of which the paths of comments consist."""
_KINDS: Final = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BOOL: "boolean",
    FieldDescriptorProto.TYPE_DOUBLE: "number",
    FieldDescriptorProto.TYPE_INT32: "integer",
    FieldDescriptorProto.TYPE_INT64: "integer",
    FieldDescriptorProto.TYPE_UINT32: "integer",
}
ANSWERS: Final[Mapping[str, str]] = {
    "status": "NodeStatus",
    "pods": "ListPodsReply",
    "enis": "ListEnisReply",
    "eips": "ListEipsReply",
    "check": "Findings",
    "repair": "Findings",
    "trace": "TraceReply",
    "explain pod": "ExplainReply",
    "watch": "PodEventEntry",
    "claims": "ListClaimsReply",
    "settings": "ListSettingsReply",
    "pool freeze": "FreezeReply",
    "pool thaw": "FreezeReply",
    "drain": "DrainReply",
    "connectivity": "ConnectivityReport",
}
"""What each command answers with; `eip cleanup` asks no agent, and its schema is written by hand."""


def all_of_them() -> dict[str, dict[str, Any]]:
    """Return the schema of each command in ANSWERS."""
    messages = {name: schema for file in _described() for name, schema in _of_file(file)}
    return {command: _document(command, answer, messages) for command, answer in ANSWERS.items()}


def file_name(command: str) -> str:
    """Return in which file of docs/ipamctl-schema the schema of a command is."""
    return f"{command.replace(' ', '-')}.json"


def text(schema: Mapping[str, Any]) -> str:
    """Return a schema as its file has it."""
    return json.dumps(schema, indent=2) + "\n"


def _described() -> Iterable[FileDescriptorProto]:
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "described"
        sources = [str(_PROTO / "tke/eni/v1" / f"{name}.proto") for name in _FILES]
        flags = ("--include_source_info", f"--descriptor_set_out={out}", f"-I{_PROTO}")
        if protoc.main(["protoc", *flags, *sources]):
            msg = f"protoc refuses {', '.join(sources)}"
            raise ValueError(msg)
        return FileDescriptorSet.FromString(out.read_bytes()).file


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, dict[str, Any]]]:
    comments = {
        tuple(place.path): " ".join(place.leading_comments.split())
        for place in file.source_code_info.location
    }
    for number, message in enumerate(file.message_type):
        maps = {nested.name: nested for nested in message.nested_type}
        properties = {}
        for place, field in enumerate(message.field):
            comment = comments.get((_MESSAGES, number, _FIELDS, place), "")
            properties[_name(field)] = _property(field, maps) | ({"description": comment} if comment else {})
        yield (
            message.name,
            {"type": "object", "properties": properties, "required": list(properties)},
        )


def _property(field: FieldDescriptorProto, maps: Mapping[str, DescriptorProto]) -> dict[str, Any]:
    if field.name.endswith(_TIME):
        return {"anyOf": [{"type": "string", "format": "date-time"}, {"const": ""}]}
    kind = field.type_name.rpartition(".")[2]
    if kind in maps:
        return {"type": "object", "additionalProperties": _one(maps[kind].field[1])}
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return {"type": "array", "items": _one(field)}
    return _one(field)


def _one(field: FieldDescriptorProto) -> dict[str, Any]:
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        return {"$ref": f"#/$defs/{field.type_name.rpartition('.')[2]}"}
    return {"type": _KINDS[field.type]}


def _name(field: FieldDescriptorProto) -> str:
    head, *tail = field.name.removesuffix(_TIME).split("_")
    return head + "".join(part.capitalize() for part in tail)


def _document(command: str, answer: str, messages: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    used: dict[str, Any] = {}
    _collect(messages[answer], messages, used)
    document = {"$schema": _DIALECT, "title": f"ipamctl {command} -o json", **messages[answer]}
    return document | ({"$defs": dict(sorted(used.items()))} if used else {})


def _collect(schema: Any, messages: Mapping[str, dict[str, Any]], used: dict[str, Any]) -> None:
    """Add to `used` every message that `schema` refers to, by whatever way."""
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name and name not in used:
            used[name] = messages[name]
            _collect(messages[name], messages, used)
        for value in schema.values():
            _collect(value, messages, used)
    elif isinstance(schema, list):
        for value in schema:
            _collect(value, messages, used)
