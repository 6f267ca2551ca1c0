"""The watch verb: turns the store's history into the events that one watcher may see.

A Watch is used by one thread; it holds a revision and reads on from there. Objects that enter or leave the
selection appear as ADDED and DELETED, whatever happened to them. A revision that is compacted away ends the
stream with an ERROR event that carries the 410 Status, as the real server does. Source: API concepts,
"Efficient detection of changes", "Watch bookmarks", "Streaming lists".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.kube import listing, objects, status
from simulator.kube.objects import Obj
from simulator.kube.requests import Request
from simulator.kube.resources import Resource
from simulator.kube.selectors import Selector
from simulator.kube.storage import Change, CompactedError, Entry, Store

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What a watch request asks for."""

    selector: Selector
    revision: int | None
    """Changes after this one; None: the present state first, as ADDED events."""
    initial_end: bool
    """Whether a bookmark says that the initial events are complete."""
    bookmarks: bool
    timeout: int | None
    """Seconds until the server ends the stream; None: as the server likes."""


def read_options(resource: Resource, request: Request, *, streams_lists: bool = True) -> WatchOptions:
    """Read a watch request; without `streams_lists` as a server with its feature WatchList off.

    Raises ApiError 400, 422.
    """
    query = request.query
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    initial = query.get("sendInitialEvents", "")
    errors = []
    if initial and match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        errors.append(status.forbidden_field("resourceVersionMatch", detail))
    if match and not initial:
        detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(status.forbidden_field("resourceVersionMatch", detail))
    if initial and not streams_lists:
        detail = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        errors.append(status.forbidden_field("sendInitialEvents", detail))
    if errors:
        raise status.invalid("meta.k8s.io", "ListOptions", "", errors)
    if version and not version.isdigit():
        raise status.unreadable_version(version)
    from_state = request.flag("sendInitialEvents") or (not initial and version in ("", "0"))
    bookmarks = request.flag("allowWatchBookmarks")
    return WatchOptions(
        selector=listing.parse_selector(resource, request),
        revision=None if from_state else int(version or 0),
        initial_end=request.flag("sendInitialEvents") and bookmarks,
        bookmarks=bookmarks,
        timeout=request.number("timeoutSeconds"),
    )


class Watch:
    """One running watch.

    Invariant: every change up to `revision` that this watcher may see was returned by `initial` or
    `next_events`.
    """

    def __init__(self, store: Store, resource: Resource, request: Request, options: WatchOptions) -> None:
        """Start where the options say. Nothing is read yet."""
        self._store = store
        self._resource = resource
        self._namespace = request.namespace if resource.namespaced else ""
        self._name = request.name
        self._options = options
        self._skip_until = 0
        self.revision = 0

    def initial(self) -> list[Obj]:
        """Return the events that the stream begins with, and take up the position after them."""
        options = self._options
        if options.revision is not None:
            current = self._store.revision
            # A position in the future is not refused: the events up to it are left out.
            self.revision = min(options.revision or current, current)
            self._skip_until = options.revision
            return []
        items, self.revision = self._store.snapshot(self._resource.id, self._namespace)
        events = [_event("ADDED", item) for item in items if self._selects(item)]
        if options.initial_end:
            events.append(self.bookmark({INITIAL_EVENTS_END: "true"}))
        return events

    def next_events(self) -> Iterator[Obj]:
        """Return what happened since the last call. Raises CompactedError if that is forgotten."""
        for entry in self._store.changes_after(self.revision):
            self.revision = entry.revision
            event = self._seen(entry)
            if event is not None and entry.revision > self._skip_until:
                yield event

    def bookmark(self, annotations: dict[str, str] | None = None) -> Obj:
        """Return a bookmark for the present position."""
        meta: Obj = {"resourceVersion": str(self.revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        obj = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": meta}
        return _event("BOOKMARK", obj)

    def expired(self, cause: CompactedError) -> Obj:
        """Return the event that tells a watcher to list again."""
        error = status.expired(f"too old resource version: {cause.wanted} ({cause.oldest})")
        return _event("ERROR", error.status)

    def _seen(self, entry: Entry) -> Obj | None:
        if entry.key.resource != self._resource.id:
            return None
        if self._namespace and entry.key.namespace != self._namespace:
            return None
        now = entry.change is not Change.DELETED and self._selects(entry.obj)
        before = entry.previous is not None and self._selects(entry.previous)
        if now:
            return _event("MODIFIED" if before else "ADDED", entry.obj)
        if not before or entry.previous is None:
            return None
        # The last state that the watcher knew, at the version at which it lost sight of it.
        meta = {**objects.metadata(entry.previous), "resourceVersion": str(entry.revision)}
        return _event("DELETED", {**entry.previous, "metadata": meta})

    def _selects(self, obj: Obj) -> bool:
        if self._name and objects.name_of(obj) != self._name:
            return False
        return self._options.selector.empty or listing.matches(self._resource, self._options.selector, obj)


def _event(kind: str, obj: Obj) -> Obj:
    return {"type": kind, "object": obj}
