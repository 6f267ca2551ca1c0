"""From an understood request to an answer: finds the resource, checks verb and media type, calls the verb.

Knows no sockets: it takes a Request with the body's bytes and returns an Answer, or raises ApiError. Watches
are opened here and served by the connection. Thread-safe (the parts are).
"""

import contextlib
from dataclasses import dataclass
from typing import Any

from simulator.kube import decoding, deletion, discovery, listing, objects, routing, status, watching
from simulator.kube.objects import Obj
from simulator.kube.registry import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Registry, key_of
from simulator.kube.requests import Request
from simulator.kube.resources import PODS, Resource
from simulator.kube.watching import Watch, WatchOptions

_BODY_LIMIT = 3 * 1024 * 1024
_OPTIONS = {
    "POST": "CreateOptions",
    "PUT": "UpdateOptions",
    "PATCH": "PatchOptions",
    "DELETE": "DeleteOptions",
}
_NO_PAGE = "404 page not found\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: HTTP status and a JSON document, or text."""

    code: int
    body: Obj | str


class Dispatcher:
    """Calls the verbs of a registry."""

    def __init__(self, registry: Registry, *, streams_lists: bool = True) -> None:
        """Serve the registry's store and table; `streams_lists` is the real server's feature WatchList."""
        self.streams_lists = streams_lists
        self._registry = registry
        self._store = registry.store
        self._table = registry.table

    def respond(self, request: Request, body: bytes, content_type: str, *, behind: int = 0) -> Answer:
        """Answer everything but a watch; a list shows the state of `behind` writes ago. Raises ApiError."""
        if not request.resource:
            return self._plain(request)
        resource = routing.find(self._table, request)
        if resource is None:
            return Answer(404, _NO_PAGE)
        if len(body) > _BODY_LIMIT:
            message = f"Request entity too large: limit is {_BODY_LIMIT}"
            raise status.ApiError(status.failure(413, "RequestEntityTooLarge", message))
        if request.verb == "list":
            return Answer(200, listing.list_objects(self._store, resource, request, behind=behind))
        with self._store.rehearsal() if _is_dry_run(request, body) else contextlib.nullcontext():
            if not routing.names_object(request):
                return self._collection(resource, request, body, content_type)
            if request.subresource in ("binding", "eviction"):
                return self._pod_action(request, body)
            return self._object(resource, request, body, content_type)

    def open_watch(self, request: Request) -> tuple[Watch, WatchOptions] | Answer:
        """Start a watch. Raises ApiError."""
        resource = routing.find(self._table, request)
        if resource is None:
            return Answer(404, _NO_PAGE)
        options = watching.read_options(resource, request, streams_lists=self.streams_lists)
        return Watch(self._store, resource, request, options), options

    def _plain(self, request: Request) -> Answer:
        if request.path.rstrip("/") in discovery.HEALTH_PATHS:
            return Answer(200, "ok")
        document = discovery.document(self._table, request.path)
        if document is None:
            return Answer(404, _NO_PAGE)
        if request.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        return Answer(200, document)

    def _collection(self, resource: Resource, request: Request, body: bytes, content_type: str) -> Answer:
        if request.method == "DELETE":
            return Answer(200, self._delete_collection(resource, request, body))
        document = _read_object(resource, body, content_type)
        return Answer(201, self._registry.create(resource, request.namespace, document))

    def _object(self, resource: Resource, request: Request, body: bytes, content_type: str) -> Answer:
        namespace = request.namespace if resource.namespaced else ""
        if request.method in ("GET", "HEAD"):
            version = request.query.get("resourceVersion", "")
            if version not in ("", "0"):
                listing.check_version(self._store, version)
            return Answer(200, self._registry.get(resource, namespace, request.name))
        if request.method == "PUT":
            document = _read_object(resource, body, content_type)
            stored, created = self._registry.update(
                resource, namespace, request.name, document, subresource=request.subresource
            )
            return Answer(201 if created else 200, stored)
        if request.method == "PATCH":
            return self._patch(resource, request, body, content_type)
        options = deletion.read_options(decoding.parse_options(body), dict(request.query))
        done = self._registry.deletion.delete(resource, key_of(resource, namespace, request.name), options)
        accepted = not done.gone and options.orphan_dependents is False
        return Answer(202 if accepted else 200, _deleted(resource, done))

    def _patch(self, resource: Resource, request: Request, body: bytes, content_type: str) -> Answer:
        typed = resource.strategy.typed
        if content_type not in (JSON_PATCH, MERGE_PATCH) and not (typed and content_type == STRATEGIC_PATCH):
            raise status.unsupported_media_type(() if typed else (JSON_PATCH, MERGE_PATCH))
        if content_type == JSON_PATCH:
            patch = decoding.parse_patch(body, list, "[]handlers.jsonPatchOp")
        else:
            patch = decoding.parse_patch(body, dict, "map[string]interface {}")
        stored = self._registry.patch(
            resource,
            request.namespace if resource.namespaced else "",
            request.name,
            patch,
            content=content_type,
            subresource=request.subresource,
        )
        return Answer(200, stored)

    def _pod_action(self, request: Request, body: bytes) -> Answer:
        document = decoding.parse_options(body)
        if objects.name_of(document) != request.name:
            kind = request.subresource.capitalize()
            raise status.bad_request(f"name in URL does not match name in {kind} object")
        if request.subresource == "binding":
            self._registry.bind(request.namespace, request.name, document)
        else:
            options = deletion.read_options(document.get("deleteOptions") or {}, {})
            key = key_of(PODS, request.namespace, request.name)
            self._registry.deletion.delete(PODS, key, options)
        return Answer(201, status.success(201))

    def _delete_collection(self, resource: Resource, request: Request, body: bytes) -> Obj:
        found = listing.list_objects(self._store, resource, request)
        # Selectors, limit and continue are for the list; the options of each deletion are in the body.
        options = deletion.read_options(decoding.parse_options(body), dict(request.query))
        for item in found["items"]:
            key = key_of(resource, objects.namespace_of(item), objects.name_of(item))
            try:
                self._registry.deletion.delete(resource, key, options)
            except status.ApiError as error:
                if error.code != 404:
                    raise
        return found


def _is_dry_run(request: Request, body: bytes) -> bool:
    """Say whether nothing shall be kept of what the request does. Raises ApiError 400, 422."""
    wanted = [request.query["dryRun"]] if request.query.get("dryRun") and request.method in _OPTIONS else []
    if request.method == "DELETE" and body.strip():
        wanted = decoding.parse_options(body).get("dryRun") or []
    if wanted not in ([], ["All"]):
        error = status.unsupported("dryRun", wanted, ["All"])
        raise status.invalid("meta.k8s.io", _OPTIONS[request.method], "", [error])
    return bool(wanted)


def _deleted(resource: Resource, done: deletion.Deleted) -> Obj:
    if not done.gone or resource.strategy.returns_deleted:
        return done.obj
    details = {
        "name": objects.name_of(done.obj),
        "group": resource.group,
        "kind": resource.plural,
        "uid": objects.uid_of(done.obj),
    }
    return status.success(details=details)


def _read_object(resource: Resource, body: bytes, content_type: str) -> Any:
    if content_type not in ("", "application/json", "*/*"):
        raise status.unsupported_media_type(["application/json"])
    return decoding.parse_object(body, resource)
