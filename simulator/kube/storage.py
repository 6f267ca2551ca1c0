"""Where the objects are: a revisioned store with a bounded history, as etcd is for the real API server.

One counter gives every write its revision, which is the object's `resourceVersion`; so the writes of all
resources form one linear history. The last changes are kept: watches are read from them, and a paged list
sees the state of its first page by undoing them. `compact` forgets changes; who asks for older ones gets
CompactedError.

It knows nothing of kinds, selectors or HTTP. Thread-safe: one lock, which `transaction` lends to a caller
that must read, decide and write without another writer in between. Stored objects are never changed in place.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from simulator.kube import objects
from simulator.kube.objects import Obj

HISTORY = 20_000
"""Changes that are remembered unless told otherwise (a real etcd is compacted every 5 minutes)."""


class Change(Enum):
    """What a write did to the key."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Where an object is. The order is that of a list: namespace, then name."""

    resource: str
    """Plural and group, for example `deployments.apps`."""
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One write in the history; `previous` is None on a create."""

    revision: int
    change: Change
    key: Key
    obj: Obj
    """The object with the revision of this write, also of a delete."""
    previous: Obj | None


class CompactedError(Exception):
    """The history does not reach back to the revision that was asked for."""

    def __init__(self, wanted: int, oldest: int) -> None:
        """Take the revision asked for and the oldest that can be read."""
        super().__init__(f"revision {wanted} is compacted; the oldest is {oldest}")
        self.wanted = wanted
        self.oldest = oldest


class Store:
    """Objects by key, and how they came to be.

    Invariant: undoing all of the history gives the state at revision `oldest`; the history's revisions are
    the consecutive numbers `oldest + 1 .. revision`.
    """

    def __init__(self, *, history: int = HISTORY) -> None:
        """Keep at most `history` changes."""
        self._changed = threading.Condition(threading.RLock())
        self._objects: dict[str, dict[Key, Obj]] = {}
        self._history: deque[Entry] = deque()
        self._limit = history
        # A real server has written a good deal by itself before the first client comes.
        self._revision = 1
        self._oldest = 1
        self._ticks = 0

    @property
    def revision(self) -> int:
        """Revision of the latest write."""
        with self._changed:
            return self._revision

    @property
    def oldest(self) -> int:
        """Oldest revision whose state and following changes can still be read."""
        with self._changed:
            return self._oldest

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep other threads from writing (and reading) while the block runs. Re-entrant."""
        with self._changed:
            yield

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """A transaction whose writes are taken back at the end (`dryRun=All`)."""
        with self._changed:
            kept = {resource: dict(found) for resource, found in self._objects.items()}
            history, revision, oldest = self._history.copy(), self._revision, self._oldest
            try:
                yield
            finally:
                self._objects, self._history = kept, history
                self._revision, self._oldest = revision, oldest

    def get(self, key: Key) -> Obj | None:
        """Return the object as it is now."""
        with self._changed:
            return self._objects.get(key.resource, {}).get(key)

    def snapshot(self, resource: str, namespace: str = "", *, at: int | None = None) -> tuple[list[Obj], int]:
        """Return the objects of a resource in the order of their keys, and the revision of that state.

        `at` asks for an older state. Raises CompactedError if it cannot be had any more.
        """
        with self._changed:
            state = self._objects.get(resource, {})
            revision = self._revision
            if at is not None and at < revision:
                state = dict(state)
                revision = at
                for entry in self._entries_after(at, backwards=True):
                    if entry.key.resource != resource:
                        continue
                    if entry.previous is None:
                        del state[entry.key]
                    else:
                        state[entry.key] = entry.previous
            keys = sorted(key for key in state if not namespace or key.namespace == namespace)
            return [state[key] for key in keys], revision

    def put(self, key: Key, obj: Obj) -> Obj:
        """Create or replace; returns the object as stored, with its new resourceVersion.

        The caller hands the object over: it must not change it afterwards.
        """
        with self._changed:
            previous = self._objects.setdefault(key.resource, {}).get(key)
            change = Change.ADDED if previous is None else Change.MODIFIED
            stored = self._stamped(obj)
            self._objects[key.resource][key] = stored
            self._remember(change, key, stored, previous)
            return stored

    def remove(self, key: Key) -> Obj:
        """Delete; returns the last state, with the deletion's resourceVersion. Raises KeyError if absent."""
        with self._changed:
            previous = self._objects.get(key.resource, {}).pop(key)
            stored = self._stamped(previous)
            self._remember(Change.DELETED, key, stored, previous)
            return stored

    def changes_after(self, revision: int) -> list[Entry]:
        """Return all changes that came after a revision. Raises CompactedError if some are forgotten."""
        with self._changed:
            return list(self._entries_after(revision))

    @property
    def tick(self) -> int:
        """Number of writes and wake-ups so far; taken before a look at the state, `wait` misses nothing."""
        with self._changed:
            return self._ticks

    def wait(self, tick: int, timeout: float) -> bool:
        """Wait for a write or a `wake` after `tick`; False if the seconds are over before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ticks != tick, timeout=max(0.0, timeout))

    def wake(self) -> None:
        """Let everybody who waits look again (a fault was set, the server stops)."""
        with self._changed:
            self._ticks += 1
            self._changed.notify_all()

    def compact(self, revision: int | None = None) -> int:
        """Forget the changes up to a revision (default: all). Returns the oldest revision that is left."""
        with self._changed:
            target = self._revision if revision is None else min(revision, self._revision)
            while self._history and self._history[0].revision <= target:
                self._history.popleft()
            self._oldest = max(self._oldest, target)
            return self._oldest

    def skip(self, count: int) -> None:
        """Let revisions pass without a write that a client could see, as other resources' writes do."""
        with self._changed:
            self._revision += count
            self._history.clear()
            self._oldest = self._revision

    def _entries_after(self, revision: int, *, backwards: bool = False) -> Iterator[Entry]:
        if revision < self._oldest:
            raise CompactedError(revision, self._oldest)
        wanted = self._revision - max(revision, self._oldest)
        newest_first = (self._history[-1 - index] for index in range(max(0, wanted)))
        if backwards:
            yield from newest_first
        else:
            yield from reversed(list(newest_first))

    def _stamped(self, obj: Obj) -> Obj:
        self._revision += 1
        return {**obj, "metadata": {**objects.metadata(obj), "resourceVersion": str(self._revision)}}

    def _remember(self, change: Change, key: Key, obj: Obj, previous: Obj | None) -> None:
        self._history.append(Entry(self._revision, change, key, obj, previous))
        if len(self._history) > self._limit:
            self._oldest = self._history.popleft().revision
        self.wake()
