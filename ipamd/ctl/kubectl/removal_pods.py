"""The Pods of `kubectl eni uninstall`: one for each node, one for the account. Pure.

They are made from the agent's DaemonSet and have its image, mounts, rights and environment, as whoever
installed it has chosen them: what the agent could do there can be undone there. They need no right in the
cluster.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ipamd.core.kubernetes import cluster_settings

LABEL: Final = "app.kubernetes.io/name"
NODE_POD: Final = "tke-eni-remove-from-node"
ACCOUNT_POD: Final = "tke-eni-give-back"
_OF_NODE: Final = ("--cni-conf", "--cni-bin-dir", "--sysctl-root", "--socket", "--state-dir")
_OF_CLOUD: Final = ("--cluster-id", "--cloud-endpoint", "--metadata-url")
_KEPT: Final = (
    "hostNetwork",
    "dnsPolicy",
    "imagePullSecrets",
    "priorityClassName",
    "securityContext",
    "volumes",
)


def for_node(daemon_set: Mapping[str, Any], node: str) -> dict[str, Any]:
    """Return the Pod that takes all that is ours off a node."""
    template = daemon_set["spec"]["template"]["spec"]
    agent = _agent(template)
    args = ["remove-from-node", *_chosen(agent, _OF_NODE)]
    mounts = {mount["mountPath"]: _writable(mount) for mount in _mounts(template)}
    container = _container(agent, "remove", args=args)
    container["volumeMounts"] = [mounts[path] for path in sorted(mounts)]
    return _pod(template, name_for(node), NODE_POD, node, [container], [])


def for_account(daemon_set: Mapping[str, Any], node: str) -> dict[str, Any]:
    """Return the Pod that gives back the cluster's EIPs, then its ENIs, with the role of the node's CVM."""
    template = daemon_set["spec"]["template"]["spec"]
    agent = _agent(template)
    flags = [*_chosen(agent, _OF_CLOUD), "--yes"]
    # What TKE's component has created has the cluster's tags as well, and may have been taken over.
    eips = _container(agent, "eips", command=["ipamctl", "eip", "cleanup", *flags, "--unbind", "--keep-tke"])
    enis = _container(
        agent, "enis", command=["ipamctl", "eni", "cleanup", *flags, "--detach", "--reservations"]
    )
    for container in (eips, enis):
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    made = _pod(template, ACCOUNT_POD, ACCOUNT_POD, node, [enis], [eips])
    del made["spec"]["volumes"]
    return made


def name_for(node: str) -> str:
    """Return the name of a node's Pod: a Node's name may be longer than a Pod's may be with a prefix."""
    return f"{NODE_POD}-{hashlib.sha256(node.encode()).hexdigest()[:12]}"


def said(pod: Mapping[str, Any]) -> str:
    """Return the last line of what its containers said at their end, or why they do not run."""
    status = pod.get("status") or {}
    for one in reversed(
        [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    ):
        state = one.get("state") or {}
        ended = state.get("terminated") or (one.get("lastState") or {}).get("terminated") or {}
        lines = str(ended.get("message") or "").strip().splitlines()
        if lines:
            return lines[-1]
        waiting = state.get("waiting") or {}
        if waiting.get("message") and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
            return f"{waiting.get('reason')}: {waiting['message']}"
    return str(status.get("message") or status.get("phase") or "it has not begun")


def _agent(template: Mapping[str, Any]) -> Mapping[str, Any]:
    containers = template["containers"]
    found = [one for one in containers if one.get("name") == "agent"]
    agent: Mapping[str, Any] = (found or containers)[0]
    return agent


def _chosen(agent: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    return [word for word in agent.get("args") or () if word.partition("=")[0] in names]


def _mounts(template: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the mounts of all containers: the one that installs the plugin has what the agent has not."""
    containers = [*(template.get("initContainers") or ()), _agent(template)]
    return [mount for one in containers for mount in one.get("volumeMounts") or ()]


def _writable(mount: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mount.items() if key != "readOnly"}


def _container(agent: Mapping[str, Any], name: str, **run: list[str]) -> dict[str, Any]:
    kept = ("image", "imagePullPolicy", "env", "envFrom", "securityContext", "resources")
    return {
        "name": name,
        **{key: agent[key] for key in kept if key in agent},
        **run,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _pod(
    template: Mapping[str, Any],
    name: str,
    label: str,
    node: str,
    containers: list[dict[str, Any]],
    before: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": cluster_settings.NAMESPACE, "labels": {LABEL: label}},
        "spec": {
            **{key: template[key] for key in _KEPT if key in template},
            "nodeName": node,
            "restartPolicy": "OnFailure",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "initContainers": before,
            "containers": containers,
        },
    }
