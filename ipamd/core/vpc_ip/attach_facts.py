"""What is known when it is decided which fixed addresses are to be on a node. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ipamd.core import model
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.pool import EniCapacity
from ipamd.core.timing.boottime import Boottime
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachFacts:
    """All that the decision depends on."""

    node: str
    zone: str = ""
    """Where the node is; empty while nobody knows."""
    ledger: Ledger
    claims: Mapping[str, VpcIpClaim]
    """The claims that carry this node's label, by namespace/name."""
    expected: AbstractSet[model.PodRef] = frozenset()
    """Pods of this node that may get a sandbox (again)."""
    enis: tuple[EniCapacity, ...] = ()
    per_eni: int = 0
    """Secondary addresses that an ENI may have."""
    gives_enis: bool = False
    """Whether Pods of the node may have ENIs of their own."""
    own_enis: AbstractSet[str] = frozenset()
    """ENIs that Pods have as a whole, or may have, which are attached to the node or just being so, by id."""
    eni_places: int = 0
    """How many more of these the node may have."""
    eips_told: AbstractSet[str] = frozenset()
    """EIPClaims, by namespace/name, that say that their EIP is at the claim's own ENI on this node."""
    now: Boottime


def claim_at(facts: AttachFacts, address: Address) -> VpcIpClaim | None:
    """Return the claim of this node that the address belongs to."""
    return next(
        (
            claim
            for claim in facts.claims.values()
            if claim.uid == address.fixed and claim.address is not None and claim.address.ip == address.ip
        ),
        None,
    )


def pod_here(facts: AttachFacts, claim: VpcIpClaim) -> model.PodRef | None:
    """Return the Pod that the claim serves, if it may get a sandbox on this node."""
    pod = pod_of(claim)
    return pod if pod in facts.expected else None


def pod_of(claim: VpcIpClaim) -> model.PodRef:
    """Return the Pod that the claim serves."""
    return model.PodRef(namespace=claim.namespace, name=claim.name, uid=claim.pod_uid)


def other_address(ledger: Ledger, pod: model.PodRef) -> str:
    """Return the address, not its claim's, with which the Pod runs: it keeps what it has; empty for none."""
    owned = (a.ip for a in ledger.of_name(pod) if a.pod == pod and isinstance(a.state, Assigned | Occupied))
    return next(owned, "")
