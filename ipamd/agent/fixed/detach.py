"""Detaches the ENI of a claim from this node, once its address was let go, and frees the claim of the node.

The ENI keeps its address, its tags and, as a rule, its EIP, and is never deleted here. What the node knows of
that EIP goes with it; the EIPClaim is freed before the VpcIPClaim, whose binding is the lock of both.
Thread safety: one call for a claim at a time; calls for different claims run in parallel.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pool.writes import PoolWrites
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import fixed_addresses
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip.attach_actions import DetachEni
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

log = logging.getLogger(__name__)

_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEniDetachment:
    """Detaches ENIs of claims from one node."""

    node: str
    instance_id: Callable[[], str]
    cloud: TencentCloud
    enis: NodeEnis
    turns: PoolWrites
    """Whose turn an ENI is."""
    shared_ledger: SharedLedger
    eip_claims: ClaimSource
    monotonic: Callable[[], float]

    def detach(self, action: DetachEni) -> None:
        """Take the ENI off the node. Raises: CloudError, StoreError, TryAgainError; then it stays."""
        address = action.address
        deadline = Deadline.after(_SECONDS, self.monotonic)
        with self.turns.turn(address.eni_id, deadline):
            self.cloud.detach_eni(address.eni_id, self.instance_id(), deadline)
            self.enis.departures.note_eni(address.eni_id)
            self.shared_ledger.apply(
                lambda ledger: fixed_addresses.detached(ledger, address.ip, address.fixed)
            )
            self.enis.exclusive.forget(address.eni_id)
        log.info("ENI %s with %s is detached, for the next node of its claim", address.eni_id, address.ip)

    def see_gone(self, claim: VpcIpClaim) -> None:
        """Return when the claim's ENI is not at this node; else TryAgainError. Raises: CloudError."""
        eni_id = claim.binding.eni_id if claim.binding is not None else ""
        eni = self.cloud.describe_eni(eni_id) if eni_id else None
        if eni is not None and eni.instance_id == self.instance_id():
            self.enis.look(Deadline.after(_SECONDS, self.monotonic))
            raise TryAgainError(f"{eni_id} of VpcIPClaim {claim} is attached here: recorded now")

    def see_eip_told(self, claim: VpcIpClaim) -> None:
        """Return when no EIPClaim says that its EIP is at the claim's ENI here; else TryAgainError.

        Asked live, as the watch may be behind what this agent has written. Raises: KubeError.
        """
        told = self.eip_claims.live(claim.namespace, claim.name)
        if told is None or told.binding is None or claim.binding is None:
            return
        if (told.binding.node, told.binding.eni_id) == (self.node, claim.binding.eni_id):
            raise TryAgainError(f"EIPClaim {told} still says that its EIP is at {claim.binding.eni_id}")
