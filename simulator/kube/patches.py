"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902) on JSON values.

Pure; the original is never changed. A patch that does not apply raises ApiError with the server's code.
"""

import json
from typing import Any

from simulator.kube import objects, status
from simulator.kube.objects import Obj


def merge(original: Any, patch: Any) -> Any:
    """Apply a merge patch: null removes a member, maps are merged, everything else replaces."""
    if isinstance(patch, list):
        # The real server prunes maps within lists too, against the RFC.
        return [merge(None, item) for item in patch]
    if not isinstance(patch, dict):
        return patch
    result = dict(original) if isinstance(original, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def apply_operations(original: Obj, operations: list[Any]) -> Any:
    """Apply a JSON patch. Raises ApiError 422 for what cannot be applied."""
    if not all(isinstance(item, dict) for item in operations):
        raise status.unprocessable()
    document: Any = objects.clone(original)
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: Obj) -> Any:
    path = operation.get("path")
    if not isinstance(path, str):
        raise status.unprocessable()
    match operation.get("op"):
        case "add":
            return _add(document, path, _value(operation))
        case "replace":
            return _replace(document, path, _value(operation))
        case "remove":
            return _remove(document, path)
        case "test":
            if not _equal(_read_or_null(document, path), _value(operation)):
                raise status.unprocessable()
            return document
        case "copy":
            return _add(document, path, objects.clone(_read(document, str(operation.get("from")))))
        case "move":
            source = str(operation.get("from"))
            moved = _read(document, source)
            return _add(_remove(document, source), path, moved)
        case _:
            raise status.unprocessable()


def _value(operation: Obj) -> Any:
    # An absent value is a null: a test for null is how a client asks for "not there".
    return objects.clone(operation.get("value"))


def _equal(left: Any, right: Any) -> bool:
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _parts(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise status.unprocessable()
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _index(part: str, limit: int) -> int:
    if not part.isdigit() or int(part) >= limit:
        raise status.unprocessable()
    return int(part)


def _read(document: Any, path: str) -> Any:
    value = document
    for part in _parts(path):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list):
            value = value[_index(part, len(value))]
        else:
            raise status.unprocessable()
    return value


def _read_or_null(document: Any, path: str) -> Any:
    """Read a member that its map may lack; a test for null is how a client asks for that."""
    if not path:
        return document
    container, member = _parent(document, path)
    return container.get(member) if isinstance(container, dict) else _read(document, path)


def _parent(document: Any, path: str) -> tuple[Any, str]:
    """Return the map or list that holds the member at a path, and the member's name in it."""
    parts = _parts(path)
    if not parts:
        raise status.unprocessable()
    container = _read(document, path[: path.rindex("/")])
    if not isinstance(container, dict | list):
        raise status.unprocessable()
    return container, parts[-1]


def _add(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    container, member = _parent(document, path)
    if isinstance(container, dict):
        container[member] = value
    else:
        container.insert(len(container) if member == "-" else _index(member, len(container) + 1), value)
    return document


def _replace(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    container, member = _parent(document, path)
    if isinstance(container, dict):
        # Of a map the real server replaces also what is not there, against the RFC.
        container[member] = value
    else:
        container[_index(member, len(container))] = value
    return document


def _remove(document: Any, path: str) -> Any:
    container, member = _parent(document, path)
    _read(document, path)
    if isinstance(container, dict):
        del container[member]
    else:
        del container[_index(member, len(container))]
    return document
