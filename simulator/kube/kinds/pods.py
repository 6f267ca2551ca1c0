"""Rules of Pods: defaults, immutable spec, graceful deletion, binding to a node.

Covers the fields that a CNI, its controller, a scheduler and a kubelet look at; of the rest of the Pod
specification the commonest defaults are set and nothing is checked. Source: API reference "Pod v1 core".
"""

from collections.abc import Iterator

from simulator.kube import names, objects
from simulator.kube.kinds.strategy import Strategy, keep_status
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, forbidden_field, invalid_value, required, unsupported

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_MUTABLE = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"}
_IMMUTABLE_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_SPEC_DEFAULTS: Obj = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
}
_CONTAINER_DEFAULTS: Obj = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


class PodStrategy(Strategy):
    """Pods."""

    returns_deleted = True
    generation = True
    field_labels = frozenset(
        {
            "metadata.name",
            "metadata.namespace",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    )

    def unknown_field(self, label: str) -> str:
        """Pods have a list of their own."""
        return f"field label not supported: {label}"

    def field(self, obj: Obj, label: str) -> str:
        """An unset hostNetwork is false."""
        return super().field(obj, label) or ("false" if label == "spec.hostNetwork" else "")

    def default(self, obj: Obj) -> None:
        """Fill in what kubelet and runtime rely on."""
        spec = obj.setdefault("spec", {})
        for member, value in _SPEC_DEFAULTS.items():
            spec.setdefault(member, objects.clone(value))
        if spec.get("hostNetwork") is False:
            del spec["hostNetwork"]
        if spec.get("serviceAccountName"):
            spec.setdefault("serviceAccount", spec["serviceAccountName"])
        for container in _containers(spec):
            for member, value in _CONTAINER_DEFAULTS.items():
                container.setdefault(member, objects.clone(value))
            image = str(container.get("image") or "")
            latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
            container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
            for port in container.get("ports") or []:
                port.setdefault("protocol", "TCP")

    def prepare_create(self, obj: Obj) -> None:
        """A new Pod is pending."""
        super().prepare_create(obj)
        obj["status"] = {"phase": "Pending", "qosClass": _qos_class(obj["spec"])}

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Status is written by its subresource only."""
        keep_status(obj, old)
        super().prepare_update(obj, old)

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write may touch labels, annotations and finalizers, but not the spec or the owners."""
        obj["spec"] = old["spec"]
        meta, before = obj["metadata"], objects.metadata(old)
        meta.pop("ownerReferences", None)
        if "ownerReferences" in before:
            meta["ownerReferences"] = before["ownerReferences"]
        obj.setdefault("status", {}).setdefault("qosClass", objects.walk(old, "status.qosClass"))

    def validate(self, obj: Obj) -> list[FieldError]:
        """Check names, images and policies."""
        spec = obj["spec"]
        errors = []
        if not spec.get("containers"):
            errors.append(required("spec.containers"))
        for member in ("initContainers", "containers"):
            for index, container in enumerate(spec.get(member) or []):
                errors += _check_container(container, f"spec.{member}[{index}]")
        if spec["restartPolicy"] not in _RESTART_POLICIES:
            errors.append(unsupported("spec.restartPolicy", spec["restartPolicy"], _RESTART_POLICIES))
        return errors

    def validate_update(self, obj: Obj, old: Obj) -> list[FieldError]:
        """Hardly anything in the spec of a Pod can change."""
        if _fixed_part(obj["spec"]) != _fixed_part(old["spec"]):
            return [forbidden_field("spec", _IMMUTABLE_SPEC)]
        return self.validate(obj)

    def grace_seconds(self, obj: Obj, requested: int | None) -> int | None:
        """A Pod on a node stays until the kubelet has stopped it; any other goes at once."""
        spec = obj["spec"]
        period = int(spec.get("terminationGracePeriodSeconds") or 0) if requested is None else requested
        finished = objects.walk(obj, "status.phase") in ("Failed", "Succeeded")
        if not spec.get("nodeName") or finished:
            return 0
        return 1 if period < 0 else period


def bind(pod: Obj, node: str, annotations: Obj, now: float) -> Obj:
    """Return the Pod as scheduled to a node. The caller has checked that it may be."""
    bound: Obj = objects.clone(pod)
    bound["spec"]["nodeName"] = node
    if annotations:
        bound["metadata"].setdefault("annotations", {}).update(annotations)
    others = [item for item in objects.conditions(pod) if item.get("type") != "PodScheduled"]
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": objects.timestamp(now),
    }
    bound["status"]["conditions"] = [*others, scheduled]
    return bound


def _containers(spec: Obj) -> Iterator[Obj]:
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def _check_container(container: Obj, path: str) -> list[FieldError]:
    errors = []
    name = container.get("name")
    if name:
        errors += [invalid_value(f"{path}.name", name, text) for text in names.dns_label(name)]
    else:
        errors.append(required(f"{path}.name"))
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    return errors


def _fixed_part(spec: Obj) -> Obj:
    fixed = {member: value for member, value in spec.items() if member not in _MUTABLE}
    for member in ("containers", "initContainers"):
        if member in fixed:
            fixed[member] = [
                {key: value for key, value in container.items() if key not in ("image", "imagePullPolicy")}
                for container in fixed[member]
            ]
    return fixed


def _qos_class(spec: Obj) -> str:
    listed = [container.get("resources") or {} for container in _containers(spec)]
    if not any(resources.get("requests") or resources.get("limits") for resources in listed):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(resources.get("limits") or {})
        and resources.get("requests", resources.get("limits")) == resources.get("limits")
        for resources in listed
    )
    return "Guaranteed" if guaranteed else "Burstable"
