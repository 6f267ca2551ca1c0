"""Makes the condition TkeEniReady Unknown on Nodes whose agent is gone: nobody else would take it back.

Gone means here that no Pod of the DaemonSet has been ready on the Node at every look for minutes; so an agent
that is replaced, or starts slowly, changes nothing. An agent that comes back writes the condition anew.
Thread safety: for one thread at a time.
"""

import logging
from collections.abc import Callable
from typing import Final

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.events import ClaimEvents
from ipamd.controller.fence import Fence
from ipamd.core.kubernetes import node_condition
from ipamd.core.kubernetes.nodes import NodeView
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import NODES

log = logging.getLogger(__name__)

PATIENCE: Final = 150.0
"""Seconds without a ready agent; a new image of the agent is pulled in less."""
_WRITES: Final = 50
"""Per look: when all agents are gone at once, the API server has a reason of its own to be busy."""


class AbandonedNodes:
    """Looks at all Nodes that say how our agent does."""

    def __init__(
        self,
        cluster: ClusterView,
        client: KubeClient,
        *,
        fence: Fence,
        teller: ClaimEvents,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        """Take a clock of Unix time for what is written, and one that nobody sets for what is measured."""
        self._cluster = cluster
        self._client = client
        self._fence = fence
        self._teller = teller
        self._clock = clock
        self._absences = Absences(steady)

    def look(self) -> None:
        """Compare all Nodes with the agents, and write what is due. Raises: KubeError; NotLeaderError."""
        written = 0
        for node in self._cluster.nodes():
            absent = node.agent_pod is not None and not self._cluster.is_served(node.name)
            seconds = self._absences.looked(("", node.name), node.agent, absent=absent)
            if node.condition in ("True", "False") and seconds >= PATIENCE and written < _WRITES:
                self._abandon(node, seconds)
                written += 1

    def _abandon(self, node: NodeView, seconds: float) -> None:
        self._fence.deadline()
        verdict = node_condition.abandoned(node.name, seconds)
        patch = node_condition.patch({}, verdict, self._clock())
        try:
            self._client.patch(NODES, node.name, patch, subresource="status", content="strategic")
        except errors.NotFoundError:
            return
        log.warning("Node %s: %s", node.name, verdict.message)
        self._teller.node(node.name, node.uid, verdict.reason, verdict.message)
