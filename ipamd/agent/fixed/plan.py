"""Which actions are due for the node's fixed addresses, by what ledger, claims, Pods and ENIs show now.

While the watches have not caught up, only what needs no claim is due: what was let go is taken off its ENI.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.enis import NodeEnis
from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.vpc_ip import attach_plan


@dataclass(frozen=True, slots=True)
class AttachDue:
    """What one comparison came to."""

    actions: tuple[attach_plan.Action, ...]
    claims: frozenset[str]
    """The claims that were compared, by UID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachPlan:
    """Gathers the facts of one node and has `ipamd.core.vpc_ip.attach_plan` decide."""

    node: str
    zone: Callable[[], str]
    """Where the node is."""
    shared_ledger: SharedLedger
    claims: VpcIpClaimSource
    pods: PodSource
    enis: NodeEnis
    pool: Pool

    @property
    def is_needless(self) -> bool:
        """Whether nothing can be due: the node has no claim, and no fixed address."""
        return self.claims.is_empty and not self.shared_ledger.current.fixed

    def due(self) -> AttachDue | None:
        """Return what is to be done; None while it is not known which addresses the node has."""
        if not self.enis.are_known:
            return None
        claims = {str(claim): claim for claim in self.claims.all()}
        if not claims and not self.shared_ledger.current.fixed:
            self.pool.make_room({})
            return AttachDue((), frozenset())
        informed = self.claims.has_synced and self.pods.has_synced
        views = [self.pods.known(attach_plan.pod_of(claim)) for claim in claims.values()]
        pool = self.pool.facts()
        facts = attach_plan.AttachFacts(
            node=self.node,
            zone=self.zone(),
            ledger=self.shared_ledger.current,
            claims=claims,
            expected=frozenset(view.ref for view in views if view is not None and view.wants_sandbox),
            enis=pool.enis,
            per_eni=pool.limits.ips_per_eni - 1,
            now=self.shared_ledger.now(),
        )
        actions = tuple(a for a in attach_plan.decide(facts) if informed or attach_plan.needs_no_claim(a))
        self.pool.make_room(attach_plan.demand(actions, facts.ledger))
        return AttachDue(actions, frozenset(claim.uid for claim in claims.values()))
