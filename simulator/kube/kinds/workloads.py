"""Rules of the owners of Pods: Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs.

No controller runs here: they exist to own, to be counted and to be deleted.
"""

from simulator.kube import objects
from simulator.kube.kinds.strategy import StatusStrategy, keep_all_but_status
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value, required


class WorkloadStrategy(StatusStrategy):
    """Kinds of the apps group: a selector that matches the template, one replica by default."""

    def __init__(self, *, replicas: bool, status: Obj | None = None) -> None:
        """`replicas`: whether the kind counts them (DaemonSets do not); `status`: the first one."""
        self._replicas = replicas
        self.initial_status = status or {}

    def default(self, obj: Obj) -> None:
        """Set the replica count."""
        if self._replicas:
            obj.setdefault("spec", {}).setdefault("replicas", 1)

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write leaves spec, labels and owners."""
        keep_all_but_status(obj, old)

    def validate(self, obj: Obj) -> list[FieldError]:
        """The selector must select what the template makes."""
        selector = objects.walk(obj, "spec.selector")
        if not selector:
            return [required("spec.selector")]
        labels = objects.walk(obj, "spec.template.metadata.labels") or {}
        wanted = selector.get("matchLabels") or {}
        if any(labels.get(key) != value for key, value in wanted.items()):
            detail = "`selector` does not match template `labels`"
            return [invalid_value("spec.template.metadata.labels", labels, detail)]
        return []


class JobStrategy(StatusStrategy):
    """Jobs; their dependents stay when somebody deletes them without saying otherwise."""

    orphans_by_default = True
