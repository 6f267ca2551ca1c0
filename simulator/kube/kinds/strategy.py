"""What differs between kinds: defaults, what a write may touch, validation, fields to select by.

A Strategy has no state and does no I/O; its methods change the object that they are given (which is never a
stored one). The base class is a kind without surprises (ConfigMap); subclasses override what is their own.
The names follow the real server's create, update and delete strategies.
"""

from collections.abc import Mapping

from simulator.kube import names, objects
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError

RESERVED_MEMBERS = {"metadata", "status", "apiVersion", "kind"}


class Strategy:
    """Rules of one kind."""

    name_rule: names.NameRule = staticmethod(names.dns_subdomain)
    unconditional_update = True
    """Whether a PUT without resourceVersion overwrites what is there."""
    create_on_update = False
    """Whether a PUT of an absent object creates it."""
    returns_deleted = False
    """Whether DELETE answers with the object (else with a Status)."""
    generation = False
    """Whether metadata.generation counts the changes of the spec."""
    typed = True
    """Whether the server decodes the object into a type (a custom resource stays as it is)."""
    typed_members: Mapping[str, str] = {}
    """Members whose JSON type is checked: dotted path -> form (see `json_forms`)."""
    orphans_by_default = False
    """Whether a deletion that says nothing about dependents leaves them."""
    field_labels: frozenset[str] = frozenset({"metadata.name", "metadata.namespace"})

    def unknown_field(self, label: str) -> str:
        """Write the message for a field selector on a field that the kind does not have."""
        return f'"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"'

    def field(self, obj: Obj, label: str) -> str:
        """Return a selectable field as text, "" if it is not set."""
        value = objects.walk(obj, label)
        if isinstance(value, bool):
            return str(value).lower()
        return "" if value is None else str(value)

    def default(self, obj: Obj) -> None:
        """Fill in what the kind defaults on every write."""

    def prepare_create(self, obj: Obj) -> None:
        """Drop or set what a client does not decide on a create."""
        if self.generation:
            obj["metadata"]["generation"] = 1

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Take back what a write of the main resource must not touch, and count the generation."""
        if self.generation and self._spec_changed(obj, old):
            obj["metadata"]["generation"] = int(objects.metadata(old).get("generation") or 0) + 1

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """Take back what a write of the status subresource must not touch."""
        keep_all_but_status(obj, old)

    def validate(self, obj: Obj) -> list[FieldError]:
        """List what is wrong with the object, besides its metadata."""
        del obj
        return []

    def validate_update(self, obj: Obj, old: Obj) -> list[FieldError]:
        """List what this update may not change."""
        del old
        return self.validate(obj)

    def grace_seconds(self, obj: Obj, requested: int | None) -> int | None:
        """Return how long a deletion waits for somebody to finish it; None if the kind knows no grace."""
        del obj, requested
        return None

    def _spec_changed(self, obj: Obj, old: Obj) -> bool:
        return bool(obj.get("spec") != old.get("spec"))


class StatusStrategy(Strategy):
    """A kind with a status subresource, whose status no create and no update of the main resource sets."""

    generation = True
    initial_status: Obj = {}  # noqa: RUF012 - read only; copied where it is used

    def prepare_create(self, obj: Obj) -> None:
        """Start with the initial status whatever the client sent."""
        super().prepare_create(obj)
        obj["status"] = objects.clone(self.initial_status)

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Keep the status."""
        keep_status(obj, old)
        super().prepare_update(obj, old)


def keep_status(obj: Obj, old: Obj) -> None:
    """Put the old status into the new object."""
    if "status" in old:
        obj["status"] = old["status"]
    else:
        obj.pop("status", None)


def keep_all_but_status(obj: Obj, old: Obj) -> None:
    """Reduce an update to its status. The resourceVersion was compared before."""
    new_status = obj.get("status")
    obj.clear()
    obj.update(objects.clone(old))
    if new_status is None:
        obj.pop("status", None)
    else:
        obj["status"] = new_status
