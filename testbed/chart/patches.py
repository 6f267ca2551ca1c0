"""What a component of kustomize adds to objects, turned into parts that Helm adds on a condition. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from testbed.chart.template import When

Obj = dict[str, Any]


def apply(kustomization: Mapping[str, Any], objects: Sequence[Obj], condition: str) -> None:
    """Add what the patches of a component add, to be there when the condition holds.

    Raises:
        ValueError: for a patch of a kind that no component has had so far.
    """
    for entry in kustomization.get("patches", ()):
        patch = yaml.load(entry["patch"], yaml.CSafeLoader)
        if isinstance(patch, list):
            target = entry["target"]
            for step in patch:
                _add(_find(objects, target["kind"], target["name"]), step, condition)
        else:
            _merge(_find(objects, patch["kind"], patch["metadata"]["name"]), patch, condition)


def _find(objects: Sequence[Obj], kind: str, name: str) -> Obj:
    (found,) = (obj for obj in objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name))
    return found


def _add(obj: Obj, step: Mapping[str, Any], condition: str) -> None:
    """One step of a JSON patch (RFC 6902)."""
    if step["op"] != "add":
        raise ValueError(f"the chart cannot follow {step['op']!r} of {step['path']}")
    *path, last = str(step["path"]).removeprefix("/").split("/")
    place: Any = obj
    for key in path:
        place = place[int(key) if isinstance(place, list) else key]
    if last == "-":
        place.append(When(condition, step["value"]))
    elif last in place:
        raise ValueError(f"the chart cannot follow a change of {step['path']}, which is there already")
    else:
        place[last] = When(condition, step["value"])


def _merge(there: Obj, patch: Mapping[str, Any], condition: str) -> None:
    """A strategic merge: lists of objects are matched by their names."""
    for key, value in patch.items():
        present = there.get(key)
        if present is None:
            there[key] = When(condition, value)
        elif isinstance(present, When):
            there[key] = _both(present, When(condition, value))
        elif isinstance(value, Mapping):
            _merge(present, value, condition)
        elif isinstance(value, list):
            for item in value:
                (matched,) = (one for one in present if one["name"] == item["name"])
                _merge(matched, item, condition)
        elif value != present:
            raise ValueError(f"the chart cannot follow a change of {key} from {present!r} to {value!r}")


def _both(first: When, second: When) -> When:
    """A list that two components add to."""
    items = [When(one.condition, item) for one in (first, second) for item in one.value]
    return When(f"or {first.condition} {second.condition}", items)
