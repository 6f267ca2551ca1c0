"""Rules of Nodes: status may be set on create, capacity holds quantities, allocatable follows capacity.

Source: API reference "Node v1 core", "Advertise Extended Resources for a Node", and the admission plugin
TaintNodesByCondition, which lets nothing run on a new node before it is ready.
"""

from simulator.kube import objects, quantities
from simulator.kube.kinds.strategy import Strategy, keep_status
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value

_LISTS = ("capacity", "allocatable")
_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)
_NOT_READY: Obj = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class NodeStrategy(Strategy):
    """Nodes (cluster scope)."""

    field_labels = frozenset({"metadata.name", "spec.unschedulable"})
    typed_members = {"status.capacity": "quantities", "status.allocatable": "quantities"}  # noqa: RUF012 - read only

    def unknown_field(self, label: str) -> str:
        """Nodes have a list of their own."""
        return f"field label not supported: {label}"

    def field(self, obj: Obj, label: str) -> str:
        """An unset unschedulable is false."""
        return super().field(obj, label) or ("false" if label == "spec.unschedulable" else "")

    def default(self, obj: Obj) -> None:
        """Quantities are canonical text; without an allocatable of its own a node offers its capacity."""
        obj.setdefault("spec", {})
        status = obj.setdefault("status", {})
        for member in _LISTS:
            if member in status:
                status[member] = {
                    name: str(quantities.parse(value)) for name, value in status[member].items()
                }
        if status.get("capacity") and "allocatable" not in status:
            status["allocatable"] = dict(status["capacity"])
        info = status.setdefault("nodeInfo", {})
        for member in _NODE_INFO:
            info.setdefault(member, "")
        status.setdefault("daemonEndpoints", {}).setdefault("kubeletEndpoint", {}).setdefault("Port", 0)
        objects.drop_empty(status, "conditions", "addresses", "images", *_LISTS)
        objects.drop_empty(obj["spec"], "taints", "podCIDRs")
        for condition in objects.conditions(obj):
            condition.setdefault("lastHeartbeatTime", None)
            condition.setdefault("lastTransitionTime", None)

    def prepare_create(self, obj: Obj) -> None:
        """A new node is not ready, whatever its status says."""
        taints = obj["spec"].setdefault("taints", [])
        if not any(taint.get("key") == _NOT_READY["key"] for taint in taints):
            taints.append(dict(_NOT_READY))

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Status is written by its subresource only."""
        keep_status(obj, old)

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write may touch the metadata, as kubelets do, but not the spec."""
        obj["spec"] = old["spec"]

    def validate(self, obj: Obj) -> list[FieldError]:
        """Quantities are not negative; those of extended resources are whole."""
        errors = []
        for member in _LISTS:
            for name, value in (objects.walk(obj, f"status.{member}") or {}).items():
                quantity = quantities.parse(value)
                field = f"status.{member}.{name}"
                if quantity.value < 0:
                    errors.append(invalid_value(field, value, "must be greater than or equal to 0"))
                elif _is_extended(name) and not quantity.whole:
                    errors.append(invalid_value(field, value, "must be an integer"))
        return errors


def _is_extended(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    return bool(slash) and not domain.endswith("kubernetes.io")
