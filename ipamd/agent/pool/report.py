"""What people and Prometheus are told of the pool: what keeps Pods waiting, and what is only to be known."""

from collections.abc import Iterator

from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.obstacle import MEANT, NodeDisabledError, NodeFullError
from ipamd.agent.pool.pool import Pool
from ipamd.core import pool as rules
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.failure_meanings import failures
from ipamd.core.kubernetes.node_condition import NodeProblem, NodeReason, Weight
from ipamd.runtime.metric import Metric, gauge


class PoolReport:
    """What is said of one node's pool. Any thread may ask."""

    def __init__(self, pool: Pool, freeze: PoolFreeze) -> None:
        """Take the pool, and whether an operator has frozen it."""
        self._pool = pool
        self._freeze = freeze

    def metrics(self) -> Iterator[Metric]:
        """Yield how many addresses may come, and how many should have."""
        facts = self._pool.facts()
        room = max(0, rules.room(facts))
        yield gauge("tke_eni_pool_room", "Addresses that the node's ENIs can have more; 0: it is full.", room)
        yield gauge(
            "tke_eni_pool_missing",
            "Addresses that should be free for Pods, are not, and that the node could have.",
            max(0, min(room, rules.wanted(facts))),
        )

    def problems(self) -> list[str]:
        """Return the obstacle as a sentence, if there is one and it is not that all addresses serve Pods."""
        obstacle = self._pool.obstacle()
        return [str(obstacle)] if obstacle and not isinstance(obstacle, MEANT) else []

    def entries(self) -> list[NodeProblem]:
        """Return the obstacle, if there is one; else what the cloud refuses, which will become one."""
        obstacle = self._pool.obstacle()
        if isinstance(obstacle, NodeFullError):
            return [_problem(NodeReason.NODE_FULL, str(obstacle), Weight.FACT)]
        if isinstance(obstacle, NodeDisabledError):
            return [_problem(NodeReason.NODE_DISABLED, str(obstacle), Weight.FACT)]
        if obstacle is not None:
            return [_problem(failures.node_reason(obstacle), str(obstacle), Weight.HARM)]
        refused = (e for e in self._pool.refusals() if isinstance(e, CloudError))
        return [
            _problem(failures.node_reason(e), f"the node gets no more addresses: {e}", Weight.WARNING)
            for e in refused
            if e.kind.policy.needs_operator or e.kind.policy.is_shortage
        ]

    def notices(self) -> list[str]:
        """Return what to know: that the pool is frozen; that the node is full, a fact and no problem."""
        obstacle = self._pool.obstacle()
        full = [str(obstacle)] if isinstance(obstacle, MEANT) else []
        return [*self._freeze.notices(), *full]


def _problem(reason: NodeReason, message: str, weight: Weight) -> NodeProblem:
    return NodeProblem(reason=reason.value, message=message, weight=weight)
