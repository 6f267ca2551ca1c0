"""From the bytes of a body to an object of a resource: JSON, kind, namespace, types of members, defaults.

Pure. The server decodes into Go types; here the members that our code writes are checked by a table
(metadata, and `typed_members` of the kind). Unknown members are kept: no kind has a full schema here.
"""

import json
from typing import Any

from simulator.kube import objects, status
from simulator.kube.json_forms import FORMS, WrongTypeError, json_type
from simulator.kube.objects import Obj
from simulator.kube.resources import Resource

_TYPE_META = (("APIVersion", "apiVersion"), ("Kind", "kind"))
_METADATA_MEMBERS = {
    "labels": "strings",
    "annotations": "strings",
    "finalizers": "texts",
    "ownerReferences": "objects",
    **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), "text"),
    **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), "time"),
    **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), "number"),
}


def parse_object(body: bytes, resource: Resource) -> Any:
    """Read the body of a create or update as JSON. Raises ApiError 400."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise status.bad_request(
            _unrecognized(resource, f"json parse error: {_reason(body, error)}")
        ) from error


def parse_patch(body: bytes, form: type, go_type: str) -> Any:
    """Read the body of a patch: JSON, a `dict` or `list` as its content type wants. Raises ApiError 400."""
    try:
        document = json.loads(body)
    except ValueError as error:
        raise status.bad_request(f"error decoding patch: {_reason(body, error)}") from error
    if not isinstance(document, form):
        problem = f"json: cannot unmarshal {json_type(document)} into Go value of type {go_type}"
        raise status.bad_request(f"error decoding patch: {problem}")
    return document


def parse_options(body: bytes) -> Obj:
    """Read the body of a deletion or a subresource; an empty one is an empty object. Raises ApiError 400."""
    try:
        document = json.loads(body) if body.strip() else {}
    except ValueError as error:
        problem = f"couldn't get version/kind; json parse error: {_reason(body, error)}"
        raise status.bad_request(problem) from error
    if not isinstance(document, dict):
        problem = f"json: cannot unmarshal {json_type(document)} into Go value of type v1.DeleteOptions"
        raise status.bad_request(problem)
    return document


def as_created(resource: Resource, namespace: str, document: Any) -> Obj:
    """Make a new object of what a client sent whole. Raises ApiError 400, 422."""
    try:
        return _as_object(resource, namespace, document)
    except WrongTypeError as error:
        kind = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        raise status.bad_request(f"{kind}: {error}") from error


def as_patched(resource: Resource, namespace: str, document: Any) -> Obj:
    """Make a new object of what a patch made. Raises ApiError 400, 422."""
    try:
        return _as_object(resource, namespace, document)
    except WrongTypeError as error:
        text = json.dumps(document, separators=(",", ":"))
        raise status.invalid("", "", "", [status.invalid_value("patch", text, str(error))]) from error


def _as_object(resource: Resource, namespace: str, document: Any) -> Obj:
    if not isinstance(document, dict):
        tags = [f'{name} string "json:\\"{tag},omitempty\\""' for name, tag in _TYPE_META]
        form = f"struct {{ {'; '.join(tags)} }}"
        problem = f"json: cannot unmarshal {json_type(document)} into Go value of type {form}"
        raise status.bad_request(_unrecognized(resource, f"json parse error: {problem}"))
    obj: Obj = objects.clone(document)
    _empty_nulls(obj, resource)
    if resource.strategy.typed:
        obj = objects.without_nulls(obj)
    _check_kind(resource, obj)
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise WrongTypeError(f"json: cannot unmarshal {json_type(meta)} into Go value of type v1.ObjectMeta")
    for member in ("managedFields", "selfLink"):
        meta.pop(member, None)
    for member, form in _METADATA_MEMBERS.items():
        if meta.get(member) is not None:
            meta[member] = FORMS[form](meta[member], f"ObjectMeta.metadata.{member}")
    objects.tidy_metadata(obj)
    meta = obj["metadata"]
    for path, form in resource.strategy.typed_members.items():
        _convert(obj, path, form, resource.kind)
    if resource.namespaced and meta.setdefault("namespace", namespace) != namespace:
        mismatch = "does not match the namespace sent on the request"
        raise status.bad_request(f"the namespace of the provided object {mismatch}")
    resource.strategy.default(obj)
    return obj


def _check_kind(resource: Resource, obj: Obj) -> None:
    kind, version = obj.get("kind"), obj.get("apiVersion")
    if not resource.strategy.typed:
        _check_custom_kind(resource, obj)
        return
    obj.setdefault("kind", resource.kind)
    obj.setdefault("apiVersion", resource.api_version)
    if (kind or resource.kind) == resource.kind and (version or resource.api_version) == resource.api_version:
        return
    source = f'{kind or resource.kind} in version "{(version or resource.api_version).rpartition("/")[2]}"'
    internal = resource.group.partition(".")[0] or "core"
    if version in (None, resource.api_version):
        problem = (
            f"converting ({resource.version}.{kind}) to ({internal}.{resource.kind}): unknown conversion"
        )
    else:
        scheme = 'in scheme "pkg/runtime/scheme.go:111"'
        problem = f'no kind "{kind or resource.kind}" is registered for version "{version}" {scheme}'
    raise status.bad_request(f"{source} cannot be handled as a {resource.kind}: {problem}")


def _check_custom_kind(resource: Resource, obj: Obj) -> None:
    kind, version = obj.get("kind"), obj.get("apiVersion")
    if not kind:
        text = json.dumps(obj)
        problem = f"Object 'Kind' is missing in '{text}'"
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): {problem} ({text})"
        )
    if version != resource.api_version:
        expected = f"does not match the expected API version ({resource.api_version})"
        raise status.bad_request(f"the API version in the data ({version or ''}) {expected}")
    if kind != resource.kind:
        error = status.invalid_value("kind", kind, f"must be {resource.kind}")
        raise status.invalid(resource.group, str(kind), objects.name_of(obj), [error])


def _empty_nulls(document: Obj, resource: Resource) -> None:
    """Turn null members of maps of strings into "", as decoding them into Go strings does; in place."""
    members = {f"metadata.{member}": form for member, form in _METADATA_MEMBERS.items()}
    for path, form in (members | dict(resource.strategy.typed_members)).items():
        strings = objects.walk(document, path)
        if form == "strings" and isinstance(strings, dict):
            strings.update({key: "" for key, value in strings.items() if value is None})


def _convert(obj: Obj, path: str, form: str, kind: str) -> None:
    parent, _, member = path.rpartition(".")
    holder = objects.walk(obj, parent) if parent else obj
    if isinstance(holder, dict) and member in holder:
        holder[member] = FORMS[form](holder[member], f"{kind}.{path}")


def _reason(body: bytes, error: ValueError) -> str:
    return str(error) if body.strip() else "unexpected end of JSON input"


def _unrecognized(resource: Resource, problem: str) -> str:
    kind = f"the object provided is unrecognized (must be of type {resource.kind})"
    return f"{kind}: couldn't get version/kind; {problem}"
