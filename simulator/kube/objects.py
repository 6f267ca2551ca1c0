"""Kubernetes objects as the JSON values they are on the wire, and the few accessors that everything needs.

An object in the store is never changed in place: who wants another value clones first. So objects are handed
out without copies, and a reader on any thread sees one state.
"""

import datetime as dt
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

Obj = dict[str, Any]
JsonT = TypeVar("JsonT")

ORPHAN = "orphan"
"""Finalizer: the garbage collector takes the owner references off the dependents before the owner goes."""
FOREGROUND = "foregroundDeletion"
"""Finalizer: the garbage collector deletes the blocking dependents before the owner goes."""


def clone(value: JsonT) -> JsonT:
    """Copy a JSON value (several times faster than `copy.deepcopy`, which must expect cycles and classes)."""
    return cast("JsonT", _clone(value))


def _clone(value: object) -> object:
    if isinstance(value, dict):
        return {key: _clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clone(item) for item in value]
    return value


def metadata(obj: Mapping[str, Any]) -> Obj:
    """Return the object's metadata, or an empty dict that is not part of it."""
    value = obj.get("metadata")
    return value if isinstance(value, dict) else {}


def name_of(obj: Mapping[str, Any]) -> str:
    """Return metadata.name or ""."""
    return str(metadata(obj).get("name") or "")


def namespace_of(obj: Mapping[str, Any]) -> str:
    """Return metadata.namespace or ""."""
    return str(metadata(obj).get("namespace") or "")


def uid_of(obj: Mapping[str, Any]) -> str:
    """Return metadata.uid or ""."""
    return str(metadata(obj).get("uid") or "")


def finalizers_of(obj: Mapping[str, Any]) -> list[str]:
    """Return a new list of metadata.finalizers."""
    return list(metadata(obj).get("finalizers") or [])


def owners_of(obj: Mapping[str, Any]) -> list[Obj]:
    """Return metadata.ownerReferences (not a copy)."""
    return metadata(obj).get("ownerReferences") or []


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Say whether a deletion of the object was asked for."""
    return bool(metadata(obj).get("deletionTimestamp"))


def timestamp(now: float) -> str:
    """Write seconds since the epoch as metav1.Time does: RFC 3339 in UTC, whole seconds."""
    return dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(text: str) -> float:
    """Read a metav1.Time."""
    return dt.datetime.fromisoformat(text).timestamp()


def new_uid() -> str:
    """Return a UID as the API server makes them (a random UUID)."""
    return str(uuid.uuid4())


def without_nulls(value: Any) -> Any:
    """Drop null members of maps, as decoding into a typed object and encoding it again does."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def tidy_metadata(obj: Obj) -> None:
    """Drop empty metadata members (they are `omitempty`), in place."""
    meta = obj.get("metadata")
    if isinstance(meta, dict):
        obj["metadata"] = {
            member: value
            for member, value in meta.items()
            if value not in (None, "", [], {}) and (member, value) != ("generation", 0)
        }


def drop_empty(obj: Obj, *members: str) -> None:
    """Drop these members if they are empty (they are `omitempty`), in place."""
    for member in members:
        if member in obj and not obj[member]:
            del obj[member]


def walk(value: Any, path: str) -> Any:
    """Return the member at a dotted path (`spec.nodeName`), or None."""
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def conditions(obj: Mapping[str, Any]) -> Iterator[Obj]:
    """Iterate over status.conditions."""
    yield from walk(obj, "status.conditions") or []
