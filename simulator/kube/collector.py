"""What kube-controller-manager does after a deletion: collect dependents, empty namespaces.

`Collector.collect` looks at the whole state once and acts through the same deletion as a client; `run` does
so in a thread whenever a write may have left something to do. Source: "Garbage Collection", "Owners and
Dependents" and "Use Cascading Deletion in a Cluster" in the Kubernetes documentation.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from simulator.kube import objects
from simulator.kube.deletion import DeleteOptions, Deletion, should_finish
from simulator.kube.objects import FOREGROUND, ORPHAN, Obj
from simulator.kube.resources import NAMESPACES, Resource, ResourceTable
from simulator.kube.status import ApiError
from simulator.kube.storage import Change, CompactedError, Entry, Key, Store

_IDLE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class _Item:
    resource: Resource
    key: Key
    obj: Obj


class _Owner(Enum):
    """What an owner reference is worth."""

    SOLID = "solid"
    ABSENT = "absent"
    WAITING = "waiting for its dependents"


class Collector:
    """Garbage collector and namespace controller over a store.

    Invariant: it deletes an object only by its UID, and only if no owner of it is left.
    """

    def __init__(self, store: Store, table: ResourceTable, deletion: Deletion) -> None:
        """Work on this store. Nothing runs until `start`."""
        self._store = store
        self._table = table
        self._deletion = deletion
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Collect in a thread from now on."""
        self._thread = threading.Thread(target=self._run, name="kube-collector", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._store.wake()
        if self._thread:
            self._thread.join()

    def collect(self) -> int:
        """Do what there is to do now; returns the number of actions. Call again until it is 0."""
        with self._store.transaction():
            items = list(self._items())
            dependents: dict[str, list[_Item]] = {}
            for item in items:
                for reference in objects.owners_of(item.obj):
                    dependents.setdefault(str(reference.get("uid")), []).append(item)
            actions = 0
            for item in items:
                if self._store.get(item.key) is item.obj:
                    actions += self._treat(item, dependents)
            return actions

    def _run(self) -> None:
        seen = 0
        while not self._stopping.is_set():
            tick, revision = self._store.tick, self._store.revision
            if self._something_to_do(seen):
                while self.collect() and not self._stopping.is_set():
                    pass
            seen = revision
            self._store.wait(tick, _IDLE_SECONDS)

    def _something_to_do(self, seen: int) -> bool:
        try:
            return any(_is_of_interest(entry) for entry in self._store.changes_after(seen))
        except CompactedError:
            return True

    def _items(self) -> Iterator[_Item]:
        for resource in self._table.all:
            for obj in self._store.snapshot(resource.id)[0]:
                place = objects.namespace_of(obj) if resource.namespaced else ""
                yield _Item(resource, Key(resource.id, place, objects.name_of(obj)), obj)

    def _treat(self, item: _Item, dependents: dict[str, list[_Item]]) -> int:
        mine = [found for found in dependents.get(objects.uid_of(item.obj), []) if self._store.get(found.key)]
        if objects.is_deleting(item.obj):
            finalizers = objects.finalizers_of(item.obj)
            if ORPHAN in finalizers:
                return self._orphan(item, mine)
            if FOREGROUND in finalizers:
                return self._foreground(item, mine)
            if item.resource is NAMESPACES:
                return self._empty(item)
            return 0
        if objects.owners_of(item.obj):
            return self._check_owners(item, has_dependents=bool(mine))
        return 0

    def _orphan(self, owner: _Item, dependents: list[_Item]) -> int:
        uid = objects.uid_of(owner.obj)
        for item in dependents:
            self._drop_references(item, lambda reference: reference.get("uid") == uid)
        self._drop_finalizer(owner, ORPHAN)
        return 1

    def _foreground(self, owner: _Item, dependents: list[_Item]) -> int:
        uid = objects.uid_of(owner.obj)
        blocking = [item for item in dependents if _blocks(item.obj, uid)]
        if not blocking:
            self._drop_finalizer(owner, FOREGROUND)
            return 1
        # The dependents themselves are deleted when it is their turn: their owner is waiting.
        return 0

    def _empty(self, namespace: _Item) -> int:
        content = [
            item
            for item in self._items()
            if item.resource.namespaced and item.key.namespace == namespace.key.name
        ]
        if not content:
            self._store.put(namespace.key, {**namespace.obj, "spec": {}})
            self._store.remove(namespace.key)
            return 1
        return sum(self._delete(item, "Background") for item in content if not objects.is_deleting(item.obj))

    def _check_owners(self, item: _Item, *, has_dependents: bool) -> int:
        found = {
            str(reference.get("uid")): self._owner(item, reference)
            for reference in objects.owners_of(item.obj)
        }
        if _Owner.SOLID in found.values():
            useless = {uid for uid, owner in found.items() if owner is not _Owner.SOLID}
            if useless:
                self._drop_references(item, lambda reference: reference.get("uid") in useless)
            return bool(useless)
        if _Owner.WAITING in found.values() and has_dependents:
            return self._delete(item, "Foreground")
        finalizers = objects.finalizers_of(item.obj)
        policy = (
            "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background"
        )
        return self._delete(item, policy)

    def _owner(self, item: _Item, reference: Obj) -> _Owner:
        resource = self._table.of_kind(str(reference.get("apiVersion")), str(reference.get("kind")))
        if resource is None or (resource.namespaced and not item.resource.namespaced):
            return _Owner.SOLID  # nothing is deleted on the strength of an owner that cannot be looked up
        place = item.key.namespace if resource.namespaced else ""
        owner = self._store.get(Key(resource.id, place, str(reference.get("name"))))
        if owner is None or objects.uid_of(owner) != reference.get("uid"):
            return _Owner.ABSENT
        if objects.is_deleting(owner) and FOREGROUND in objects.finalizers_of(owner):
            return _Owner.WAITING
        return _Owner.SOLID

    def _delete(self, item: _Item, policy: str) -> int:
        options = DeleteOptions(uid=objects.uid_of(item.obj), propagation=policy)
        try:
            self._deletion.delete(item.resource, item.key, options)
        except ApiError:
            return 0  # gone or another object by now: nothing is left to do here
        return 1

    def _drop_references(self, item: _Item, unwanted: Callable[[Obj], bool]) -> None:
        stored = self._store.get(item.key)
        if stored is None:
            return
        kept = [reference for reference in objects.owners_of(stored) if not unwanted(reference)]
        changed = {**stored, "metadata": {**objects.metadata(stored), "ownerReferences": kept}}
        objects.tidy_metadata(changed)
        self._store.put(item.key, changed)

    def _drop_finalizer(self, item: _Item, finalizer: str) -> None:
        kept = [name for name in objects.finalizers_of(item.obj) if name != finalizer]
        changed = {**item.obj, "metadata": {**objects.metadata(item.obj), "finalizers": kept}}
        objects.tidy_metadata(changed)
        if should_finish(changed, item.obj):
            self._store.remove(item.key)
        else:
            self._store.put(item.key, changed)


def _is_of_interest(entry: Entry) -> bool:
    owned = bool(objects.owners_of(entry.obj))
    return owned or entry.change is Change.DELETED or objects.is_deleting(entry.obj)


def _blocks(obj: Obj, uid: str) -> bool:
    return any(
        reference.get("uid") == uid and reference.get("blockOwnerDeletion")
        for reference in objects.owners_of(obj)
    )
