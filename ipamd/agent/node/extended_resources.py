"""Tells the scheduler how many addresses and EIPs the node has, and the controller that we serve it.

The extended resources `tke.cloud.tencent.com/eip` and `.../eni-ip` are written into capacity and allocatable
of the Node's status, and the annotation `nodes.AGENT` beside them; and again whenever they are gone or
different: a kubelet that registers anew sets the extended resources of its Node to zero
(kubelet_node_status.go, "zeroes out extended resources"), a Node that was deleted comes back without any, and
public IPs and ENIs that people bind to the CVM make them fewer.
Thread safety: `start` and `stop` are for one thread; the work is done on threads of its own.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ipamd.core.kubernetes import node_condition, nodes
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

    Invariant: only our own resource names and our own annotation are ever written.
    """

    def __init__(
        self, client: KubeClient, node: str, quantities: Callable[[], Mapping[str, int]], *, agent: str
    ) -> None:
        """Take the node's name, what gives the resources by full name, and the Pod in which we run."""
        self._agent = agent
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
            on_change=lambda _kind, _obj: self.trigger(),
            keep=_trim,
        )

    def start(self) -> None:
        """Begin to watch the Node and to keep its resources."""
        self._cache.start()
        self._loop.start()

    def stop(self, timeout: float = _STOP_SECONDS) -> bool:
        """End; what was written stays. Return whether nothing is written any more."""
        self._cache.stop()
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

    def _assert_resources(self) -> None:
        node = self._cache.get("", self._node)
        if node is None:
            if self._cache.has_synced:
                log.warning("Node %s does not exist; check --node-name", self._node)
            return
        wanted = {name: str(quantity) for name, quantity in self._quantities().items()}
        missing: dict[str, Any] = missing_resources(node.get("status") or {}, wanted)
        patch: dict[str, Any] = {"status": missing} if missing else {}
        if nodes.view(node).agent != self._agent:
            # Metadata can be written together with the status, as kubelets do: it needs no right to the Node.
            patch["metadata"] = {"annotations": {nodes.AGENT: self._agent}}
        if patch:
            self._client.patch(resources.NODES, self._node, patch, subresource="status")
            log.info("Node %s offers %s", self._node, ", ".join(f"{k}={v}" for k, v in wanted.items()))


def missing_resources(status: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the merge patch of a Node's status that makes the resources what is wanted; empty for none."""
    patch = {}
    for field in _FIELDS:
        present = status.get(field) or {}
        differing = {name: quantity for name, quantity in wanted.items() if present.get(name) != quantity}
        if differing:
            patch[field] = differing
    return patch


def _trim(node: dict[str, Any]) -> dict[str, Any]:
    status = node.get("status") or {}
    condition = node_condition.shown(node)
    kept = {field: status.get(field) or {} for field in _FIELDS}
    return {**nodes.trim(node), "status": {**kept, "conditions": [condition] if condition else []}}
