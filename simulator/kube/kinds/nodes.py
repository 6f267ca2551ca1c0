"""Rules of Nodes: status may be set on create, capacity holds quantities, allocatable follows capacity."""

from simulator.kube import objects
from simulator.kube.kinds.strategy import Strategy, keep_status
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value


class NodeStrategy(Strategy):
    """Nodes (cluster scope)."""

    field_labels = frozenset({"metadata.name", "spec.unschedulable"})

    def unknown_field(self, label: str) -> str:
        """Nodes have a list of their own."""
        return f"field label not supported: {label}"

    def field(self, obj: Obj, label: str) -> str:
        """An unset unschedulable is false."""
        return super().field(obj, label) or ("false" if label == "spec.unschedulable" else "")

    def default(self, obj: Obj) -> None:
        """Quantities are text on the wire; without an allocatable of its own a node offers its capacity."""
        status = obj.setdefault("status", {})
        for member in ("capacity", "allocatable"):
            if member in status:
                status[member] = {name: str(value) for name, value in status[member].items()}
        if status.get("capacity") and "allocatable" not in status:
            status["allocatable"] = dict(status["capacity"])
        obj.setdefault("spec", {})

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Status is written by its subresource only."""
        keep_status(obj, old)

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write may touch the metadata, as kubelets do, but not the spec."""
        obj["spec"] = old["spec"]

    def validate(self, obj: Obj) -> list[FieldError]:
        """Extended resources are counted in whole numbers."""
        errors = []
        for member in ("capacity", "allocatable"):
            for name, value in (objects.walk(obj, f"status.{member}") or {}).items():
                if _is_extended(name) and not value.isdigit():
                    errors.append(invalid_value(f"status.{member}.{name}", value, "must be an integer"))
        return errors


def _is_extended(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    return bool(slash) and not domain.endswith("kubernetes.io")
