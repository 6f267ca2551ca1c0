"""The few statements of an OpenAPI v3 document that kubectl looks for before it writes.

Pure. No schemas: the documents say which kinds can be patched and that the server takes the parameter
`fieldValidation`, so that kubectl leaves validation to the server (which here keeps unknown fields).
"""

from simulator.kube.objects import Obj
from simulator.kube.resources import Resource, ResourceTable

_ROOT = "/openapi/v3"
_FIELD_VALIDATION: Obj = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}


def document(table: ResourceTable, path: str) -> Obj | None:
    """Return the index at /openapi/v3 or the document of a group version, None if there is none."""
    prefixes = {_prefix(resource) for resource in table.all}
    if path == _ROOT:
        return {"paths": {prefix: {"serverRelativeURL": f"{_ROOT}/{prefix}"} for prefix in sorted(prefixes)}}
    prefix = path.removeprefix(_ROOT + "/")
    if prefix not in prefixes:
        return None
    served = [resource for resource in table.all if _prefix(resource) == prefix]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "simulated"},
        "paths": {_object_path(resource): {"patch": _patch(resource)} for resource in served},
    }


def _prefix(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.api_version}"


def _object_path(resource: Resource) -> str:
    place = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_prefix(resource)}/{place}{resource.plural}/{{name}}"


def _patch(resource: Resource) -> Obj:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return {"parameters": [_FIELD_VALIDATION], "responses": {}, "x-kubernetes-group-version-kind": kind}
