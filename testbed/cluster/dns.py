"""CoreDNS in the cluster, at the address that kubelet tells every Pod. It knows the cluster's names only."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.cluster import images
from testbed.cluster.layout import CLUSTER_DNS
from testbed.coredns import COREDNS, VERSION

_NAME = "coredns"
_NAMESPACE = "kube-system"
_IMAGE = f"registry.k8s.io/coredns/coredns:{VERSION}"
_DOCKERFILE = Path(__file__).parent / "images" / "coredns" / "Dockerfile"
_LABELS = {"k8s-app": "kube-dns"}
"""By which everybody looks for the cluster's DNS server."""

_COREFILE = """\
.:53 {
    errors
    ready
    cache 30
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
    }
}
"""


def image() -> images.Image:
    """Give the image that `deploy` runs."""
    program = COREDNS.path("coredns")
    archive = images.build(
        _DOCKERFILE, inputs=[program], lay_out=lambda context: images.put(program, context)
    )
    return images.Image(name=_IMAGE, archive=archive)


def deploy(kubectl: Callable[..., str], directory: Path) -> None:
    """Run CoreDNS and wait until it answers; the manifest is written to `directory`."""
    manifest = directory / "dns.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects()}, indent=2))
    kubectl("apply", f"--filename={manifest}")
    status = ("rollout", "status", f"deployment/{_NAME}", f"--namespace={_NAMESPACE}", "--timeout=120s")
    kubectl(*status, seconds=130.0)


def _objects() -> list[dict[str, Any]]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME}
    subject = {"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE}
    ports = [{"name": f"dns-{kind.lower()}", "protocol": kind, "port": 53} for kind in ("UDP", "TCP")]
    return [
        _object("v1", "ServiceAccount"),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", rules=_rules()),
        _object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", roleRef=reference, subjects=[subject]),
        _object("v1", "ConfigMap", data={"Corefile": _COREFILE}),
        _object("apps/v1", "Deployment", spec=_deployment()),
        _object(
            "v1",
            "Service",
            name="kube-dns",
            spec={"clusterIP": CLUSTER_DNS, "selector": _LABELS, "ports": ports},
        ),
    ]


def _object(version: str, kind: str, *, name: str = _NAME, **fields: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": _LABELS}
    if not kind.startswith("Cluster"):
        metadata["namespace"] = _NAMESPACE
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _rules() -> list[dict[str, Any]]:
    verbs = ["list", "watch"]
    return [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": verbs},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": verbs},
    ]


def _deployment() -> dict[str, Any]:
    container = {
        "name": _NAME,
        "image": _IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
    }
    pod = {
        "serviceAccountName": _NAME,
        "containers": [container],
        "dnsPolicy": "Default",
        "volumes": [{"name": "config", "configMap": {"name": _NAME}}],
    }
    return {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
