"""The questions that every kind of failed cloud call has to answer for EIPs, nodes and fixed addresses."""

from dataclasses import dataclass

from ipamd.core.claim.reason import Reason
from ipamd.core.findings.codes import FindingCode
from ipamd.core.kubernetes.node_condition import NodeReason
from ipamd.core.vpc_ip.reason import VpcIpReason


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMeaning:
    """What a failed order of an EIP means for its claim."""

    reason: Reason
    pause: float
    """Seconds before the claim's next attempt, at least; the back-off may be longer, a change comes sooner.

    The cloud itself is not asked before `FailurePolicy.retry_after` (`ipamd/cloud/inhibition.py`).
    """
    refused: bool
    """Whether no order of the attempt can have been carried out.

    True only where the cloud judged the order itself: with the attempt's ClientToken a repeat of an order
    that was carried out gets its EIP and no refusal. After any other failure an earlier sending may have
    succeeded.
    """
    finding: FindingCode
    """What `ipamctl check` tells it as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindMeaning:
    """What one kind of failure means. Every kind has an answer to every question."""

    order: OrderMeaning
    """An EIP was ordered: of its claim."""
    bind: Reason
    """An EIP was to be bound: the reason of the claim's condition Bound."""
    node: NodeReason
    """The node was to have more addresses: the reason of its condition TkeEniReady."""
    reservation: VpcIpReason | None
    """A private address was to be reserved: the refusal that is certain, so that the cluster's own book takes
    the VPC's place; None when nothing is certain."""
    assignment: VpcIpReason
    """A fixed address was to be assigned: the reason of its VpcIPClaim."""
    finding: FindingCode
    """Anything else than an order of EIPs failed: what `ipamctl check` tells it as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMeaning:
    """What one code means otherwise than its kind; None is as the kind says."""

    order: OrderMeaning | None = None
    bind: Reason | None = None
    node: NodeReason | None = None
