"""Which actions are due for the node's fixed addresses, by what ledger, claims, Pods and ENIs show now.

While the watches have not caught up, only what needs no claim is due: what was let go is taken off its ENI.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.enis import NodeEnis
from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.agent.fixed.places import EniPlaces
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.annotations import networks
from ipamd.core.vpc_ip import attach_actions, attach_enis, attach_plan
from ipamd.core.vpc_ip.attach_facts import AttachFacts, pod_of
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


@dataclass(frozen=True, slots=True)
class AttachDue:
    """What one comparison came to."""

    actions: tuple[attach_actions.Action, ...]
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
    places: EniPlaces
    eip_claims: ClaimSource

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
            self.places.make_room(0)
            return AttachDue((), frozenset())
        informed = self.claims.has_synced and self.pods.has_synced
        pool = self.pool.facts()
        facts = AttachFacts(
            node=self.node,
            zone=self.zone(),
            ledger=self.shared_ledger.current,
            claims=claims,
            expected=frozenset(pod for claim in claims.values() for pod in self._expected(claim)),
            enis=pool.enis,
            per_eni=pool.limits.ips_per_eni - 1,
            gives_enis=self.places.is_on,
            own_enis=frozenset(i for i, eni in self.enis.exclusive.enis.items() if eni.is_attached),
            eni_places=self.places.places,
            eips_told=frozenset(name for name, claim in claims.items() if self._says_eip_is_here(claim)),
            now=self.shared_ledger.now(),
        )
        actions = tuple(a for a in attach_plan.decide(facts) if informed or attach_actions.needs_no_claim(a))
        self.pool.make_room(attach_actions.demand(actions, facts.ledger))
        self.places.make_room(attach_enis.coming(facts, actions))
        return AttachDue(actions, frozenset(claim.uid for claim in claims.values()))

    def _expected(self, claim: VpcIpClaim) -> Iterator[model.PodRef]:
        """Yield the claim's Pod, if it may get a sandbox, and asks for the claim's network."""
        view = self.pods.known(pod_of(claim))
        if view is not None and view.wants_sandbox and networks.is_exclusive(view) == claim.exclusive:
            yield view.ref

    def _says_eip_is_here(self, claim: VpcIpClaim) -> bool:
        """Whether the EIPClaim of the same Pod says that its EIP is at the claim's own ENI on this node."""
        told = self.eip_claims.known(pod_of(claim)) if claim.exclusive else None
        binding = told.binding if told is not None else None
        return (
            binding is not None
            and claim.address is not None
            and (binding.node, binding.eni_id) == (self.node, claim.address.eni_id)
        )
