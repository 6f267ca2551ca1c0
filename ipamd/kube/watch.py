"""A local copy of a collection, kept up to date by list and watch in a thread of its own.

Where the server has it, one watch tells first what there is, then what comes ("Streaming lists" of the API
concepts); elsewhere list, object by object, and watch from the list's version on. Either way no more of the
answer is held than one object. Resume where a watch ended, begin anew after a 410, and notice a frozen
connection by its silence. Whatever goes wrong, the next attempt waits by a jittered, growing delay: thousands
of nodes run this against one API server (client-go's reflector is the model; the Python client's informer
has no back-off).
The copy lags behind the server. Who is about to free something asks `KubeClient.get` instead.
Thread safety: any thread may call any method; `on_change` runs on the cache's thread, one change at a time.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ipamd.core.timing.backoff import Backoff
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject, Watch
from ipamd.kube.client import INITIAL_EVENTS_END, KubeClient, Selection
from ipamd.kube.resources import Resource
from ipamd.kube.transport import SilenceError
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task, note_defect

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""
OnChange = Callable[[str, JsonObject], None]
"""Takes "added", "modified" or "deleted", and the object: for "deleted" its last known state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPace:
    """How patient a cache is; times in seconds."""

    lasts: int = 300
    """A watch is asked to last between this and twice this."""
    silence: float = 90.0
    """Without a byte for so long a watch is opened again; bookmarks come about every 60."""
    healthy: float = 5.0
    """A watch that ends sooner counts as a failure."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, longest=30.0))


def _ignore(kind: str, obj: JsonObject) -> None:
    del kind, obj


def _whole(obj: JsonObject) -> JsonObject:
    return obj


class ObjectCache:
    """The objects of one collection that match a selection.

    Invariant: `_objects` holds what the server had at `_version`; after each change `on_change` was called
    once for every object that differs, and an object of a new UID is told as "deleted" and "added". Objects
    are shared with all readers: nobody changes them.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        selection: Selection | None = None,
        on_change: OnChange = _ignore,
        keep: Callable[[JsonObject], JsonObject] = _whole,
        pace: WatchPace | None = None,
    ) -> None:
        """Take what to watch, and `keep`, which trims an object to what its readers need.

        `keep` must leave metadata.namespace, name, uid and resourceVersion.
        """
        self._client = client
        self._resource = resource
        self._selection = selection or Selection()
        self._on_change = on_change
        self._keep = keep
        self._pace = pace or WatchPace()
        self._lock = threading.Lock()
        self._objects: dict[Key, JsonObject] = {}
        self._version = ""  # empty: learn what there is before the next watch
        self._streams = True  # until the server refuses to stream what there is
        self._doubted = False  # whether it has begun to and has not come to the end: list next
        self._list_from = "0"  # the first list may come from the server's watch cache: cheap for etcd
        self._watch: Watch | None = None
        self._synced = threading.Event()
        self._failures = 0
        self._task = Task(f"watch-{resource.plural}", self._work, policy=Survive(backoff=self._pace.backoff))

    def start(self) -> None:
        """Start the thread."""
        self._task.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; a request that is under way may outlast `timeout`, but changes nothing any more."""
        self._task.stopping.set()
        with self._lock:
            if self._watch:
                self._watch.shut_down()
        self._task.join(timeout)

    @property
    def has_synced(self) -> bool:
        """Whether the first list is complete."""
        return self._synced.is_set()

    def wait_synced(self, timeout: float) -> bool:
        """Wait for the first list; return whether it is complete."""
        return self._synced.wait(timeout)

    def get(self, namespace: str, name: str) -> JsonObject | None:
        """Return the copy of one object, or None."""
        with self._lock:
            return self._objects.get((namespace, name))

    @property
    def is_empty(self) -> bool:
        """Whether there is no object, as far as the copy knows."""
        return not self._objects

    def items(self) -> list[JsonObject]:
        """Return the copies of all objects."""
        with self._lock:
            return list(self._objects.values())

    def _work(self) -> bool:
        """Follow the collection until the watch ends or something goes wrong; there is always more."""
        began = time.monotonic()
        try:
            self._follow()
        except SilenceError as e:
            log.debug("%s; watching again", e)
        except errors.GoneError as e:
            log.info("%s; listing again", e)
            self._version = self._list_from = ""
        except errors.KubeError as e:
            if not self._task.stopping.is_set():
                log.warning("%s; trying again", e)
        except Exception:
            self._version = ""  # whatever has failed, a new list makes the copy true
            raise
        self._failures = 0 if time.monotonic() - began >= self._pace.healthy else self._failures + 1
        if self._failures:
            self._task.stopping.wait(self._pace.backoff.delay(self._failures, chance.fraction))
        return True

    def _follow(self) -> None:
        """Learn what there is if needed, then watch until the watch ends."""
        if not self._version and (self._doubted or not self._streams):
            self._list()
        watch = self._open()
        with self._lock:
            self._watch = watch
        try:
            if self._task.stopping.is_set():
                return
            events = watch.events()
            if not self._version:
                self._take_initial(events)
            for kind, obj in events:
                self._take(kind, obj)
                if self._task.stopping.is_set():
                    return
        finally:
            with self._lock:
                self._watch = None
            watch.close()

    def _open(self) -> Watch:
        lasts = round(self._pace.lasts * (1 + chance.fraction()))
        if not self._version:
            self._doubted = True
            try:
                return self._client.watch(
                    self._resource,
                    self._selection,
                    resource_version=self._list_from,
                    initial=True,
                    lasts=lasts,
                    silence=self._pace.silence,
                )
            except errors.InvalidObjectError as e:
                log.info("%s; %s are listed instead", e, self._resource.plural)
                self._streams = False
                self._list()
        return self._client.watch(
            self._resource,
            self._selection,
            resource_version=self._version,
            lasts=lasts,
            silence=self._pace.silence,
        )

    def _take_initial(self, events: Iterator[tuple[str, JsonObject]]) -> None:
        """Take what a watch tells of the present state, up to the bookmark that ends it."""
        fresh: dict[Key, JsonObject] = {}
        for kind, obj in events:
            if self._task.stopping.is_set():
                return
            if kind == "BOOKMARK":
                if (_metadata(obj, "annotations") or {}).get(INITIAL_EVENTS_END) == "true":
                    self._replace(fresh, str(_metadata(obj, "resourceVersion")))
                    return
            elif kind == "DELETED":  # changes may come before the end
                fresh.pop(key_of(obj), None)
            else:
                fresh[key_of(obj)] = self._keep(obj)
        raise errors.UnreachableError(
            f"watch {self._resource.plural}: what there is was not told to its end; it is listed now"
        )

    def _list(self) -> None:
        fresh: dict[Key, JsonObject] = {}
        scan = self._client.scan(self._resource, self._selection, resource_version=self._list_from)
        for item in scan:
            fresh[key_of(item)] = self._keep(item)
            if self._task.stopping.is_set():
                return
        self._replace(fresh, scan.resource_version)

    def _replace(self, fresh: dict[Key, JsonObject], version: str) -> None:
        with self._lock:
            old, self._objects = self._objects, fresh
        # A resourceVersion given to a later list means "not older": the copy never goes back in time.
        self._version = self._list_from = version
        self._doubted = False
        for key, obj in old.items():
            if key not in fresh:
                self._tell("deleted", obj)
        for key, obj in fresh.items():
            self._tell_difference(old.get(key), obj)
        self._synced.set()

    def _take(self, kind: str, obj: JsonObject) -> None:
        version = (obj.get("metadata") or {}).get("resourceVersion")
        if kind in ("ADDED", "MODIFIED"):
            kept = self._keep(obj)
            with self._lock:
                old = self._objects.get(key_of(obj))
                self._objects[key_of(obj)] = kept
            self._tell_difference(old, kept)
        elif kind == "DELETED":
            with self._lock:
                self._objects.pop(key_of(obj), None)
            self._tell("deleted", self._keep(obj))
        if version:
            self._version = self._list_from = str(version)

    def _tell_difference(self, old: JsonObject | None, new: JsonObject) -> None:
        if old is None:
            self._tell("added", new)
        elif _metadata(old, "uid") != _metadata(new, "uid"):
            self._tell("deleted", old)
            self._tell("added", new)
        elif not _same(old, new):
            self._tell("modified", new)

    def _tell(self, kind: str, obj: JsonObject) -> None:
        if self._task.stopping.is_set():
            return
        try:
            self._on_change(kind, obj)
        except Exception:  # the copy must stay true whatever its listener does
            log.exception("a listener to %s failed on %s %s", self._resource.plural, kind, key_of(obj))
            note_defect()


def _same(old: JsonObject, new: JsonObject) -> bool:
    """Whether what is kept of two states is the same, their version apart."""
    version = _metadata(old, "resourceVersion")
    return version == _metadata(new, "resourceVersion") or old == {
        **new,
        "metadata": {**new["metadata"], "resourceVersion": version},
    }


def _metadata(obj: JsonObject, name: str) -> Any:
    return obj["metadata"].get(name)


def key_of(obj: JsonObject) -> Key:
    """Return the key of an object from the server; errors: UnreachableError when it has no name."""
    try:
        metadata = obj["metadata"]
        return metadata.get("namespace", ""), metadata["name"]
    except (KeyError, TypeError, AttributeError) as e:
        raise errors.UnreachableError("the API server sent an object without a name") from e
