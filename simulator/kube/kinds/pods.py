"""Rules of Pods: defaults, immutable spec, status, graceful deletion, binding to a node.

Source: API reference "Pod v1 core" and the admission plugins that every cluster runs
(DefaultTolerationSeconds, Priority).
"""

from simulator.kube import names, objects
from simulator.kube.kinds import podspec
from simulator.kube.kinds.strategy import Strategy, keep_status
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, forbidden_field, invalid_value

_MUTABLE = {"activeDeadlineSeconds", "tolerations", "schedulingGates"}
_IMMUTABLE_SPEC = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_DEFAULTS: Obj = {"enableServiceLinks": True, "preemptionPolicy": "PreemptLowerPriority", "priority": 0}
_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class PodStrategy(Strategy):
    """Pods."""

    returns_deleted = True
    generation = True
    typed_members = dict.fromkeys(("spec.nodeName", "status.phase", "status.podIP"), "text")
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
        podspec.set_defaults(spec)
        for member, value in _DEFAULTS.items():
            spec.setdefault(member, value)
        _tolerate_short_absence(spec)
        status = obj.setdefault("status", {})
        _pair_addresses(status)
        objects.drop_empty(status, "conditions", "podIPs", "hostIPs")
        for condition in objects.conditions(obj):
            condition.setdefault("lastProbeTime", None)
            condition.setdefault("lastTransitionTime", None)

    def prepare_create(self, obj: Obj) -> None:
        """A new Pod is pending."""
        super().prepare_create(obj)
        obj["status"] = {"phase": "Pending", "qosClass": podspec.qos_class(obj["spec"])}

    def prepare_update(self, obj: Obj, old: Obj) -> None:
        """Status is written by its subresource only."""
        keep_status(obj, old)
        super().prepare_update(obj, old)

    def prepare_status(self, obj: Obj, old: Obj) -> None:
        """A status write may touch labels, annotations and finalizers, but not the spec or the owners."""
        obj["spec"] = old["spec"]
        meta, before = obj["metadata"], objects.metadata(old)
        meta.pop("deletionTimestamp", None)
        meta.pop("ownerReferences", None)
        if "ownerReferences" in before:
            meta["ownerReferences"] = before["ownerReferences"]
        obj.setdefault("status", {}).setdefault("qosClass", objects.walk(old, "status.qosClass"))

    def validate(self, obj: Obj) -> list[FieldError]:
        """Check the specification and the types of conditions."""
        errors = podspec.check(obj["spec"], "spec")
        for index, condition in enumerate(objects.conditions(obj)):
            kind = str(condition.get("type") or "")
            field = f"status.conditions[{index}].Type"
            errors += [invalid_value(field, kind, text) for text in names.qualified_name(kind)]
        return errors

    def validate_update(self, obj: Obj, old: Obj) -> list[FieldError]:
        """Hardly anything in the spec of a Pod can change."""
        errors = _check_deadline(obj["spec"], old["spec"]) + _check_tolerations(obj["spec"], old["spec"])
        if _fixed_part(obj["spec"]) != _fixed_part(old["spec"]):
            errors.append(forbidden_field("spec", _IMMUTABLE_SPEC))
        return errors + self.validate(obj)

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


def _tolerate_short_absence(spec: Obj) -> None:
    """Let the Pod outlive a short absence of its node, unless it says something else about it."""
    tolerations = spec.get("tolerations") or []
    known = {item.get("key") for item in tolerations if item.get("effect") in (None, "NoExecute")}
    spec["tolerations"] = tolerations + [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in _TOLERATED
        if key not in known
    ]


def _pair_addresses(status: Obj) -> None:
    """Let the single address and the first of the list be the same, as the two forms of one field are."""
    for one, several in (("podIP", "podIPs"), ("hostIP", "hostIPs")):
        listed = status.get(several) or []
        if status.get(one) and (not listed or listed[0].get("ip") != status[one]):
            status[several] = [{"ip": status[one]}]
        elif listed and not status.get(one):
            status[one] = listed[0].get("ip")


def _check_deadline(spec: Obj, old: Obj) -> list[FieldError]:
    field = "spec.activeDeadlineSeconds"
    now, before = spec.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    if now is None and before is not None:
        return [invalid_value(field, None, "must not update from a positive integer to nil value")]
    if now is not None and before is not None and now > before:
        return [invalid_value(field, now, "must be less than or equal to previous value")]
    return []


def _check_tolerations(spec: Obj, old: Obj) -> list[FieldError]:
    def kinds(tolerations: list[Obj]) -> list[Obj]:
        return [{key: item[key] for key in item if key != "tolerationSeconds"} for item in tolerations]

    left = kinds(spec.get("tolerations") or [])
    if all(item in left for item in kinds(old.get("tolerations") or [])):
        return []
    detail = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden_field("spec.tolerations", detail)]


def _fixed_part(spec: Obj) -> Obj:
    fixed = {member: value for member, value in spec.items() if member not in _MUTABLE}
    for member in ("containers", "initContainers"):
        if member in fixed:
            fixed[member] = [
                {key: value for key, value in container.items() if key != "image"}
                for container in fixed[member]
            ]
    return fixed
