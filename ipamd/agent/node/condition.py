"""What the Node says of our agent: the condition TkeEniReady, and Events for what an operator must see.

The condition is looked at often and written seldom (`node_condition.is_due`). A problem has to be there at
two looks before it is told, so that one which mends itself at once makes no noise; each is then also an Event
on the Node, once, until it was gone.
Thread safety: `start` and `stop` are for one thread; `repaired` is for any.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ipamd
from ipamd.agent.enis import NodeEni
from ipamd.core.kernel.difference import Difference
from ipamd.core.kubernetes import node_condition
from ipamd.core.kubernetes.node_condition import NodeProblem, Weight
from ipamd.core.timing.backoff import Backoff
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.kube.resources import NODES
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

_LOOK: Final = 10.0
"""Seconds between two looks."""
_BACKOFF: Final = Backoff(first=5.0, longest=300.0)
_QUIET: Final = 300.0
"""Seconds for which a repeat of an Event on the Node is only counted: whoever flushes our rules each second
makes a WARNING in the log each time, and a request here each five minutes."""
_STARTED, _READY, _REPAIRED = "AgentStarted", "NodeReady", "NodeRepaired"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSources:
    """What is asked at each look."""

    present: Callable[[], Mapping[str, Any] | None]
    """The Node as the watch last told; None when it does not exist or was not read yet."""
    problems: Callable[[], Sequence[NodeProblem]]
    well: Callable[[], str]
    """What the condition says of a node without problems."""


class NodeCondition:
    """Keeps the condition of this node's Node true.

    Invariant: `_told` are the problems of the last look; of the Node only this condition is written.
    """

    def __init__(
        self,
        client: KubeClient,
        node: str,
        *,
        sources: NodeSources,
        events: EventRecorder,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a clock of Unix time for what is written, and one that nobody sets for what is measured."""
        self._client = client
        self._node = node
        self._sources = sources
        self._events = events
        self._clock = clock
        self._monotonic = monotonic
        self._seen: Sequence[NodeProblem] | None = None
        self._told: Sequence[NodeProblem] = ()
        self._status = ""
        self._written_at = -math.inf
        self._loop = Loop(
            "node-condition",
            self.look,
            policy=Survive(),
            pace=LoopPace(period=_LOOK, spread=0.2, first=None, backoff=_BACKOFF),
        )

    def start(self) -> None:
        """Begin to look."""
        self._loop.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End; what was written stays, and the controller says so when no other agent comes."""
        self._loop.stop(timeout)

    def repaired(self, difference: Difference) -> None:
        """Tell on the Node that something of ours in its kernel was found changed, and mended.

        All of one code are one Event: a table that was flushed is hundreds of differences.
        """
        node = self._sources.present()
        if node is not None:
            code = difference.code
            text = f"repaired {code.text}: {code.facts.meaning}; the agent's log names each object"
            self._events.record(_reference(node), "Warning", _REPAIRED, text, quiet=_QUIET)

    def look(self) -> None:
        """Compare once, and write what is due. Raises: KubeError."""
        node = self._sources.present()
        if node is None:
            return
        seen, self._seen = self._seen, tuple(self._sources.problems())
        if seen is None:
            return  # what has just started is not judged by its first moments
        standing = [p for p in self._seen if not node_condition.news(seen, [p])]
        verdict = node_condition.verdict(standing, well=self._sources.well(), node=self._node)
        self._tell(node, standing, verdict)
        present = node_condition.shown(node)
        since = self._monotonic() - self._written_at
        if node_condition.is_due(present, verdict, since_write=since):
            patch = node_condition.patch(present, verdict, self._clock())
            self._client.patch(NODES, self._node, patch, subresource="status", content="strategic")
            self._written_at = self._monotonic()

    def _tell(
        self,
        node: Mapping[str, Any],
        standing: Sequence[NodeProblem],
        verdict: node_condition.NodeVerdict,
    ) -> None:
        about = _reference(node)
        for problem in node_condition.news(self._told, standing):
            if problem.weight is Weight.FACT:
                self._events.record(about, "Normal", problem.reason, problem.message, quiet=_QUIET)
            else:
                self._events.record(about, "Warning", problem.reason, problem.message, quiet=_QUIET)
        if not self._status:
            self._events.record(about, "Normal", _STARTED, self._sources.well())
        elif self._status != "True" and verdict.status == "True":
            self._events.record(about, "Normal", _READY, verdict.message, quiet=_QUIET)
        self._told, self._status = standing, verdict.status


def all_well(enis: Iterable[NodeEni]) -> str:
    """Return what is said of a node without problems, by its ENIs."""
    usable = sum(not eni.problem for eni in enis)
    return f"agent {ipamd.__version__} serves Pods with {usable} ENI{'s' if usable != 1 else ''}"


def _reference(node: Mapping[str, Any]) -> dict[str, str]:
    metadata = node["metadata"]
    return {
        "apiVersion": NODES.api_version,
        "kind": NODES.kind,
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
    }
