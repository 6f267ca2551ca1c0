"""Strategic merge patch for the built-in kinds: lists whose items have a key are merged by it.

Pure. Covers the lists with a documented merge key that kubelets, schedulers and our own code patch, and the
directives `$patch: delete|replace`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…` (ignored: order is not
kept) and `$retainKeys`. Source: "Update API Objects in Place Using kubectl patch" and the `patchMergeKey`
tags of the API.
"""

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
_ORDER = "$setElementOrder/"


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
    if field in _PRIMITIVE_SETS:
        return original + [item for item in patch if item not in original]
    key = _MERGE_KEYS.get(field)
    if key is None or not all(isinstance(item, dict) for item in patch):
        return [objects.clone(item) for item in patch]
    if any(item.get("$patch") == "replace" for item in patch):
        return [objects.clone(item) for item in patch if "$patch" not in item]
    result = list(original)
    for item in patch:
        place = next((index for index, old in enumerate(result) if old.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item.get(key)]
        elif place is None:
            result.append(merge({}, item))
        else:
            result[place] = merge(result[place], item)
    return result
