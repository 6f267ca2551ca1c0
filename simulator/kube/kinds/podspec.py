"""What Pods and the templates of workloads share: defaults and checks of a Pod specification.

Pure. Sets the commonest defaults; checks containers and the restart policy. Source: API reference "PodSpec v1
core".
"""

from collections.abc import Iterator

from simulator.kube import names, objects
from simulator.kube.objects import Obj
from simulator.kube.status import FieldError, invalid_value, required, unsupported

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DEFAULTS: Obj = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
_CONTAINER_DEFAULTS: Obj = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}


def set_defaults(spec: Obj) -> None:
    """Fill in a specification, in place."""
    for member, value in _DEFAULTS.items():
        spec.setdefault(member, objects.clone(value))
    if spec.get("hostNetwork") is False:
        del spec["hostNetwork"]
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in containers(spec):
        for member, value in _CONTAINER_DEFAULTS.items():
            container.setdefault(member, objects.clone(value))
        image = str(container.get("image") or "")
        latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
        container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
        for port in container.get("ports") or []:
            port.setdefault("protocol", "TCP")


def check(spec: Obj, path: str) -> list[FieldError]:
    """List what is wrong with a specification that is at `path` in its object."""
    errors = []
    for member in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(member) or []):
            errors += _check_container(container, f"{path}.{member}[{index}]")
    if not spec.get("containers"):
        errors.append(required(f"{path}.containers"))
    if spec.get("restartPolicy") not in _RESTART_POLICIES:
        errors.append(unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), _RESTART_POLICIES))
    return errors


def containers(spec: Obj) -> Iterator[Obj]:
    """Iterate over all containers."""
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def qos_class(spec: Obj) -> str:
    """Return the quality of service class that requests and limits give."""
    listed = [container.get("resources") or {} for container in containers(spec)]
    if not any(resources.get("requests") or resources.get("limits") for resources in listed):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= set(resources.get("limits") or {})
        and resources.get("requests", resources.get("limits")) == resources.get("limits")
        for resources in listed
    )
    return "Guaranteed" if guaranteed else "Burstable"


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
