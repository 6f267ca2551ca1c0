"""Strategic merge patch for the built-in kinds: lists whose items have a key are merged by it.

Pure. Covers the lists with a documented merge key that kubelets, schedulers and our own code patch, and the
directives `$patch: delete|replace`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…` (ignored: order is not
kept) and `$retainKeys`. Source: "Update API Objects in Place Using kubectl patch" and the `patchMergeKey`
tags of the API.
"""

from collections.abc import Callable
from typing import Any

from simulator.kube import objects
from simulator.kube.objects import Obj

_MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "addresses": "type",
    "ownerReferences": "uid",
    "podIPs": "ip",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
_PRIMITIVE_SETS = {"finalizers", "podCIDRs"}
_DELETE_FROM = "$deleteFromPrimitiveList/"


def merge(original: Any, patch: Obj) -> Any:
    """Apply a strategic merge patch to a map."""
    base: Obj = dict(original) if isinstance(original, dict) else {}
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    if "$retainKeys" in patch:
        base = {key: value for key, value in base.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            field = key.removeprefix(_DELETE_FROM)
            base[field] = [item for item in base.get(field) or [] if item not in value]
        elif key.startswith("$"):
            continue
        elif value is None:
            base.pop(key, None)
        elif isinstance(value, dict):
            base[key] = merge(base.get(key), value)
        elif isinstance(value, list):
            base[key] = _merge_list(key, base.get(key) or [], value)
        else:
            base[key] = value
    return base


def _merge_list(field: str, original: list[Any], patch: list[Any]) -> list[Any]:
    key = _MERGE_KEYS.get(field)
    if field in _PRIMITIVE_SETS:
        return _ordered(original, list(dict.fromkeys(patch)), lambda item: item)
    if key is None or not all(isinstance(item, dict) for item in patch):
        return [objects.clone(item) for item in patch]
    if any(item.get("$patch") == "replace" for item in patch):
        return [objects.clone(item) for item in patch if "$patch" not in item]
    deleted = [item.get(key) for item in patch if item.get("$patch") == "delete"]
    before = {item.get(key): item for item in original}
    merged = [merge(before.get(item.get(key), {}), item) for item in patch if "$patch" not in item]
    kept = [item for item in original if item.get(key) not in deleted]
    return _ordered(kept, merged, lambda item: item.get(key))


def _ordered(original: list[Any], patched: list[Any], key: Callable[[Any], Any]) -> list[Any]:
    """Put the untouched items among the patched ones: before those that they preceded, else at the end."""
    places = {key(item): index for index, item in enumerate(original)}
    touched = {key(item) for item in patched}
    left = [item for item in original if key(item) not in touched]
    right = list(patched)
    result: list[Any] = []
    while left and right:
        other = places.get(key(right[0]))
        before = other is not None and places[key(left[0])] < other
        result.append(left.pop(0) if before else right.pop(0))
    return result + left + right
