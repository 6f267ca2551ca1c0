"""Rules of Namespaces: two-step deletion by phase Terminating, and the three that cannot be deleted."""

from simulator.kube import names, objects
from simulator.kube.kinds.strategy import Strategy, keep_status
from simulator.kube.objects import Obj

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
INITIAL = ("default", "kube-node-lease", "kube-public", "kube-system")
"""What every cluster has from its first second."""
NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(Strategy):
    """Namespaces (cluster scope)."""

    name_rule = staticmethod(names.dns_label)
    returns_deleted = True
    field_labels = frozenset({"metadata.name", "name", "status.phase"})

    def unknown_field(self, label: str) -> str:
        """Namespaces have a list of their own."""
        return f"field label not supported: {label}"

    def field(self, obj: Obj, label: str) -> str:
        """`name` is an old spelling."""
        return super().field(obj, "metadata.name" if label == "name" else label)

    def default(self, obj: Obj) -> None:
        """Every namespace can be selected by its name."""
        name = objects.name_of(obj)
        if name:
            obj["metadata"].setdefault("labels", {})[NAME_LABEL] = name

    def prepare_create(self, obj: Obj) -> None:
        """A namespace starts active and goes only when the namespace controller has emptied it."""
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Spec finalizers and status have subresources of their own."""
        obj["spec"] = old["spec"]
        keep_status(obj, old)

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write leaves the spec."""
        obj["spec"] = old["spec"]
