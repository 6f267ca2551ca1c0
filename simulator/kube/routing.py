"""Which resource a path means and which methods it takes; else the 404 or 405 that the real server gives.

Pure. Built-in and custom resources are served by different parts of the real server, which differ in how they
say no; `find` returns None for a path that nobody knows (404 as plain text).
"""

from simulator.kube import status
from simulator.kube.requests import Request
from simulator.kube.resources import Resource, ResourceTable

_COLLECTION_VERBS = {"POST": "create", "GET": "list", "DELETE": "deletecollection"}
_METHODS = {
    "": {"GET", "HEAD", "PUT", "PATCH", "DELETE"},
    "status": {"GET", "HEAD", "PUT", "PATCH"},
    "binding": {"POST"},
    "eviction": {"POST"},
}
_ACTIONS = {"POST": "create", "DELETE": "delete"}


def names_object(request: Request) -> bool:
    """Say whether the path names an object (a fieldSelector on the name does not count)."""
    return bool(request.name) and request.verb not in ("list", "watch")


def find(table: ResourceTable, request: Request) -> Resource | None:
    """Return the resource of a request, None if there is no such path. Raises ApiError 400, 404, 405."""
    known = [item for item in table.all if item.group == request.group]
    resource = table.at(request.group, request.version, request.resource)
    custom = bool(known) and not known[0].strategy.typed
    if not known or (resource is None and custom):
        return None
    if resource is None or bool(request.namespace) > (
        resource.namespaced or request.resource == "namespaces"
    ):
        raise status.no_such_resource()
    if names_object(request):
        return _check_object(resource, request, custom=custom)
    return _check_collection(resource, request, custom=custom)


def _check_object(resource: Resource, request: Request, *, custom: bool) -> Resource | None:
    if resource.namespaced and not request.namespace:
        if custom:
            return None
        raise status.no_such_resource()
    if request.subresource and request.subresource not in resource.subresources:
        if custom:
            raise status.not_found(resource.group, resource.plural, request.name)
        raise status.no_such_resource()
    if request.method not in _METHODS[request.subresource]:
        if custom and request.method in _ACTIONS:
            raise status.not_supported(resource.group, resource.plural, _ACTIONS[request.method])
        raise status.method_not_allowed()
    return resource


def _check_collection(resource: Resource, request: Request, *, custom: bool) -> Resource | None:
    verb = _COLLECTION_VERBS.get(request.method)
    everywhere = resource.namespaced and not request.namespace
    if verb == "list" or (verb in resource.verbs and not everywhere):
        return resource
    if not custom:
        raise status.method_not_allowed()
    if everywhere:
        return None
    raise status.bad_request("name must be provided")
