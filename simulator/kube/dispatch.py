"""From an understood request to an answer: finds the resource, checks verb and media type, calls the verb.

Knows no sockets: it takes a Request with the body's bytes and returns an Answer, or raises ApiError. Watches
are opened here and served by the connection. Thread-safe (the parts are).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.kube import deletion, discovery, listing, objects, status, watching
from simulator.kube.objects import Obj
from simulator.kube.registry import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Registry, key_of
from simulator.kube.requests import Request
from simulator.kube.resources import Resource
from simulator.kube.watching import Watch, WatchOptions

_BODY_LIMIT = 3 * 1024 * 1024
_COLLECTION_VERBS = {"POST": "create", "GET": "list", "DELETE": "deletecollection"}
_OBJECT_METHODS = {"GET", "HEAD", "PUT", "PATCH", "DELETE"}
_STATUS_METHODS = {"GET", "HEAD", "PUT", "PATCH"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: HTTP status and a JSON document, or text."""

    code: int
    body: Obj | str


class Dispatcher:
    """Calls the verbs of a registry."""

    def __init__(self, registry: Registry) -> None:
        """Serve the registry's store and table."""
        self._registry = registry
        self._store = registry.store
        self._table = registry.table

    def respond(self, request: Request, body: bytes, content_type: str) -> Answer:
        """Answer everything but a watch. Raises ApiError."""
        if not request.resource:
            return self._plain(request)
        resource = self._resource(request)
        if len(body) > _BODY_LIMIT:
            message = f"Request entity too large: limit is {_BODY_LIMIT}"
            raise status.ApiError(status.failure(413, "RequestEntityTooLarge", message))
        if not _has_name(request):
            return self._collection(resource, request, body, content_type)
        if request.subresource in ("binding", "eviction"):
            return self._pod_action(request, body)
        return self._object(resource, request, body, content_type)

    def open_watch(self, request: Request) -> tuple[Watch, WatchOptions]:
        """Start a watch. Raises ApiError."""
        resource = self._resource(request)
        options = watching.read_options(resource, request)
        return Watch(self._store, resource, request, options), options

    def _resource(self, request: Request) -> Resource:
        resource = self._table.at(request.group, request.version, request.resource)
        wanted = request.subresource
        if resource is None or (wanted and wanted not in resource.subresources):
            raise status.no_such_resource()
        if resource.namespaced and not request.namespace and _has_name(request):
            raise status.no_such_resource()
        return resource

    def _plain(self, request: Request) -> Answer:
        if request.path.rstrip("/") in discovery.HEALTH_PATHS:
            return Answer(200, "ok")
        document = discovery.document(self._table, request.path)
        if document is None:
            return Answer(404, "404 page not found\n")
        if request.method not in ("GET", "HEAD"):
            raise status.method_not_allowed()
        return Answer(200, document)

    def _collection(self, resource: Resource, request: Request, body: bytes, content_type: str) -> Answer:
        verb = _COLLECTION_VERBS.get(request.method)
        if verb is None or verb not in resource.verbs or request.subresource:
            raise status.method_not_allowed()
        if verb == "list":
            return Answer(200, listing.list_objects(self._store, resource, request))
        if resource.namespaced and not request.namespace:
            raise status.method_not_allowed()
        if verb == "deletecollection":
            return Answer(200, self._delete_collection(resource, request, body))
        obj = _read_object(body, content_type)
        dry_run = "All" in request.query.get("dryRun", "")
        return Answer(201, self._registry.create(resource, request.namespace, obj, dry_run=dry_run))

    def _object(self, resource: Resource, request: Request, body: bytes, content_type: str) -> Answer:
        namespace = request.namespace if resource.namespaced else ""
        allowed = _STATUS_METHODS if request.subresource else _OBJECT_METHODS
        if request.method not in allowed:
            raise status.method_not_allowed()
        if request.method in ("GET", "HEAD"):
            version = request.query.get("resourceVersion", "")
            if version not in ("", "0"):
                listing.check_version(self._store, version)
            return Answer(200, self._registry.get(resource, namespace, request.name))
        if request.method == "PUT":
            obj = _read_object(body, content_type)
            stored, created = self._registry.update(
                resource, namespace, request.name, obj, subresource=request.subresource
            )
            return Answer(201 if created else 200, stored)
        if request.method == "PATCH":
            return self._patch(resource, request, body, content_type)
        options = deletion.read_options(_read_options(body), dict(request.query))
        done = self._registry.deletion.delete(resource, key_of(resource, namespace, request.name), options)
        accepted = not done.gone and options.orphan_dependents is False
        return Answer(202 if accepted else 200, _deleted(resource, done))

    def _patch(self, resource: Resource, request: Request, body: bytes, content_type: str) -> Answer:
        accepted = [JSON_PATCH, MERGE_PATCH] + [STRATEGIC_PATCH] * resource.strategy.typed
        if content_type not in accepted:
            raise status.unsupported_media_type(accepted)
        stored = self._registry.patch(
            resource,
            request.namespace if resource.namespaced else "",
            request.name,
            _read_json(body),
            content=content_type,
            subresource=request.subresource,
        )
        return Answer(200, stored)

    def _pod_action(self, request: Request, body: bytes) -> Answer:
        if request.method != "POST":
            raise status.method_not_allowed()
        document = _read_options(body)
        if objects.name_of(document) != request.name:
            kind = request.subresource.capitalize()
            raise status.bad_request(f"name in URL does not match name in {kind} object")
        resource = self._resource(request)
        if request.subresource == "binding":
            self._registry.bind(request.namespace, request.name, document)
        else:
            options = deletion.read_options(document.get("deleteOptions") or {}, {})
            key = key_of(resource, request.namespace, request.name)
            self._registry.deletion.delete(resource, key, options)
        return Answer(201, status.success(201))

    def _delete_collection(self, resource: Resource, request: Request, body: bytes) -> Obj:
        found = listing.list_objects(self._store, resource, request)
        # Selectors, limit and continue are for the list; the options of each deletion are in the body.
        options = deletion.read_options(_read_options(body), dict(request.query))
        for item in found["items"]:
            key = key_of(resource, objects.namespace_of(item), objects.name_of(item))
            try:
                self._registry.deletion.delete(resource, key, options)
            except status.ApiError as error:
                if error.code != 404:
                    raise
        return found


def _has_name(request: Request) -> bool:
    """Say whether the path names an object (a fieldSelector on the name does not count)."""
    return bool(request.name) and request.verb not in ("list", "watch")


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


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise status.bad_request(f"the object provided is unrecognized: {error}") from error


def _read_object(body: bytes, content_type: str) -> Any:
    if content_type not in ("", "application/json", "*/*"):
        raise status.unsupported_media_type(["application/json"])
    return _read_json(body)


def _read_options(body: bytes) -> Obj:
    document: object = _read_json(body) if body.strip() else {}
    if not isinstance(document, Mapping):
        raise status.bad_request("the object provided is unrecognized: it is not a JSON object")
    return dict(document)
