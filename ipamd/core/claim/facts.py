"""What the controller knows about one claim and its Pod when it decides, and how the two stand to each other.

A fact that has not been looked at is None or UNKNOWN, never a guess: a rule that needs it asks for it by an
action. What comes from watch caches may be old; what was looked at in this round is live. Pure.
"""

from dataclasses import dataclass, field
from enum import Enum

from ipamd.core import model, tags
from ipamd.core.annotations.eip import wants_eip
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.kept_eni import KeptEni
from ipamd.core.claim.placement import Obstacle
from ipamd.core.kubernetes.owners import Workload
from ipamd.core.kubernetes.pods import PodView


class NodeState(Enum):
    """What is known of the node on which an EIP is bound."""

    UNKNOWN = "unknown"
    ALIVE = "alive"
    GONE = "gone"
    """Its Node object or its CVM does not exist any more."""
    LOST = "lost"
    """Not ready for so long that its agent is not waited for, if the Pod is gone too."""


@dataclass(frozen=True, slots=True)
class LivePod:
    """The answer of a live GET: the Pod, or None if the name is free."""

    pod: PodView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFacts:
    """Everything that a decision depends on."""

    cluster_id: str
    now: float
    claim: Claim | None
    pod: PodView | None
    """The Pod of the same name, from the watch cache."""
    rules: ClusterRules = field(default_factory=ClusterRules)
    obstacle: Obstacle | None = None
    """Why the Pod can have no EIP where it is."""
    obstructed_for: float = float("inf")
    """Seconds for which there was an obstacle at every look of this process."""
    live_pod: LivePod | None = None
    workload: Workload | None = None
    """What the Pod belongs to."""
    node_fate: NodeState = NodeState.UNKNOWN
    eips: tuple[model.Eip, ...] | None = None
    """Those with the claim's tags or its recorded id, from the cloud in this round."""
    kept_eni: KeptEni | None = None
    """The ENI of its own that the Pod of the claim's name keeps, from the watch cache."""
    ordered: str = ""
    """EIP that the cloud has promised to this process for the claim, not yet recorded."""
    delivery_in: float = 0.0
    """Seconds until `ordered` is probably there, by what earlier orders took."""
    order_failed: bool = False
    """Whether the cloud says that `ordered` will not come, and does not list it: its task has failed."""
    order_delivered: bool = False
    """Whether the cloud says that `ordered` was delivered, and does not show it."""
    refused: bool = False
    """Whether the cloud has answered this process that it makes no EIP of the order that was begun."""
    change_failed: bool = False
    """Whether the cloud says that the step of a change that this process gave it has failed."""
    absent_for: float = float("inf")
    """Seconds for which this process has seen the claim without its Pod at every look, by a steady clock."""
    clock_doubt: str = ""
    """Why the wall clock is not believed, which `now` is of."""
    unshown_for: float = 0.0
    """Seconds for which the cloud shows no EIP of the claim, whenever this process looks."""
    blind: str = ""
    """Why it is not believed that EIPs are gone or were never made: they are not shown, or not looked at."""
    look_first: bool = False
    """Whether the cloud has refused in this round what was decided by an earlier look of the agent."""
    released: frozenset[str] = frozenset()
    """EIPs of this claim whose release the cloud has accepted from this process."""


class ClaimStage(Enum):
    """How far a claim has come."""

    ABSENT = "absent"
    UNHELD = "unheld"
    """Without our finalizer: a person made it."""
    PENDING = "pending"
    PROVISIONED = "provisioned"
    BOUND = "bound"
    UNBINDING = "unbinding"
    """Deleted, and its EIP still bound."""
    RELEASING = "releasing"
    """Deleted, and no binding recorded."""
    LEFT = "left"
    """Deleted, and not held by us any more."""


class PodRelation(Enum):
    """What the Pod of the claim's name is to the claim."""

    NONE = "none"
    """There is none, or it has run to its end."""
    SAME = "same"
    """The Pod that the claim serves."""
    NEXT = "next"
    """Another incarnation, which wants an EIP."""
    STRANGER = "stranger"
    """Another incarnation, which wants none or is on its way out."""


def stage_of(claim: Claim | None) -> ClaimStage:
    """Return the claim's stage."""
    if claim is None:
        return ClaimStage.ABSENT
    if claim.deleting:
        if not claim.held:
            return ClaimStage.LEFT
        return ClaimStage.UNBINDING if claim.binding else ClaimStage.RELEASING
    if not claim.held:
        return ClaimStage.UNHELD
    if claim.address is None:
        # Also while it is bound: an EIP that was lost is replaced first, and the agent then changes over.
        return ClaimStage.PENDING
    return ClaimStage.BOUND if claim.binding else ClaimStage.PROVISIONED


def relation_of(claim: Claim | None, pod: PodView | None) -> PodRelation:
    """Return what the Pod is to the claim."""
    if pod is None or pod.finished:
        return PodRelation.NONE
    if claim is not None and pod.ref.uid == claim.pod_uid:
        return PodRelation.SAME
    return PodRelation.NEXT if wants_eip(pod) and not pod.deleting else PodRelation.STRANGER


def is_alone(claim: Claim | None, pod: PodView | None) -> bool:
    """Whether there is a claim, and no Pod to be seen that it serves or may serve next."""
    return claim is not None and relation_of(claim, pod) not in (PodRelation.SAME, PodRelation.NEXT)


def created_eips(facts: ClaimFacts, claim: Claim) -> list[model.Eip]:
    """Return the EIPs that the cloud shows to have been created for the claim, whatever the claim records."""
    return [
        eip for eip in facts.eips or () if tags.created_for(eip.tags, eip.name, facts.cluster_id, claim.uid)
    ]
