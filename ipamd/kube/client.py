"""The verbs of the Kubernetes API over JSON dicts: get, list, create, replace, patch, delete, watch.

Objects stay dicts, because typed models cost a per-node daemon 40 MiB. Every request passes the gate
(client-side rate) and has an end in time. A 429 is waited for inside the call's time; nothing else is
repeated, because only the caller knows whether a write may be. Errors are those of `ipamd.kube.errors`.
Thread safety: any thread may call any method.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import ipamd
from ipamd.kube.calls import Caller, JsonObject, Watch
from ipamd.kube.connection import Connection
from ipamd.kube.gate import RequestGate
from ipamd.kube.resources import Resource
from ipamd.kube.transport import HttpRequest, Transport
from ipamd.runtime.reachability import Reachability

PAGE = 500
"""Objects asked for in one page of a list, as client-go's pager does."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""Annotation of the bookmark after which a watch has told all that there was."""
_CONTENT_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
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


class Scan:
    """A list, page by page and object by object, so that a caller may trim each before the next is read.

    Iterated once, by one thread. Errors while it is: GoneError when the list's snapshot expired between two
    pages, and any other KubeError; what was yielded before is then not the whole.
    """

    def __init__(self, caller: Caller, resource: Resource, selection: Selection, version: str) -> None:
        self._caller = caller
        self._resource = resource
        self._selection = selection
        self._from = version
        self.resource_version = ""
        """What a watch may start from, once the last object was yielded."""

    def __iter__(self) -> Iterator[JsonObject]:
        token = ""
        while True:
            metadata = yield from self._caller.read_list(self._page(token))
            self.resource_version = str(metadata.get("resourceVersion") or "")
            token = str(metadata.get("continue") or "")
            if not token:
                return

    def _page(self, token: str) -> HttpRequest:
        query = [*self._selection.query(), ("limit", str(PAGE))]
        if token:
            query.append(("continue", token))
        elif self._from:
            query += [("resourceVersion", self._from), ("resourceVersionMatch", "NotOlderThan")]
        return HttpRequest(
            title=f"list {self._resource.plural}",
            step=_step("list", self._resource),
            method="GET",
            path=self._resource.path(self._selection.namespace),
            query=tuple(query),
        )


class KubeClient:
    """One API server as one component of ours sees it."""

    def __init__(
        self,
        connection: Connection,
        *,
        component: str = "tke-eni-agent",
        timeout: float = 30.0,
        gate: RequestGate | None = None,
        connections: int = 8,
    ) -> None:
        """Take the component's name for the user agent, and the seconds that one call may take.

        `connections` are kept: as many as threads may call at once.
        """
        user_agent = f"{component}/{ipamd.__version__}"
        transport = Transport(connection, user_agent=user_agent, connections=connections)
        self._gate = gate or RequestGate()
        self._caller = Caller(transport, self._gate, timeout=timeout)

    def behind_others(self) -> Self:
        """Return the same client for what nobody waits for: its requests let those of others pass."""
        client = copy.copy(self)
        client._caller = self._caller.behind_others()  # noqa: SLF001 - our own
        return client

    def answered_at(self) -> float | None:
        """Return when the server was seen to work the last time, by the monotonic clock; None for never."""
        return self.reachability.answered_at

    @property
    def reachability(self) -> Reachability:
        """Whether the server answers."""
        return self._gate.reachability

    def time(self) -> float | None:
        """Return the server's time now, in seconds since the epoch; None until an answer has told it."""
        return self._caller.time()

    def close(self) -> None:
        """Close idle connections; calls that are under way end by themselves."""
        self._caller.close()

    def version(self) -> JsonObject:
        """Return what the server says of its release: `major`, `minor`, `gitVersion`. Asks for no right."""
        return self._caller.call(
            HttpRequest(title="get the version", step="get version", method="GET", path="/version"), None
        )

    def get(
        self, resource: Resource, name: str, namespace: str = "", *, timeout: float | None = None
    ) -> JsonObject:
        """Return one object, live from the server; NotFoundError when it does not exist."""
        return self._caller.call(
            HttpRequest(
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
    ) -> ObjectList:
        """Return all objects that match, live from the server, read in pages."""
        selection = Selection(
            namespace=namespace, label_selector=label_selector, field_selector=field_selector
        )
        scan = self.scan(resource, selection)
        items = list(scan)
        return ObjectList(items=items, resource_version=scan.resource_version)

    def scan(self, resource: Resource, selection: Selection, *, resource_version: str = "") -> "Scan":
        """Return a list that is read while it is iterated over; nothing is asked before.

        `resource_version` "0" lets the server answer from its watch cache, any other "not older than that".
        """
        return Scan(self._caller, resource, selection, resource_version)

    def create(self, resource: Resource, obj: JsonObject, *, timeout: float | None = None) -> JsonObject:
        """Create the object and return it as stored; AlreadyExistsError when the name is taken."""
        namespace, name = _identity(obj)
        return self._caller.call(
            HttpRequest(
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
            HttpRequest(
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
        content: Literal["merge", "json", "strategic"] = "merge",
    ) -> JsonObject:
        """Change the object and return it as stored.

        A merge patch with metadata.resourceVersion in its body is refused with ConflictError when the object
        has changed since; a JSON patch whose `test` fails with InvalidObjectError. A strategic merge patch,
        which built-in kinds take, changes single entries of lists that have a key: one condition of a Node.
        """
        return self._caller.call(
            HttpRequest(
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
            HttpRequest(
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
        initial: bool = False,
        lasts: int = 300,
        silence: float = 90.0,
    ) -> Watch:
        """Open a watch with bookmarks from `resource_version` on; the server ends it after `lasts` seconds.

        With `initial` it begins with all objects, as ADDED, not older than that version, and a bookmark with
        the annotation INITIAL_EVENTS_END ("Streaming lists" of the API concepts). InvalidObjectError when the
        server does not do so: before Kubernetes 1.27, or with its feature WatchList off.
        """
        query = [
            *selection.query(),
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(lasts)),
        ]
        if initial:
            query += [("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]
        request = HttpRequest(
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
