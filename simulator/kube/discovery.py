"""What clients ask to find out what is served: versions, groups, resources, health.

Pure: documents made from the resource table, in the unaggregated form (which every client falls back to).
"""

import platform

from simulator.kube import openapi
from simulator.kube.objects import Obj
from simulator.kube.resources import SUBRESOURCE_KINDS, Resource, ResourceTable

VERSION: Obj = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.3-simulated",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "python",
    "platform": f"linux/{platform.machine()}",
}
HEALTH_PATHS = ("/healthz", "/livez", "/readyz")


def document(table: ResourceTable, path: str) -> Obj | None:
    """Return the discovery document at a path, None if there is none."""
    path = path.rstrip("/")
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        groups = [_group(group, versions) for group, versions in table.groups().items() if group]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if path.startswith("/openapi/v3"):
        return openapi.document(table, path)
    parts = path.strip("/").split("/")
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in table.groups():
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], table.groups()[parts[1]])}
    if path == "/api/v1":
        return _resources(table, "", "v1")
    if parts[0] == "apis" and len(parts) == 3 and parts[2] in table.groups().get(parts[1], []):
        return _resources(table, parts[1], parts[2])
    return None


def _group(group: str, versions: list[str]) -> Obj:
    listed = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": listed, "preferredVersion": listed[0]}


def _resources(table: ResourceTable, group: str, version: str) -> Obj:
    entries = []
    for resource in table.all:
        if (resource.group, resource.version) == (group, version):
            entries.append(_entry(resource))
            entries += [_subresource(resource, name) for name in resource.subresources]
    entries.sort(key=lambda entry: str(entry["name"]))
    group_version = f"{group}/{version}" if group else version
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": entries,
    }


def _entry(resource: Resource) -> Obj:
    entry: Obj = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subresource(resource: Resource, name: str) -> Obj:
    entry: Obj = {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["get", "patch", "update"],
    }
    if name in SUBRESOURCE_KINDS:
        group, version, kind = SUBRESOURCE_KINDS[name]
        entry["kind"] = kind
        entry["verbs"] = ["create"]
        if group:
            entry |= {"group": group, "version": version}
    return entry
