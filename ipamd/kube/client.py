"""The verbs of the Kubernetes API over JSON dicts: get, list, create, replace, patch, delete, watch.

Objects stay dicts, because typed models cost a per-node daemon 40 MiB. Every request passes the gate
(client-side rate) and has an end in time. A 429 is waited for inside the call's time; nothing else is
repeated, because only the caller knows whether a write may be. Errors are those of `ipamd.kube.errors`.
Thread safety: any thread may call any method.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ipamd
from ipamd.kube import errors
from ipamd.kube.calling import Caller, JsonObject, Watch
from ipamd.kube.config import Connection
from ipamd.kube.gate import RequestGate
from ipamd.kube.resources import Resource
from ipamd.kube.transport import Request, Transport

PAGE = 500
"""Objects asked for in one page of a list, as client-go's pager does."""
_CONTENT_TYPES = {"merge": "application/merge-patch+json", "json": "application/json-patch+json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list: its items, and the version of the collection that a watch may start from."""

    items: list[JsonObject]
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a collection; empty fields select all."""

    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""

    def query(self) -> list[tuple[str, str]]:
        """Return the URL parameters."""
        pairs = [("labelSelector", self.label_selector), ("fieldSelector", self.field_selector)]
        return [(key, value) for key, value in pairs if value]


class KubeClient:
    """One API server as one component of ours sees it."""

    def __init__(
        self,
        connection: Connection,
        *,
        component: str = "tke-eni-agent",
        timeout: float = 30.0,
        gate: RequestGate | None = None,
    ) -> None:
        """Take the component's name for the user agent, and the seconds that one call may take."""
        transport = Transport(connection, user_agent=f"{component}/{ipamd.__version__}")
        self._caller = Caller(transport, gate or RequestGate(), timeout=timeout)

    def close(self) -> None:
        """Close idle connections; calls that are under way end by themselves."""
        self._caller.close()

    def get(
        self, resource: Resource, name: str, namespace: str = "", *, timeout: float | None = None
    ) -> JsonObject:
        """Return one object, live from the server; NotFoundError when it does not exist."""
        return self._caller.call(
            Request(
                title=f"get {resource.title(namespace, name)}",
                step=_step("get", resource),
                method="GET",
                path=resource.path(namespace, name),
            ),
            timeout,
        )

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """Return all objects that match, live from the server, read in pages."""
        selection = Selection(
            namespace=namespace, label_selector=label_selector, field_selector=field_selector
        )
        items: list[JsonObject] = []
        version = ""
        for page in self.pages(resource, selection):
            items += page.items
            version = page.resource_version
        return Listing(items=items, resource_version=version)

    def pages(
        self, resource: Resource, selection: Selection, *, resource_version: str = ""
    ) -> Iterator[Listing]:
        """Yield a list page by page, so that a caller may trim each before the next is read.

        `resource_version` "0" lets the server answer from its watch cache, any other "not older than that".
        Errors: GoneError when the list's snapshot expired between two pages.
        """
        token = ""
        while True:
            query = [*selection.query(), ("limit", str(PAGE))]
            if token:
                query.append(("continue", token))
            elif resource_version:
                query += [("resourceVersion", resource_version), ("resourceVersionMatch", "NotOlderThan")]
            title = f"list {resource.plural}"
            document = self._caller.call(
                Request(
                    title=title,
                    step=_step("list", resource),
                    method="GET",
                    path=resource.path(selection.namespace),
                    query=tuple(query),
                )
            )
            metadata = document.get("metadata") or {}
            items = document.get("items") or []
            if not isinstance(metadata, dict) or not isinstance(items, list):
                raise errors.UnreachableError(f"{title}: the answer is not a list of objects")
            yield Listing(items=items, resource_version=str(metadata.get("resourceVersion") or ""))
            token = str(metadata.get("continue") or "")
            if not token:
                return

    def create(self, resource: Resource, obj: JsonObject, *, timeout: float | None = None) -> JsonObject:
        """Create the object and return it as stored; AlreadyExistsError when the name is taken."""
        namespace, name = _identity(obj)
        return self._caller.call(
            Request(
                title=f"create {resource.title(namespace, name)}",
                step=_step("create", resource),
                method="POST",
                path=resource.path(namespace),
                body=_encode(_typed(resource, obj)),
                content_type="application/json",
            ),
            timeout,
        )

    def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = "", timeout: float | None = None
    ) -> JsonObject:
        """Replace the object; ConflictError when its metadata.resourceVersion is not the stored one."""
        namespace, name = _identity(obj)
        return self._caller.call(
            Request(
                title=f"replace {resource.title(namespace, name)}",
                step=_step("replace", resource, subresource),
                method="PUT",
                path=resource.path(namespace, name, subresource),
                body=_encode(_typed(resource, obj)),
                content_type="application/json",
            ),
            timeout,
        )

    def patch(
        self,
        resource: Resource,
        name: str,
        body: Any,
        namespace: str = "",
        *,
        subresource: str = "",
        content: Literal["merge", "json"] = "merge",
    ) -> JsonObject:
        """Change the object and return it as stored.

        A merge patch with metadata.resourceVersion in its body is refused with ConflictError when the object
        has changed since; a JSON patch whose `test` fails with InvalidObjectError.
        """
        return self._caller.call(
            Request(
                title=f"patch {resource.title(namespace, name)}{'/' if subresource else ''}{subresource}",
                step=_step("patch", resource, subresource),
                method="PATCH",
                path=resource.path(namespace, name, subresource),
                body=_encode(body),
                content_type=_CONTENT_TYPES[content],
            )
        )

    def delete(
        self, resource: Resource, name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete the object, or mark it when finalizers hold it.

        With `uid` or `resource_version` only that very object is deleted: ConflictError for any other.
        """
        preconditions = {
            key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value
        }
        options: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if preconditions:
            options["preconditions"] = preconditions
        self._caller.call(
            Request(
                title=f"delete {resource.title(namespace, name)}",
                step=_step("delete", resource),
                method="DELETE",
                path=resource.path(namespace, name),
                body=_encode(options),
                content_type="application/json",
            )
        )

    def watch(
        self,
        resource: Resource,
        selection: Selection,
        *,
        resource_version: str,
        lasts: int = 300,
        silence: float = 90.0,
    ) -> Watch:
        """Open a watch with bookmarks from `resource_version` on.

        The server ends it after `lasts` seconds.
        """
        query = [
            *selection.query(),
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(lasts)),
        ]
        request = Request(
            title=f"watch {resource.plural}",
            step=_step("watch", resource),
            method="GET",
            path=resource.path(selection.namespace),
            query=tuple(query),
        )
        return self._caller.open_watch(request, silence=silence)


def _step(verb: str, resource: Resource, subresource: str = "") -> str:
    return f"kube.{verb}.{resource.plural}{'.' if subresource else ''}{subresource}"


def _identity(obj: Mapping[str, Any]) -> tuple[str, str]:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata.get("name") or metadata.get("generateName", "")


def _typed(resource: Resource, obj: JsonObject) -> JsonObject:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _encode(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
