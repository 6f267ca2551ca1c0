"""The list verb: selectors, paging with continue tokens, the meanings of resourceVersion.

Reads the store only; no state. A page after the first shows the state of the first one; if that is compacted
away the answer is 410 with a token to go on inconsistently. Source: API concepts, "Retrieving large results
sets in chunks" and "Semantics for get and list".
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.kube import objects, selectors, status
from simulator.kube.objects import Obj
from simulator.kube.requests import Request
from simulator.kube.resources import Resource
from simulator.kube.selectors import Selector
from simulator.kube.storage import CompactedError, Store

_LIST_EXPIRED = "The resourceVersion for the provided list is too old."
_CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list"
    " without the continue parameter, or use the continue token in this response to retrieve the remainder of"
    " the results. Continuing with the provided token results in an inconsistent list - objects that were"
    " created, modified, or deleted between the time the first chunk was returned and now may show up in the"
    " list."
)
_LATEST = -1
_LATEST_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - the format of a continue token, not a secret


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list: where it starts and which revision it shows."""

    start: str
    """`namespace/name` of the last object before the page, "" for the first page."""
    revision: int | None
    """None for the latest."""


def list_objects(store: Store, resource: Resource, request: Request, *, behind: int = 0) -> Obj:
    """Answer a list request, with the state of `behind` writes ago. Raises ApiError 400, 410, 422, 504."""
    query = request.query
    _check_options(query)
    selector = parse_selector(resource, request)
    limit = request.number("limit") or 0
    version = query.get("resourceVersion", "")
    if version == "0" and not query.get("continue"):
        limit = 0  # the real server answers these from its watch cache, which does not page
    page = _page(store, query, version, limit)
    if behind:
        page = Page(page.start, max(store.oldest, store.revision - behind))
    try:
        items, revision = store.snapshot(resource.id, request.namespace, at=page.revision)
    except CompactedError as error:
        if not query.get("continue"):
            raise status.expired(_LIST_EXPIRED) from error
        raise status.expired(_CONTINUE_EXPIRED, _token(_LATEST, page.start)) from error
    rest = [item for item in items if _place(item) > page.start] if page.start else items
    found = [item for item in rest if matches(resource, selector, item)]
    meta: Obj = {"resourceVersion": str(revision)}
    if not resource.strategy.typed:
        meta["continue"] = ""  # the untyped list of the real server has it always
    if limit and len(found) > limit:
        meta["continue"] = _token(revision, _place(found[limit - 1]))
        if selector.empty:
            meta["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api_version,
        "metadata": meta,
        "items": [_list_item(resource, item) for item in found],
    }


def parse_selector(resource: Resource, request: Request) -> Selector:
    """Read the selectors of a list, watch or deletecollection. Raises ApiError 400."""
    fields = selectors.parse_fields(request.query.get("fieldSelector", ""))
    for field, _, _ in fields:
        if field not in resource.strategy.field_labels:
            raise status.bad_request(resource.strategy.unknown_field(field))
    return Selector(labels=selectors.parse_labels(request.query.get("labelSelector", "")), fields=fields)


def matches(resource: Resource, selector: Selector, obj: Obj) -> bool:
    """Say whether the selector selects the object."""
    labels = objects.metadata(obj).get("labels") or {}
    return selector.matches(labels, lambda label: resource.strategy.field(obj, label))


def check_version(store: Store, version: str) -> int:
    """Read a resourceVersion parameter that must have been reached. Raises ApiError 400, 504."""
    if not version.isdigit():
        raise status.unreadable_version(version)
    number, current = int(version), store.revision
    if number > current:
        raise status.too_large_version(number, current)
    return number


def _page(store: Store, query: Mapping[str, str], version: str, limit: int) -> Page:
    token = query.get("continue", "")
    if token:
        if version not in ("", "0"):
            raise status.bad_request("specifying resource version is not allowed when using continue")
        return _read_token(token)
    if version in ("", "0"):
        return Page("", None)
    if not version.isdigit():
        problem = f'resourceVersion: Invalid value: "{version}": {status.unparsable(version)}'
        raise status.bad_request(f"invalid resource version: {problem}")
    number = check_version(store, version)
    exact = query.get("resourceVersionMatch") == "Exact" or (limit and not query.get("resourceVersionMatch"))
    return Page("", number if exact else None)


def _list_item(resource: Resource, obj: Obj) -> Obj:
    # Items of typed lists do not repeat what the list says.
    if not resource.strategy.typed:
        return obj
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


def _place(obj: Obj) -> str:
    # \x00 sorts below every character of a name, so that the order is that of (namespace, name).
    return f"{objects.namespace_of(obj)}\x00{objects.name_of(obj)}"


def _token(revision: int, start: str) -> str:
    token = {"v": _LATEST_TOKEN_VERSION, "rv": revision, "start": start}
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode().rstrip("=")


def _read_token(text: str) -> Page:
    try:
        token = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        start, revision = str(token["start"]), int(token["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise status.bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    return Page(start, None if revision == _LATEST else revision)


def _check_options(query: Mapping[str, str]) -> None:
    field = "resourceVersionMatch"
    match, version = query.get(field, ""), query.get("resourceVersion", "")
    errors: list[status.FieldError] = []
    if match and not version:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        errors.append(status.forbidden_field(field, detail))
    if match and query.get("continue"):
        errors.append(
            status.forbidden_field(field, "resourceVersionMatch is forbidden when continue is provided")
        )
    if match not in ("", "Exact", "NotOlderThan"):
        errors.append(status.unsupported(field, match, ["Exact", "NotOlderThan", ""]))
    if match == "Exact" and version == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        errors.append(status.forbidden_field(field, detail))
    if query.get("sendInitialEvents"):
        errors.append(status.forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise status.invalid("meta.k8s.io", "ListOptions", "", errors)
