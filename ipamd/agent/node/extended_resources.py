"""Tells the scheduler how many addresses and EIPs the node has, and the controller that we serve it.

The extended resources `tke.cloud.tencent.com/eip` and `.../eni-ip` are written into capacity and allocatable
of the Node's status, the annotation `nodes.AGENT` and a label for each subnet beside them; and again whenever
they are gone or different: a kubelet that registers anew sets the extended resources of its Node to zero
(kubelet_node_status.go, "zeroes out extended resources"), a Node that was deleted comes back without any, and
public IPs and ENIs that people bind to the CVM make them fewer.
Thread safety: `start` and `stop` are for one thread; the work is done on threads of its own.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ipamd.core.kubernetes import node_condition, node_labels, nodes
from ipamd.core.node_config import fields, state
from ipamd.core.node_config.state import NodeEniState
from ipamd.core.timing.backoff import Backoff
from ipamd.kube import resources
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.watch import ObjectCache
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

log = logging.getLogger(__name__)

_BACKOFF = Backoff(first=1.0, longest=60.0)
_LOOK_AGAIN = 300.0
"""Seconds after which the Node is compared again without a cause."""
_STOP_SECONDS = 5.0
_FIELDS = ("capacity", "allocatable")


class ExtendedResources:
    """The extended resources of this node.

    Invariant: only our own resource names, annotations and labels are ever written.
    """

    def __init__(  # noqa: PLR0913 - what is told to a Node
        self,
        client: KubeClient,
        node: str,
        quantities: Callable[[], Mapping[str, int]],
        *,
        agent: str,
        state: Callable[[], NodeEniState],
        is_synced: Callable[[], bool],
        subnets: Callable[[], frozenset[str] | None],
        withdrawn: Sequence[str] = (),
    ) -> None:
        """Take the node's name, what gives the resources by full name, and the Pod in which we run.

        `state` tells what the node has, for people; `is_synced` whether NEED_SYNC has been done; `subnets` of
        which it can have addresses, None when that is not known. What is `withdrawn` is set to 0 where the
        Node still offers it.
        """
        self._subnets = subnets
        self._is_synced = is_synced
        self._agent = agent
        self._withdrawn = withdrawn
        self._state = state
        self._state_written_at = -math.inf
        self._client = client
        self._node = node
        self._quantities = quantities
        self._loop = Loop(
            "node-resources",
            self._assert_resources,
            policy=Survive(),
            pace=LoopPace(period=_LOOK_AGAIN, first=None, backoff=_BACKOFF),
        )
        self._cache = ObjectCache(
            client,
            resources.NODES,
            selection=Selection(field_selector=f"metadata.name={node}"),
            on_change=self._changed,
            keep=_trim,
        )
        self._listeners: list[Callable[[Mapping[str, Any]], None]] = []

    def on_node(self, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Have `listener` called with the Node when it changes, on the watch's thread; before `start`."""
        self._listeners.append(listener)

    def watch(self) -> None:
        """Begin to watch the Node."""
        self._cache.start()

    def end_watch(self) -> None:
        """End the watch."""
        self._cache.stop()

    def wait_synced(self, timeout: float) -> bool:
        """Wait until the Node has been read; return whether it was."""
        return self._cache.wait_synced(timeout)

    def start(self) -> None:
        """Begin to keep the Node's resources."""
        self._loop.start()

    def stop(self, timeout: float = _STOP_SECONDS) -> bool:
        """End; what was written stays. Return whether nothing is written any more."""
        return self._loop.stop(min(timeout, _STOP_SECONDS))

    def node(self) -> Mapping[str, Any] | None:
        """Return the Node as the watch last told: metadata, resources, and the condition TkeEniReady."""
        return self._cache.get("", self._node)

    @property
    def has_synced(self) -> bool:
        """Whether the Node has been read."""
        return self._cache.has_synced

    def trigger(self) -> None:
        """Compare again: the quantities may have changed."""
        self._loop.trigger()

    def _changed(self, kind: str, node: dict[str, Any]) -> None:
        if kind != "deleted":
            for listener in self._listeners:
                listener(node)
        self.trigger()

    def _assert_resources(self) -> None:
        node = self._cache.get("", self._node)
        if node is None:
            if self._cache.has_synced:
                log.warning("Node %s does not exist; check --node-name", self._node)
            return
        wanted = {name: str(quantity) for name, quantity in self._quantities().items()}
        capacity = (node.get("status") or {}).get("capacity") or {}
        wanted |= {name: "0" for name in self._withdrawn if capacity.get(name, "0") != "0"}
        missing: dict[str, Any] = missing_resources(node.get("status") or {}, wanted)
        patch: dict[str, Any] = {"status": missing} if missing else {}
        if nodes.view(node).agent != self._agent:
            # Metadata can be written together with the status, as kubelets do: it needs no right to the Node.
            patch["metadata"] = {"annotations": {nodes.AGENT: self._agent}}
        if patch:
            self._client.patch(resources.NODES, self._node, patch, subresource="status")
            log.info("Node %s offers %s", self._node, ", ".join(f"{k}={v}" for k, v in wanted.items()))
        self._label(node)
        self._tell(node)

    def _label(self, node: Mapping[str, Any]) -> None:
        """Write of which subnets the node can have addresses, for the affinity of Pods; apart, as below."""
        wanted = self._subnets()
        labels = {} if wanted is None else missing_labels(nodes.view(node).labels, wanted)
        if labels:
            patch = {"metadata": {"labels": labels}}
            self._client.patch(resources.NODES, self._node, patch, subresource="status")
            log.info(
                "Node %s can have addresses of %s", self._node, ", ".join(sorted(wanted or ())) or "none"
            )

    def _tell(self, node: Mapping[str, Any]) -> None:
        """Write what is for people; apart, so that a policy which refuses it refuses nothing else."""
        told = self._state().text()
        since = time.monotonic() - self._state_written_at
        is_due = state.is_due(nodes.view(node).eni_state, told, since_write=since)
        notes = {
            **({state.STATE: told} if is_due else {}),
            **({fields.NEED_SYNC: None} if self._is_synced() else {}),
        }
        if notes:
            patch = {"metadata": {"annotations": notes}}
            self._client.patch(resources.NODES, self._node, patch, subresource="status")
        if is_due:
            self._state_written_at = time.monotonic()


def missing_resources(status: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the merge patch of a Node's status that makes the resources what is wanted; empty for none."""
    patch = {}
    for field in _FIELDS:
        present = status.get(field) or {}
        differing = {name: quantity for name, quantity in wanted.items() if present.get(name) != quantity}
        if differing:
            patch[field] = differing
    return patch


def missing_labels(present: Mapping[str, str], subnets: Iterable[str]) -> dict[str, str | None]:
    """Return the merge patch of a Node's labels that makes them name these subnets; empty for none."""
    wanted = {node_labels.subnet_label(subnet_id) for subnet_id in subnets}
    named = {node_labels.subnet_label(subnet_id) for subnet_id in node_labels.labelled_subnets(present)}
    return {**dict.fromkeys(sorted(wanted - named), ""), **dict.fromkeys(sorted(named - wanted))}


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    status = node.get("status") or {}
    condition = node_condition.shown(node)
    kept = {field: status.get(field) or {} for field in _FIELDS}
    noted = node["metadata"].get("annotations") or {}
    kept_notes = (*nodes.ANNOTATIONS, *fields.BY_ANNOTATION, fields.NEED_SYNC)
    read = {key: noted[key] for key in kept_notes if key in noted}
    kept_node = nodes.trim(node)
    kept_node["metadata"] = {**kept_node["metadata"], **({"annotations": read} if read else {})}
    return {**kept_node, "status": {**kept, "conditions": [condition] if condition else []}}
