"""Rules of the owners of Pods: Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs.

No controller runs here: they exist to own, to be counted and to be deleted. Source: API reference, group
apps.
"""

from simulator.kube import objects
from simulator.kube.kinds import podspec
from simulator.kube.kinds.strategy import StatusStrategy
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value, required

DEPLOYMENT: Obj = {
    "replicas": 1,
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
}
REPLICA_SET: Obj = {"replicas": 1}
STATEFUL_SET: Obj = {
    "replicas": 1,
    "revisionHistoryLimit": 10,
    "podManagementPolicy": "OrderedReady",
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
}
DAEMON_SET: Obj = {
    "revisionHistoryLimit": 10,
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
}
JOB: Obj = {
    "backoffLimit": 6,
    "completionMode": "NonIndexed",
    "completions": 1,
    "manualSelector": False,
    "parallelism": 1,
    "podReplacementPolicy": "TerminatingOrFailed",
    "suspend": False,
}


class WorkloadStrategy(StatusStrategy):
    """Kinds of the apps group: a selector that matches the template."""

    def __init__(self, spec: Obj, status: Obj) -> None:
        """Take the defaults of the spec and the first status."""
        self._spec = spec
        self.initial_status = status

    def default(self, obj: Obj) -> None:
        """Fill in the spec, its template, and the counts of the status."""
        spec = obj.setdefault("spec", {})
        for member, value in self._spec.items():
            spec.setdefault(member, objects.clone(value))
        template = spec.setdefault("template", {})
        podspec.set_defaults(template.setdefault("spec", {}))
        obj["status"] = {**self.initial_status, **(obj.get("status") or {})}

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write may touch the metadata, but not the spec."""
        obj["spec"] = old["spec"]

    def validate(self, obj: Obj) -> list[FieldError]:
        """The selector must select what the template makes."""
        spec = obj["spec"]
        labels = objects.walk(obj, "spec.template.metadata.labels")
        wanted = objects.walk(obj, "spec.selector.matchLabels") or {}
        errors = [] if spec.get("selector") else [required("spec.selector")]
        if errors or any((labels or {}).get(key) != value for key, value in wanted.items()):
            detail = "`selector` does not match template `labels`"
            errors.append(invalid_value("spec.template.metadata.labels", labels, detail))
        return errors + podspec.check(spec["template"]["spec"], "spec.template.spec")


class DeploymentStrategy(WorkloadStrategy):
    """Deployments, whose labels are not written with the status."""

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """Keep the labels too."""
        super().prepare_status(obj, old)
        obj["metadata"]["labels"] = objects.metadata(old).get("labels")


class JobStrategy(WorkloadStrategy):
    """Jobs. Their dependents stay when somebody deletes them without saying otherwise."""

    orphans_by_default = True

    def validate(self, obj: Obj) -> list[FieldError]:
        """Jobs select by their own UID."""
        return podspec.check(obj["spec"]["template"]["spec"], "spec.template.spec")
