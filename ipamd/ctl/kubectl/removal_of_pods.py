"""The first steps of `kubectl eni uninstall`: no Pod uses our network any more, and no claim holds an EIP."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from ipamd.core.kubernetes import nodes
from ipamd.ctl.kubectl import installed_objects
from ipamd.ctl.kubectl.installed_objects import CRDS
from ipamd.ctl.kubectl.removal_step import Patience, StepReport, delete
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ConflictError, NotFoundError
from ipamd.kube.resources import MUTATING_WEBHOOKS, NODES, PODS, Resource

CORDONED: Final = "networking.tke.cloud.tencent.com/cordoned-by-uninstall"
"""Annotation of a Node that was made unschedulable here, so that it is made schedulable again."""
_OVER: Final = ("Succeeded", "Failed")


def drain(api: KubeClient, patience: Patience, *, dry: bool, force: bool) -> StepReport:
    """See that no Pod of ours runs; with `force` make them go, on Nodes that take no new ones."""
    found = list(_served(api))
    report = StepReport(step="Pods", todo=[_named(pod) for pod in found])
    if dry or not found:
        return report
    if not force:
        report.left = report.todo
        report.advice = (
            "they would lose their network; delete their workloads or give them other nodes, or repeat with "
            "--drain, which cordons the nodes and deletes these Pods"
        )
        return report
    for node in _ours(api):
        if not (node.get("spec") or {}).get("unschedulable"):
            patch = {"metadata": {"annotations": {CORDONED: "true"}}, "spec": {"unschedulable": True}}
            api.patch(NODES, node["metadata"]["name"], patch)
    for pod in _served(api):
        delete(api, PODS, pod)
    report.left = patience.until_none("Pods", lambda: [_named(pod) for pod in _served(api)])
    report.advice = "kubectl describe them: a finalizer or a node that does not answer holds them"
    return report


def webhooks(api: KubeClient, *, dry: bool) -> StepReport:
    """Remove the webhook: it would refuse or delay what is created while nobody answers it."""
    found = [obj for obj in api.list(MUTATING_WEBHOOKS).items if installed_objects.is_ours(obj)]
    report = StepReport(
        step="webhook", todo=[MUTATING_WEBHOOKS.title(name=obj["metadata"]["name"]) for obj in found]
    )
    for obj in () if dry else found:
        delete(api, MUTATING_WEBHOOKS, obj)
    return report


def own_objects(api: KubeClient, patience: Patience, *, dry: bool, force: bool) -> StepReport:
    """Delete all objects of our kinds, and see what they hold given back by the controller.

    Claims that come again, for Pods that wait for a node, hold nothing. With `force` what the controller does
    not let go does not count: the account is looked through for it later.
    """
    report = StepReport(step="claims and other objects of ours", advice=_HELD)
    for kind in _kinds(api):
        report.todo += [_title(kind, obj) for obj in _list(api, kind)]
        if dry:
            continue
        for obj in _list(api, kind):
            if not obj["metadata"].get("deletionTimestamp"):
                delete(api, kind, obj)
        left = patience.until_none(kind.plural, partial(_holding, api, kind))
        report.left += [] if force else left
    return report


def free_objects(api: KubeClient, patience: Patience, *, dry: bool) -> StepReport:
    """Let go of what nobody works on any more; what such a claim may hold is found by its tags."""
    report = StepReport(step="claims without a controller")
    for kind in () if dry else _kinds(api):
        found = _list(api, kind)
        report.todo += [_title(kind, obj) for obj in found]
        for obj in found:
            delete(api, kind, obj)
            _free(api, kind, obj)
        look = partial(_titles, api, kind)
        report.left += patience.until_none(kind.plural, look)
    return report


_HELD: Final = (
    "kubectl eni claims --problems and the controller's log say why they are held; repeat, or add --force: "
    "their EIPs are then given back by their tags"
)


def _kinds(api: KubeClient) -> Iterator[Resource]:
    return installed_objects.of_crds(api.list(CRDS, label_selector=installed_objects.SELECTOR).items)


def _free(api: KubeClient, kind: Resource, obj: Mapping[str, Any]) -> None:
    """Take the finalizers off this very object."""
    metadata = obj["metadata"]
    patch = {"metadata": {"finalizers": None, "uid": metadata["uid"]}}
    with contextlib.suppress(ConflictError, NotFoundError):
        api.patch(kind, metadata["name"], patch, metadata.get("namespace", ""))


def _holding(api: KubeClient, kind: Resource) -> list[str]:
    """Return those that a finalizer holds, and the claims that have an EIP."""
    return [
        _title(kind, obj)
        for obj in _list(api, kind)
        if obj["metadata"].get("deletionTimestamp") or (obj.get("status") or {}).get("address")
    ]


def _titles(api: KubeClient, kind: Resource) -> list[str]:
    return [_title(kind, obj) for obj in _list(api, kind)]


def _title(kind: Resource, obj: Mapping[str, Any]) -> str:
    return kind.title(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def _list(api: KubeClient, kind: Resource) -> list[dict[str, Any]]:
    try:
        return api.list(kind).items
    except NotFoundError:
        return []


def _ours(api: KubeClient) -> list[dict[str, Any]]:
    """Return the Nodes that an agent of ours has served."""
    return [
        node for node in api.list(NODES).items if nodes.AGENT in (node["metadata"].get("annotations") or {})
    ]


def _served(api: KubeClient) -> Iterator[dict[str, Any]]:
    """Yield the Pods that have their network from us, without those of DaemonSets, which come again."""
    ours = {node["metadata"]["name"] for node in _ours(api)}
    for pod in api.list(PODS).items:
        spec, status = pod["spec"], pod.get("status") or {}
        if (
            spec.get("nodeName") in ours
            and not spec.get("hostNetwork")
            and status.get("phase") not in _OVER
            and not _of_daemon_set(pod)
        ):
            yield pod


def _of_daemon_set(pod: Mapping[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner.get("kind") == "DaemonSet" for owner in owners)


def _named(pod: Mapping[str, Any]) -> str:
    metadata = pod["metadata"]
    return f"{PODS.title(metadata['namespace'], metadata['name'])} on {pod['spec']['nodeName']}"
