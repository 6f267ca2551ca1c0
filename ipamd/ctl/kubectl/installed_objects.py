"""What an installation consists of in the cluster: all objects of deploy/, by kind and label. Pure.

Objects of deploy/ and of the chart have the label PART_OF, whichever component they belong to; those of
releases that did not label all, and what the controller makes itself, are known by name. CRDs are taken by
the label too, so that a new one needs no line here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ipamd.kube import resources
from ipamd.kube.resources import Resource

PART_OF: Final = "app.kubernetes.io/part-of"
OURS: Final = "tke-eni"
SELECTOR: Final = f"{PART_OF}={OURS}"
_NAMES: Final = frozenset(
    {"tke-eni-agent", "tke-eni-ipamd", "tke-eni-admission", "tke-eni-settings", "tke-eni-defaults"}
)


def _cluster_wide(group: str, version: str, plural: str, kind: str) -> Resource:
    return Resource(group=group, version=version, plural=plural, kind=kind, namespaced=False)


_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_OPERATOR: Final = "monitoring.coreos.com"
CRDS: Final = _cluster_wide(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition"
)
WORKLOADS: Final = (resources.DAEMONSETS, resources.DEPLOYMENTS)
REST: Final = (
    Resource(group="policy", version="v1", plural="poddisruptionbudgets", kind="PodDisruptionBudget"),
    _cluster_wide(_ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    _cluster_wide(_ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    resources.SERVICES,
    Resource(group=_OPERATOR, version="v1", plural="podmonitors", kind="PodMonitor"),
    Resource(group=_OPERATOR, version="v1", plural="prometheusrules", kind="PrometheusRule"),
    _cluster_wide(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding"),
    _cluster_wide(_RBAC, "v1", "clusterroles", "ClusterRole"),
    Resource(group=_RBAC, version="v1", plural="rolebindings", kind="RoleBinding"),
    Resource(group=_RBAC, version="v1", plural="roles", kind="Role"),
    Resource(group="", version="v1", plural="serviceaccounts", kind="ServiceAccount"),
    resources.SECRETS,
    resources.LEASES,
    resources.CONFIGMAPS,
)
"""In the order of removal: what grants rights goes after what uses them, the settings last."""


def is_ours(obj: Mapping[str, Any]) -> bool:
    """Whether an object of one of these kinds belongs to the installation."""
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    return labels.get(PART_OF) == OURS or metadata.get("name") in _NAMES


def is_of_helm(obj: Mapping[str, Any]) -> bool:
    """Whether Helm has made it, and keeps a record of it."""
    labels = obj["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/managed-by") == "Helm"


def of_crds(crds: list[dict[str, Any]]) -> Iterator[Resource]:
    """Yield the kinds that these CRDs define, EIPClaims first: other kinds may be in use by claims."""
    found = [_defined(crd) for crd in crds]
    yield from sorted(found, key=lambda kind: (kind.plural != resources.EIPCLAIMS.plural, kind.plural))


def _defined(crd: Mapping[str, Any]) -> Resource:
    spec = crd["spec"]
    served = [version["name"] for version in spec["versions"] if version.get("served")]
    return Resource(
        group=spec["group"],
        version=served[0],
        plural=spec["names"]["plural"],
        kind=spec["names"]["kind"],
        namespaced=spec.get("scope") == "Namespaced",
    )
