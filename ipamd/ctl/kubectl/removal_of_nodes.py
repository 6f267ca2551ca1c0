"""The steps of `kubectl eni uninstall` on nodes and account: daemons end, nodes are cleaned, all goes back.

A Pod on each node takes off what is ours there, and one gives back what the account has for the cluster. They
are made from the agent's DaemonSet, which therefore stays until the last of them is over, on no node. A
Node's annotation says that its turn is still to come, so an interrupted run goes on where it was.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core.errors import IpamError
from ipamd.core.kubernetes import capacity, node_condition, node_labels, node_taint, nodes
from ipamd.ctl.kubectl import access, removal_pods
from ipamd.ctl.kubectl.removal_of_pods import CORDONED
from ipamd.ctl.kubectl.removal_step import Patience, StepReport, delete
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import AlreadyExistsError, NotFoundError
from ipamd.kube.resources import DAEMONSETS, DEPLOYMENTS, NODES, PODS

AGENT: Final = "tke-eni-agent"
CONTROLLER: Final = "tke-eni-ipamd"
_NOWHERE: Final = "networking.tke.cloud.tencent.com/uninstall"
_AT_ONCE: Final = 50
_CONTROL_PLANE: Final = "node-role.kubernetes.io/control-plane"
_RESOURCES: Final = (capacity.EIP_RESOURCE, capacity.ENI_IP_RESOURCE, capacity.DIRECT_ENI_RESOURCE)


class NotInstalledError(IpamError):
    """There is no DaemonSet of the agent, from which the Pods that clean up are made."""


def daemon_set(api: KubeClient) -> dict[str, Any] | None:
    """Return the agent's DaemonSet, None when there is none (any more)."""
    try:
        return api.get(DAEMONSETS, AGENT, access.NAMESPACE)
    except NotFoundError:
        return None


def end_daemons(api: KubeClient, patience: Patience, *, dry: bool) -> StepReport:
    """End controller and agents; their objects stay."""
    report = StepReport(step="controller and agents", todo=list(_daemons(api)))
    if dry:
        return report
    with contextlib.suppress(NotFoundError):
        api.patch(DEPLOYMENTS, CONTROLLER, {"spec": {"replicas": 0}}, access.NAMESPACE)
    with contextlib.suppress(NotFoundError):
        nowhere = {"spec": {"template": {"spec": {"nodeSelector": {_NOWHERE: "true"}}}}}
        api.patch(DAEMONSETS, AGENT, nowhere, access.NAMESPACE)
    report.left = patience.until_none("agents", lambda: list(_daemons(api)))
    report.advice = "kubectl -n kube-system describe them; a node that does not answer is to be deleted first"
    return report


def clean_nodes(api: KubeClient, patience: Patience, *, dry: bool) -> StepReport:
    """Take what is ours off each node, and off its Node object."""
    todo = [node for node in api.list(NODES).items if _is_served(node)]
    report = StepReport(step="nodes", todo=[node["metadata"]["name"] for node in todo], stops=False)
    if dry or not todo:
        return report
    pattern = _pattern(api)
    silent = [node["metadata"]["name"] for node in todo if not _answers(node)]
    answering = [node for node in todo if _answers(node)]
    for begin in range(0, len(answering), _AT_ONCE):
        batch = {node["metadata"]["name"]: node for node in answering[begin : begin + _AT_ONCE]}
        pods = {name: removal_pods.for_node(pattern, name) for name in batch}
        failed = _carry_out(api, patience, "nodes", pods)
        for name in batch.keys() - failed.keys():
            _forget(api, batch[name])
        report.left += [f"{name}: {failed[name]}" for name in sorted(failed)]
    report.stops = bool(report.left)
    report.left += [
        f"{name}: its kubelet does not answer, so nothing could be removed there" for name in silent
    ]
    report.advice = "repeat when they answer; what they have in the account is given back in any case"
    return report


def give_back(api: KubeClient, patience: Patience, *, dry: bool) -> StepReport:
    """Give back EIPs and ENIs of the cluster, by their tags, with the role of one of its nodes."""
    report = StepReport(step="EIPs and ENIs", todo=["what has the tags of the cluster"])
    if daemon_set(api) is None:
        report.todo = []
        return report
    if dry:
        return report
    pattern = _pattern(api)
    place = _place(api)
    failed = _carry_out(api, patience, "EIPs and ENIs", {place: removal_pods.for_account(pattern, place)})
    report.left = list(failed.values())
    report.advice = "repeat, or see what ipamctl eip cleanup and ipamctl eni cleanup say"
    return report


def _daemons(api: KubeClient) -> Iterator[str]:
    for label in (access.CONTROLLER_LABEL, access.AGENT_LABEL):
        for pod in api.list(PODS, access.NAMESPACE, label_selector=label).items:
            yield PODS.title(access.NAMESPACE, pod["metadata"]["name"])


def _pattern(api: KubeClient) -> dict[str, Any]:
    found = daemon_set(api)
    if found is None:
        raise NotInstalledError(
            f"there is no DaemonSet {access.NAMESPACE}/{AGENT}, from which the Pods are made that clean up",
            advice="apply deploy/ as it was (or the chart), then uninstall again",
        )
    return found


def _carry_out(
    api: KubeClient, patience: Patience, what: str, pods: Mapping[str, dict[str, Any]]
) -> dict[str, str]:
    """Run a Pod on each node, wait, and remove them; return by node why one has not succeeded."""
    run = _Run(api, pods)
    run.begin()
    patience.until_none(what, lambda: list(run.unfinished()))
    failed = dict(run.failures())
    run.remove()
    patience.until_none(f"Pods of {what}", run.remaining)
    return failed


@dataclass(frozen=True, slots=True)
class _Run:
    """Pods that clean up, by node."""

    api: KubeClient
    pods: Mapping[str, dict[str, Any]]

    def begin(self) -> None:
        """Make them; one that an interrupted run has left is taken over."""
        for pod in self.pods.values():
            with contextlib.suppress(AlreadyExistsError):
                self.api.create(PODS, pod)

    def unfinished(self) -> Iterator[str]:
        """Say of each that has not succeeded how far it is."""
        for node, why in self.failures():
            yield f"{node}: {why}"

    def failures(self) -> Iterator[tuple[str, str]]:
        """Yield node and reason of each that has not succeeded."""
        for node, pod in self.pods.items():
            try:
                now = self.api.get(PODS, pod["metadata"]["name"], access.NAMESPACE)
            except NotFoundError:
                yield node, "its Pod was removed by somebody"
                continue
            if (now.get("status") or {}).get("phase") != "Succeeded":
                yield node, removal_pods.said(now)

    def remove(self) -> None:
        """Delete them."""
        for pod in self.pods.values():
            delete(self.api, PODS, pod)

    def remaining(self) -> list[str]:
        """Return those that still exist."""
        label = next(iter(self.pods.values()))["metadata"]["labels"][removal_pods.LABEL]
        selector = f"{removal_pods.LABEL}={label}"
        return [
            p["metadata"]["name"]
            for p in self.api.list(PODS, access.NAMESPACE, label_selector=selector).items
        ]


def _is_served(node: Mapping[str, Any]) -> bool:
    return nodes.AGENT in (node["metadata"].get("annotations") or {})


def _answers(node: Mapping[str, Any]) -> bool:
    """Whether the Node's kubelet reports; the node controller makes Ready Unknown when it does not."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") != "Unknown" for one in conditions)


def _place(api: KubeClient) -> str:
    """Return a node whose CVM is likely to have the role: one that had an agent, else a worker."""
    found = [node for node in api.list(NODES).items if _answers(node)]
    found.sort(key=lambda n: (not _is_served(n), _CONTROL_PLANE in (n["metadata"].get("labels") or {})))
    if not found:
        raise NotInstalledError(
            "no node answers, so none can ask the cloud with its role",
            advice="ipamctl eip cleanup and ipamctl eni cleanup with keys of your own give back all",
        )
    return str(found[0]["metadata"]["name"])


def _forget(api: KubeClient, node: Mapping[str, Any]) -> None:
    """Take off a Node object what we have written; the annotation last: it says that this is to be done."""
    name = node["metadata"]["name"]
    gone = dict.fromkeys(_RESOURCES)
    status = {
        "conditions": [{"type": node_condition.TYPE, "$patch": "delete"}],
        "capacity": gone,
        "allocatable": gone,
    }
    api.patch(NODES, name, {"status": status}, subresource="status", content="strategic")
    spec: dict[str, Any] = {}
    if (node["metadata"].get("annotations") or {}).get(CORDONED):
        spec["unschedulable"] = None
    if node_taint.is_tainted(node):
        spec["taints"] = [taint for taint in node_taint.taints(node) if not node_taint.is_ours(taint)] or None
    notes = {**dict.fromkeys(nodes.ANNOTATIONS), CORDONED: None}
    subnets = node_labels.labelled_subnets(node["metadata"].get("labels") or {})
    labels = {node_labels.subnet_label(subnet_id): None for subnet_id in subnets}
    body = {"metadata": {"annotations": notes, "labels": labels}, "spec": spec}
    api.patch(NODES, name, body)
