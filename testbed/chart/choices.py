"""What the chart lets an operator choose, and where in the objects each choice stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from testbed.chart import values
from testbed.chart.template import Entries, Expression, Filled, Items, When
from testbed.chart.values import Value

Obj = dict[str, Any]
_COMPONENTS: Final = ".Values.components"
_VERSION: Final = ".Capabilities.KubeVersion.Version"


@dataclass(frozen=True, slots=True)
class Component:
    """A component of deploy/, and when the chart has it."""

    folder: str
    condition: str
    value: str = ""
    """The value of the chart that switches it; empty for what goes with another one."""
    meaning: str = ""


COMPONENTS: Final = (
    Component(
        "preflight",
        f"{_COMPONENTS}.preflight",
        "preflight",
        "Nothing of ours on a node where another network or plugin is in the way, until it is gone.",
    ),
    Component(
        "metrics",
        f"{_COMPONENTS}.metrics",
        "metrics",
        "Metrics for Prometheus at each node's own address, with Services to find them.",
    ),
    Component(
        "monitoring",
        f"{_COMPONENTS}.monitoring",
        "monitoring",
        "PodMonitors, alerts and Grafana's dashboard, for the Prometheus operator; needs components.metrics.",
    ),
    Component(
        "admission",
        f"{_COMPONENTS}.admission",
        "admission",
        "A webhook gives Pods with EIP annotations the resources that they forgot.",
    ),
    # The API server asks for fewer Pods where it can tell which.
    Component("admission/from-1.27", f'semverCompare ">=1.27-0" {_VERSION}'),
    Component(
        "own-node-only",
        f"{_COMPONENTS}.ownNodeOnly",
        "ownNodeOnly",
        "Admission policies that hold each agent to its own node; Kubernetes 1.30 or newer.",
    ),
    Component(
        "ip-masq-agent",
        f"{_COMPONENTS}.ipMasqAgent",
        "ipMasqAgent",
        "ip-masq-agent alone decides who is masqueraded, and the controller keeps its configuration.",
    ),
)
_DIRECTORIES: Final = {
    "cni-conf": ("cniConfDir", "The node's directory in which the runtime looks for networks of CNI."),
    "cni-bin": ("cniBinDir", "The node's directory in which the runtime looks for CNI plugins."),
}
"""Volumes of the agent whose place on the node can be chosen; components/k3s chooses them for kustomize."""
_PATH: Final[values.Schema] = {"type": "string", "pattern": "^/"}
_TARGETS: Final = {"DaemonSet": "agent", "Deployment": "controller"}
_SETTINGS: Final = {"CLUSTER_ID": "^(cls-[0-9a-z]+)?$", "REGION": "^([a-z]{2,}(-[a-z0-9]+)+)?$"}


def all_values(objects: Sequence[Obj], settings: Mapping[str, str]) -> tuple[Value, ...]:
    """Return every value; the defaults are what the objects have. `settings` are keys and their meanings."""
    return (
        *(Value(f"settings.{key}", "", _of_setting(key), meaning) for key, meaning in settings.items()),
        *(
            Value(f"components.{one.value}", False, values.SWITCH, one.meaning)  # noqa: FBT003 - it is a value
            for one in COMPONENTS
            if one.value
        ),
        *_IMAGE,
        *(value for obj in objects for value in _of_workload(obj)),
    )


_IMAGE: Final = (
    Value(
        "image.repository", "ccr.ccs.tencentyun.com/tke-eni/ipamd", values.TEXT, "Where the image comes from."
    ),
    Value("image.tag", "", values.TEXT, "Its tag; empty: the chart's version."),
    Value(
        "image.digest",
        "",
        {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
        "Its digest (sha256:...), which counts instead of the tag.",
    ),
    Value(
        "image.pullPolicy",
        "IfNotPresent",
        {"enum": ["Always", "IfNotPresent", "Never"]},
        "When a node pulls it: Always, IfNotPresent or Never.",
    ),
    Value(
        "imagePullSecrets", [], values.SECRETS, "Secrets of kube-system for the registry, as [{name: ...}]."
    ),
    Value(
        "credentialsSecret",
        "",
        values.TEXT,
        "Secret of kube-system with TENCENTCLOUD_SECRET_ID and _KEY; without, the CVM's CAM role.",
    ),
)


def _of_setting(key: str) -> values.Schema:
    return {**values.TEXT, **({"pattern": _SETTINGS[key]} if key in _SETTINGS else {})}


def _of_workload(obj: Obj) -> Iterator[Value]:
    if obj["kind"] not in _TARGETS:
        return
    part = _TARGETS[obj["kind"]]
    spec = obj["spec"]["template"]["spec"]
    yield Value(
        f"{part}.flags", [], values.FLAGS, f"Further flags of the {part}, for example --log-level=debug."
    )
    yield Value(
        f"{part}.resources", spec["containers"][0]["resources"], values.RESOURCES, "Requests and limits."
    )
    yield Value(
        f"{part}.tolerations",
        spec["tolerations"],
        values.OBJECTS,
        "Taints of nodes on which it runs all the same.",
    )
    yield Value(
        f"{part}.nodeSelector", spec["nodeSelector"], values.LABELS, "Labels of the nodes on which it runs."
    )
    yield Value(
        f"{part}.priorityClassName", spec["priorityClassName"], values.TEXT, "Its priority before other Pods."
    )
    if part == "controller":
        replicas = obj["spec"]["replicas"]
        yield Value(
            f"{part}.replicas",
            replicas,
            {"type": "integer", "minimum": 1},
            "How many there are, of which one leads; each on a node of its own.",
        )
    else:
        most = obj["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
        yield Value(
            f"{part}.maxUnavailable",
            most,
            {"type": ["string", "integer"], "pattern": "^[0-9]{1,3}%$", "minimum": 1},
            "How many agents a roll-out replaces at a time: a number, or a share such as 10%.",
        )
        for volume, (name, meaning) in _DIRECTORIES.items():
            yield Value(f"{part}.{name}", _volume(spec, volume)["hostPath"]["path"], _PATH, meaning)


def put_in(obj: Obj) -> None:
    """Put the places of the values into an object."""
    if obj["kind"] == "CustomResourceDefinition":
        # Without it the claims of the whole cluster, and with them its EIPs, would go with `helm uninstall`.
        obj["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    elif obj["kind"] == "ConfigMap" and obj["metadata"]["name"] == "tke-eni-settings":
        obj["data"] = Entries("settings")
    elif obj["kind"] in _TARGETS:
        _into_workload(obj, _TARGETS[obj["kind"]])


def _into_workload(obj: Obj, part: str) -> None:
    template = obj["spec"]["template"]
    # Both read their settings when they start.
    template["metadata"]["annotations"] = {
        "checksum/settings": Expression(".Values.settings | toJson | sha256sum | trunc 16 | quote")
    }
    spec = template["spec"]
    for key in ("tolerations", "nodeSelector"):
        spec[key] = Filled(f"{part}.{key}")
    spec["priorityClassName"] = Expression(f".Values.{part}.priorityClassName | quote")
    spec["imagePullSecrets"] = When(".Values.imagePullSecrets", Filled("imagePullSecrets"))
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        container["image"] = Expression('include "tke-eni.image" . | quote')
        container["imagePullPolicy"] = Expression(".Values.image.pullPolicy")
    (main,) = spec["containers"]
    main["args"].append(Items(f"{part}.flags"))
    main["envFrom"].append(
        When(
            ".Values.credentialsSecret",
            {"secretRef": {"name": Expression(".Values.credentialsSecret | quote")}},
        )
    )
    main["resources"] = Filled(f"{part}.resources")
    if part == "controller":
        obj["spec"]["replicas"] = Expression(".Values.controller.replicas")
    else:
        obj["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = Expression(
            ".Values.agent.maxUnavailable"
        )
        for volume, (name, _) in _DIRECTORIES.items():
            _volume(spec, volume)["hostPath"]["path"] = Expression(f".Values.{part}.{name} | quote")


def _volume(spec: Obj, name: str) -> Obj:
    (found,) = [volume for volume in spec["volumes"] if volume["name"] == name]
    volume: Obj = found
    return volume
