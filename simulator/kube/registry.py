"""The verbs on single objects: get, create, update, patch, and the writes of subresources.

Between HTTP and the store: it knows kinds and their rules, and raises ApiError. Every write is decided and
stored in one transaction of the store, so a patch never conflicts with anything but a resourceVersion that it
names. Thread-safe. The order of checks is that of the real server's handlers and generic registry.
"""

import time
from collections.abc import Callable
from typing import Any

from simulator.kube import decoding, metadata, names, objects, patches, status, strategic
from simulator.kube.deletion import Deletion, should_finish
from simulator.kube.kinds import pods
from simulator.kube.objects import Obj
from simulator.kube.resources import NAMESPACES, PODS, Resource, ResourceTable
from simulator.kube.storage import Key, Store

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_CREATE_ATTEMPTS = 8


class Registry:
    """Single-object verbs over a store."""

    def __init__(self, store: Store, table: ResourceTable, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives the wall time for timestamps."""
        self.store = store
        self.table = table
        self._clock = clock
        self.deletion = Deletion(store, clock=clock)

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """Return the stored object (not to be changed). Raises ApiError 404."""
        obj = self.store.get(key_of(resource, namespace, name))
        if obj is None:
            raise status.not_found(resource.group, resource.plural, name)
        return obj

    def create(self, resource: Resource, namespace: str, document: Any) -> Obj:
        """Store a new object. Raises ApiError 400, 403, 404 (namespace), 409, 422."""
        obj = decoding.as_created(resource, namespace, document)
        meta = obj["metadata"]
        version = meta.pop("resourceVersion", "0")
        with self.store.transaction():
            self._admit(resource, namespace, objects.name_of(obj))
            generate = not meta.get("name") and meta.get("generateName")
            for attempt in range(_CREATE_ATTEMPTS if generate else 1):
                if generate:
                    meta["name"] = names.generated(str(meta["generateName"]))
                key = key_of(resource, namespace, objects.name_of(obj))
                existing = self.store.get(key)
                if existing is None or attempt == _CREATE_ATTEMPTS - 1:
                    break
            self._initialise(resource, obj)
            if version != "0":
                message = "resourceVersion should not be set on objects to be created"
                raise status.ApiError(status.failure(500, "", message))
            if existing is not None:
                raise _exists(resource, existing)
            return self.store.put(key, obj)

    def update(
        self, resource: Resource, namespace: str, name: str, document: Any, *, subresource: str = ""
    ) -> tuple[Obj, bool]:
        """Replace an object or its status; returns it and whether it was created. Raises ApiError."""
        obj = decoding.as_created(resource, namespace, document)
        _check_name(obj, name)
        with self.store.transaction():
            old = self.store.get(key_of(resource, namespace, name))
            if old is None and (subresource or not resource.strategy.create_on_update):
                raise status.not_found(resource.group, resource.plural, name)
            uid, stored = objects.uid_of(obj), objects.uid_of(old or {})
            if uid and uid != stored:
                cause = _uid_cause(resource, obj, stored)
                raise status.conflict(resource.group, resource.plural, name, cause)
            if old is None:
                obj["metadata"].pop("resourceVersion", None)
                return self.create(resource, namespace, obj), True
            return self._replace(resource, old, obj, subresource), False

    def patch(
        self, resource: Resource, namespace: str, name: str, body: Any, *, content: str, subresource: str = ""
    ) -> Obj:
        """Change an object or its status by a patch of the given content type. Raises ApiError."""
        with self.store.transaction():
            old = self.get(resource, namespace, name)
            if content == JSON_PATCH:
                changed = patches.apply_operations(old, body)
            elif content == STRATEGIC_PATCH:
                changed = strategic.merge(old, body)
            else:
                changed = patches.merge(old, body)
            obj = decoding.as_patched(resource, namespace, changed)
            _check_name(obj, name)
            return self._replace(resource, old, obj, subresource)

    def bind(self, namespace: str, name: str, binding: Obj) -> None:
        """Schedule a Pod, as the scheduler does by the binding subresource. Raises ApiError 404, 409."""
        node = str(objects.walk(binding, "target.name") or "")
        with self.store.transaction():
            pod = self.get(PODS, namespace, name)
            uid = objects.uid_of(binding)
            if uid and uid != objects.uid_of(pod):
                wanted = {"metadata": {"namespace": namespace, "name": name, "uid": uid}}
                cause = _uid_cause(PODS, wanted, objects.uid_of(pod))
                raise status.conflict("", PODS.plural, name, cause)
            assigned = objects.walk(pod, "spec.nodeName")
            if objects.is_deleting(pod):
                cause = f"pod {name} is being deleted, cannot be assigned to a host"
                raise status.conflict("", "pods/binding", name, cause)
            if assigned:
                cause = f'pod {name} is already assigned to node "{assigned}"'
                raise status.conflict("", "pods/binding", name, cause)
            annotations = objects.metadata(binding).get("annotations") or {}
            self.store.put(key_of(PODS, namespace, name), pods.bind(pod, node, annotations, self._clock()))

    def _replace(self, resource: Resource, old: Obj, obj: Obj, subresource: str) -> Obj:
        """Turn a whole new object into what may be stored of it, and store it if it differs."""
        meta, before = obj["metadata"], objects.metadata(old)
        name = objects.name_of(old)
        _check_version(resource, meta, before)
        meta["resourceVersion"] = before["resourceVersion"]
        _keep(meta, before, "generation")
        strategy = resource.strategy
        if subresource == "status":
            strategy.prepare_status(obj, old)
        else:
            strategy.prepare_update(obj, old)
        meta = obj["metadata"]
        meta["uid"] = meta.get("uid") or before["uid"]
        _keep(meta, before, "creationTimestamp")
        if "deletionTimestamp" in before:
            meta["deletionTimestamp"] = before["deletionTimestamp"]
        if "deletionGracePeriodSeconds" in before:
            meta.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])
        objects.tidy_metadata(obj)
        # The real server checks the metadata in general and again for the kind: causes are repeated.
        errors = metadata.check_content(obj["metadata"]) + metadata.check_update(obj["metadata"], before) * 2
        errors += strategy.validate_update(obj, old)
        if strategy.typed:
            errors += metadata.check_finalizers(obj["metadata"])
        if errors:
            raise status.invalid(resource.group, resource.kind, name, errors)
        key = key_of(resource, objects.namespace_of(old), name)
        if should_finish(obj, old):
            self.store.remove(key)
            return obj
        return old if obj == old else self.store.put(key, obj)

    def _initialise(self, resource: Resource, obj: Obj) -> None:
        """Make what a client sent, with its name, a new object. Raises ApiError 422."""
        meta = obj["metadata"]
        for member in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            meta.pop(member, None)
        meta["uid"] = objects.new_uid()
        meta["creationTimestamp"] = objects.timestamp(self._clock())
        strategy = resource.strategy
        strategy.default(obj)  # once more: what a default is made of may be a name that was generated since
        strategy.prepare_create(obj)
        errors = metadata.check_create(meta, strategy.name_rule, namespaced=resource.namespaced)
        if strategy.typed:
            errors += metadata.check_finalizers(meta)
        errors += strategy.validate(obj)
        if errors:
            raise status.invalid(resource.group, resource.kind, objects.name_of(obj), errors)

    def _admit(self, resource: Resource, namespace: str, name: str) -> None:
        """Nothing is created in a namespace that is absent or going (admission plugin NamespaceLifecycle)."""
        if not resource.namespaced:
            return
        place = self.store.get(key_of(NAMESPACES, "", namespace))
        if place is None:
            raise status.not_found("", NAMESPACES.plural, namespace)
        if objects.is_deleting(place):
            cause = f"unable to create new content in namespace {namespace} because it is being terminated"
            details: list[Obj] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise status.forbidden(resource.group, resource.plural, name, cause, details)


def key_of(resource: Resource, namespace: str, name: str) -> Key:
    """Return where an object of the resource is stored."""
    return Key(resource.id, namespace if resource.namespaced else "", name)


def _check_name(obj: Obj, name: str) -> None:
    sent = objects.name_of(obj)
    if not sent:
        undetermined = f"the name of the object ({name} based on URL) was undeterminable"
        raise status.bad_request(f"{undetermined}: name must be provided")
    if sent != name:
        raise status.bad_request(
            f"the name of the object ({sent}) does not match the name on the URL ({name})"
        )


def _check_version(resource: Resource, meta: Obj, before: Obj) -> None:
    """Compare the version that an update is for with the stored one. Raises ApiError 409, 422, 500."""
    version = str(meta.get("resourceVersion") or "0")
    if not version.isdigit():
        raise status.ApiError(status.failure(500, "", status.unparsable(version)))
    if version == "0" and not resource.strategy.unconditional_update:
        error = status.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise status.invalid(resource.group, resource.plural, before["name"], [error])
    if version not in ("0", before["resourceVersion"]):
        raise status.conflict(resource.group, resource.plural, before["name"])


def _keep(meta: Obj, before: Obj, member: str) -> None:
    if member in before:
        meta[member] = before[member]
    else:
        meta.pop(member, None)


def _exists(resource: Resource, existing: Obj) -> status.ApiError:
    error = status.already_exists(resource.group, resource.plural, objects.name_of(existing))
    if objects.is_deleting(existing):
        error.status["message"] = "object is being deleted: " + error.status["message"]
    return error


def _uid_cause(resource: Resource, wanted: Obj, stored_uid: str) -> str:
    group = "" if resource.strategy.typed else resource.group
    parts = ("registry", group, resource.plural, objects.namespace_of(wanted), objects.name_of(wanted))
    key = "".join(f"/{part}" for part in parts if part)
    uids = f"UID in precondition: {objects.uid_of(wanted)}, UID in object meta: {stored_uid}"
    place = f"Key: {key}, ResourceVersion: 0"
    return f"StorageError: invalid object, Code: 4, {place}, AdditionalErrorMsg: Precondition failed: {uids}"
