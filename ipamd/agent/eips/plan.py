"""Which actions are due for the node's EIPs, by what ledger, claims and Pods show now.

While the watches have not caught up, only what needs no claim is due: EIPs of freed addresses are unbound.
Thread safety: any thread may call any method.
"""

from dataclasses import dataclass

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods.source import PodSource
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.annotations import eip
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip import binding_plan
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, BindStage, Held, Unbinding


@dataclass(frozen=True, slots=True)
class Due:
    """What one comparison came to."""

    actions: tuple[binding_plan.Action, ...]
    claims: frozenset[str]
    """The claims that were compared, as namespace/name."""


class BindingPlan:
    """Gathers the facts of one node and has `ipamd.core.eip.binding_plan` decide."""

    def __init__(
        self, node: str, *, shared_ledger: SharedLedger, claims: ClaimSource, pods: PodSource, enis: NodeEnis
    ) -> None:
        """Take the node's name and what to compare."""
        self._node = node
        self._shared_ledger = shared_ledger
        self._claims = claims
        self._pods = pods
        self._enis = enis

    @property
    def is_needless(self) -> bool:
        """Whether nothing can be due: the node has no claim, and no EIP at an address."""
        return self._claims.is_empty and not self._shared_ledger.current.has_eips

    def due(self) -> Due | None:
        """Return what is to be done; None while it is not known which addresses the node has."""
        if not self._enis.are_known:
            return None  # an EIP of an address that the ledger does not know yet would look like nobody's
        ledger = self._shared_ledger.current
        claims = {str(claim): claim for claim in self._claims.all()}
        facts = binding_plan.BindingFacts(
            node=self._node,
            ledger=ledger,
            claims=claims,
            expected=self._expected(ledger),
            without_eip=frozenset(
                a.pod for a in ledger.fixed if a.moves_as_eni and a.pod is not None and self.asks_for_none(a)
            ),
        )
        informed = self._claims.has_synced and self._pods.has_synced
        actions = tuple(a for a in binding_plan.decide(facts) if informed or _needs_no_claim(a))
        return Due(actions, frozenset(claims))

    def kept_waiting(self, action: binding_plan.Action, pod: model.PodRef) -> Claim | None:
        """Return the Pod's claim whose EIP is not bound because the action failed."""
        if isinstance(action, binding_plan.Associate):
            return action.claim
        claim = self._claims.known(pod)
        if not isinstance(action, binding_plan.Disassociate) or claim is None or claim.address is None:
            return None
        record = action.address.eip
        if record is None:
            return None
        return claim if claim.address.eip_id != record.eip_id else None

    def asks_for_none(self, address: Address) -> bool:
        """Whether the Pod that runs with an address is known, and asks for no EIP."""
        state = address.state
        view = self._pods.matching(state.pod) if isinstance(state, Assigned) else None
        return view is not None and not eip.wants_eip(view)

    def _expected(self, ledger: Ledger) -> frozenset[model.PodRef]:
        """Return the Pods whose addresses are held and that may get a sandbox again."""
        views = [self._pods.known(a.pod) for a in ledger.in_state(Held) if a.pod is not None]
        return frozenset(view.ref for view in views if view is not None and view.wants_sandbox)


def _needs_no_claim(action: binding_plan.Action) -> bool:
    """Whether an action is right whatever the claims say."""
    if isinstance(action, binding_plan.SettleBinding):
        return True
    if not isinstance(action, binding_plan.Disassociate) or action.address.eip is None:
        return False
    leaving = action.address.eip.stage is BindStage.UNBINDING
    return action.certain and (leaving or isinstance(action.address.state, Unbinding))
