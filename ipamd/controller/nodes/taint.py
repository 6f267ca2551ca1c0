"""Takes the taint `node_taint.KEY` from Nodes that our agent serves, so that Pods are scheduled there.

Taken away only where the agent is ready and the Node offers its addresses. With `keep` it is also put on
Nodes that wait for their first agent. A Node that was ever served is never tainted: one lost watch must not
close a cluster. Agents have no right to change their Nodes' specs: a lost node would have it for all Nodes.
Thread safety: `look` is for one thread at a time; `is_due` is for any.
"""

import logging
from collections.abc import Callable
from typing import Final

from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.core.kubernetes import node_taint
from ipamd.core.kubernetes.node_taint import TaintMode
from ipamd.core.kubernetes.nodes import SUPER_NODE, NodeView
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import NODES

log = logging.getLogger(__name__)

_WRITES: Final = 100
"""Per pass: a cluster that was just installed is open within minutes, and the API server not flooded."""
_SOON: Final = 2.0
"""Seconds until the next pass, after one that has left something."""


class NodeTaints:
    """Looks at the Nodes that have the taint, or should."""

    def __init__(
        self,
        mode: TaintMode,
        cluster: ClusterView,
        client: KubeClient,
        *,
        fence: Fence,
        teller: ClaimEvents,
        most: int = _WRITES,
    ) -> None:
        """Take what is to be done, where to look and write, when writing is allowed, and who tells people.

        `most` Nodes are written in one pass.
        """
        self._mode = mode
        self._cluster = cluster
        self._client = client
        self._fence = fence
        self._teller = teller
        self._most = most
        self._told: set[str] = set()

    def is_due(self, name: str) -> bool:
        """Whether something is to be written on this Node."""
        node = self._cluster.node(name)
        return node is not None and self._due(node) is not None

    def look(self) -> float | None:
        """Write what is due; return after how many seconds to look again, None for the usual time.

        Raises: KubeError; NotLeaderError.
        """
        due = [(node, patch) for node in self._cluster.nodes() if (patch := self._due(node)) is not None]
        if self._mode is TaintMode.OFF:
            for node, _ in due:
                self._warn(node)
            return None
        for node, patch in due[: self._most]:
            self._write(node, patch)
        return _SOON if len(due) > self._most else None

    def _due(self, node: NodeView) -> Callable[[JsonObject], JsonObject] | None:
        """Return what makes the patch that the Node needs; None when it is as it should be."""
        if node.tainted and node.has_addresses and self._serves(node):
            return node_taint.without
        new = not (node.tainted or node.agent or node.has_addresses or node.instance_type == SUPER_NODE)
        if new and self._mode is TaintMode.KEEP and self._cluster.has_agent(node.name):
            return node_taint.added
        return None

    def _serves(self, node: NodeView) -> bool:
        """Whether the Node's agent is ready; one that runs in no Pod is believed."""
        if node.agent_pod is None:
            return bool(node.agent)
        return self._cluster.is_served(node.name)

    def _write(self, node: NodeView, patch: Callable[[JsonObject], JsonObject]) -> None:
        self._fence.deadline()
        try:
            # The copy of the watch has no taints of others.
            live = self._client.get(NODES, node.name)
            if node_taint.is_tainted(live) is (patch is node_taint.without):
                self._client.patch(NODES, node.name, patch(live))
                verb = "removed" if patch is node_taint.without else "added"
                log.info("Node %s: taint %s:%s %s", node.name, node_taint.KEY, node_taint.EFFECT, verb)
        except (errors.NotFoundError, errors.ConflictError):
            return  # its next version is looked at when the watch tells of it

    def _warn(self, node: NodeView) -> None:
        if node.uid in self._told:
            return
        self._told.add(node.uid)
        message = (
            f"the agent serves the node, but taint {node_taint.KEY} still keeps Pods off; remove it "
            f"(kubectl taint node {node.name} {node_taint.KEY}-) or set --node-taint=remove"
        )
        log.warning("Node %s: %s", node.name, message)
        self._teller.node(node.name, node.uid, "TaintLeft", message)
