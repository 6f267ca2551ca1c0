"""The last step of `kubectl eni uninstall`: workloads, rights, settings and CRDs of the installation."""

from collections.abc import Iterator
from typing import Any

from ipamd.ctl.kubectl import access, installed_objects
from ipamd.ctl.kubectl.removal_step import Patience, StepReport, delete
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import NotFoundError
from ipamd.kube.resources import Resource


def remove_objects(api: KubeClient, patience: Patience, *, dry: bool) -> StepReport:
    """Remove them in this order: workloads, CRDs, and the rest; the settings are the last to go."""
    found = list(_found(api))
    report = StepReport(step="objects of the installation", todo=[_title(kind, obj) for kind, obj in found])
    if dry:
        return report
    for kind, obj in found:
        delete(api, kind, obj)
    report.left = patience.until_none("objects", lambda: [_title(kind, obj) for kind, obj in _found(api)])
    report.advice = "something makes them again, such as a GitOps operator: end that first"
    if any(installed_objects.is_of_helm(obj) for _, obj in found):
        report.advice = ""
        report.note = "Helm still has its record of the release: helm -n kube-system uninstall tke-eni"
    return report


def _found(api: KubeClient) -> Iterator[tuple[Resource, dict[str, Any]]]:
    for kind in (*installed_objects.WORKLOADS, installed_objects.CRDS, *installed_objects.REST):
        try:
            listed = api.list(kind, access.NAMESPACE if kind.namespaced else "").items
        except NotFoundError:
            continue  # a kind that this cluster does not have
        yield from ((kind, obj) for obj in listed if installed_objects.is_ours(obj))


def _title(kind: Resource, obj: dict[str, Any]) -> str:
    return kind.title(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
