"""Deletion: preconditions, graceful deletion, finalizers, propagation.

Thread-safe by the store's transaction. What a deletion leaves to be done (dependents, the content of a
namespace) is the collector's work. Follows the real server's generic registry (`BeforeDelete`, `Delete`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.kube import objects, status
from simulator.kube.kinds.namespaces import IMMORTAL
from simulator.kube.objects import FOREGROUND, ORPHAN, Obj
from simulator.kube.resources import NAMESPACES, Resource
from simulator.kube.storage import Key, Store

_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """What a client says about a deletion."""

    grace_seconds: int | None = None
    uid: str = ""
    resource_version: str = ""
    propagation: str = ""
    orphan_dependents: bool | None = None
    """The old way to say Orphan (true) or Background (false)."""
    dry_run: bool = field(default=False)


@dataclass(frozen=True, slots=True)
class Deleted:
    """How a deletion ended: the object (its last state, or as it waits), and whether it is gone."""

    obj: Obj
    gone: bool


def read_options(body: Obj, query: dict[str, str]) -> DeleteOptions:
    """Read DeleteOptions from a body, or from the query if there is no body. Raises ApiError 400, 422."""
    source: Obj = body or dict(query)
    if body and body.get("kind") not in (None, "DeleteOptions"):
        raise status.bad_request(
            f'no kind "{body.get("kind")}" is registered for version "{body.get("apiVersion")}"'
        )
    preconditions = source.get("preconditions") or {}
    propagation = str(source.get("propagationPolicy") or "")
    orphan = source.get("orphanDependents")
    if isinstance(orphan, str):
        orphan = orphan.lower() in ("true", "1")
    errors = []
    if propagation and propagation not in _POLICIES:
        detail = ("Foreground", "Background", "Orphan", "nil")
        errors.append(status.unsupported("propagationPolicy", propagation, detail))
    if propagation and orphan is not None:
        detail_text = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(status.invalid_value("propagationPolicy", propagation, detail_text))
    if errors:
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", errors)
    grace = source.get("gracePeriodSeconds")
    try:
        grace = None if grace is None or grace == "" else int(grace)
    except ValueError as error:
        raise status.bad_request(f'strconv.ParseInt: parsing "{grace}": invalid syntax') from error
    return DeleteOptions(
        grace_seconds=grace,
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        propagation=propagation,
        orphan_dependents=orphan,
        dry_run="All" in (source.get("dryRun") or []),
    )


def should_finish(obj: Obj, old: Obj) -> bool:
    """Say whether an update removes the last thing that a deletion waited for."""
    before = objects.metadata(old)
    waiting = objects.is_deleting(old) and not before.get("deletionGracePeriodSeconds")
    in_namespace_phase = obj.get("kind") == NAMESPACES.kind and objects.walk(obj, "spec.finalizers")
    return waiting and not objects.finalizers_of(obj) and not in_namespace_phase


class Deletion:
    """The delete verb over a store."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        """`clock` gives the wall time for deletionTimestamp."""
        self._store = store
        self._clock = clock

    def delete(self, resource: Resource, key: Key, options: DeleteOptions) -> Deleted:
        """Delete an object, or mark it and leave it to those who must act first. Raises ApiError."""
        with self._store.transaction():
            old = self._store.get(key)
            if resource is NAMESPACES and key.name in IMMORTAL:
                raise status.forbidden("", resource.plural, key.name, "this namespace may not be deleted")
            if old is None:
                raise status.not_found(resource.group, resource.plural, key.name)
            _check_preconditions(resource, old, options)
            obj: Obj = {**old, "metadata": dict(objects.metadata(old))}
            graceful, pending = self._begin(resource, obj, options)
            if pending:
                return Deleted(old, gone=False)
            _set_finalizers(resource, obj, options)
            held = bool(objects.finalizers_of(obj)) or self._holds_content(resource, obj)
            if held and not graceful:
                self._mark(obj, 0)
            if obj != old and (held or graceful):
                obj = self._store.put(key, obj)
            if held or objects.metadata(obj).get("deletionGracePeriodSeconds"):
                return Deleted(obj, gone=False)
            return Deleted(self._store.remove(key), gone=True)

    def _begin(self, resource: Resource, obj: Obj, options: DeleteOptions) -> tuple[bool, bool]:
        """Start or shorten a graceful deletion, in `obj`; returns (graceful, nothing more to do now)."""
        period = resource.strategy.grace_seconds(obj, options.grace_seconds)
        if period is None:
            return False, False
        meta = obj["metadata"]
        if not objects.is_deleting(obj):
            self._mark(obj, period)
            return True, False
        current = int(meta.get("deletionGracePeriodSeconds") or 0)
        if current == 0:
            return False, False
        if options.grace_seconds is None or options.grace_seconds >= current:
            return False, True
        shortened = 1 if options.grace_seconds < 0 else options.grace_seconds
        started = objects.seconds(meta["deletionTimestamp"]) - current
        meta["deletionTimestamp"] = objects.timestamp(started + shortened)
        meta["deletionGracePeriodSeconds"] = shortened
        return True, False

    def _mark(self, obj: Obj, period: int) -> None:
        meta = obj["metadata"]
        if not meta.get("deletionTimestamp"):
            meta["deletionTimestamp"] = objects.timestamp(self._clock() + period)
            if meta.get("generation"):
                meta["generation"] += 1
        meta["deletionGracePeriodSeconds"] = period

    def _holds_content(self, resource: Resource, obj: Obj) -> bool:
        """A namespace goes only when its spec finalizers are gone; until then it is Terminating."""
        if resource is not NAMESPACES or not objects.walk(obj, "spec.finalizers"):
            return False
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return True


def _check_preconditions(resource: Resource, obj: Obj, options: DeleteOptions) -> None:
    name, uid = objects.name_of(obj), objects.uid_of(obj)
    version = objects.metadata(obj)["resourceVersion"]
    if options.uid and options.uid != uid:
        cause = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated"
        )
        raise status.conflict(resource.group, resource.kind, name, cause)
    if options.resource_version and options.resource_version != version:
        cause = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({version}). The object might have been modified"
        )
        raise status.conflict(resource.group, resource.kind, name, cause)


def _set_finalizers(resource: Resource, obj: Obj, options: DeleteOptions) -> None:
    """Write into the finalizers what the garbage collector has to do first."""
    current = objects.finalizers_of(obj)
    orphan = FOREGROUND not in current and (ORPHAN in current or resource.strategy.orphans_by_default)
    foreground = FOREGROUND in current
    if options.propagation:
        orphan, foreground = options.propagation == "Orphan", options.propagation == "Foreground"
    if options.orphan_dependents is not None:
        orphan, foreground = options.orphan_dependents, False
    kept = [item for item in current if item not in (ORPHAN, FOREGROUND)]
    wanted = kept + [ORPHAN] * orphan + [FOREGROUND] * foreground
    if set(wanted) != set(current):
        obj["metadata"]["finalizers"] = wanted
        objects.tidy_metadata(obj)
