"""Takes this node's binding out of a claim whose EIP is at none of its addresses any more.

The cloud is looked at, unless this process has just seen the EIP unbound: the controller may release the EIP
by this word alone. Thread safety: one call for a claim at a time; calls for different claims run in parallel.
"""

from collections.abc import Callable, Container

from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.enis import NodeEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model, tags
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip import binding_plan
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.deadline import Deadline

_LOOK_SECONDS = 30.0
_JUST = 5.0
"""Seconds for which a look counts: the API server may have been away since."""


class Withdrawal:
    """Invariant: `_loose` has by claim which EIP was seen unbound, and when, until it is withdrawn."""

    def __init__(
        self,
        *,
        cloud: TencentCloud,
        enis: NodeEnis,
        shared_ledger: SharedLedger,
        announcer: ClaimPublisher,
        monotonic: Callable[[], float],
    ) -> None:
        """Take whom to ask, what the node has, and who writes the claim."""
        self._cloud = cloud
        self._enis = enis
        self._shared_ledger = shared_ledger
        self._announcer = announcer
        self._monotonic = monotonic
        self._loose: dict[str, tuple[str, float]] = {}

    def seen_unbound(self, claim: str, eip_id: str) -> None:
        """Note that a claim's EIP (namespace/name) was just seen unbound."""
        self._loose[claim] = (eip_id, self._monotonic())

    def keep_only(self, claims: Container[str]) -> None:
        """Forget what was noted of other claims: those are gone without a withdrawal."""
        for name in self._loose.copy():
            if name not in claims:
                self._loose.pop(name, None)

    def withdraw(self, claim: Claim) -> None:
        """Take it out. Raises: CloudError, KubeError; TryAgainError when the EIP is still bound."""
        eip_id = claim.address.eip_id if claim.address else ""
        if eip_id and not self._was_just_seen(claim, eip_id):
            self._see_loose(claim, eip_id)
        self._announcer.withdraw(claim, lambda now: binding_plan.is_here(self._shared_ledger.current, now))
        self._loose.pop(str(claim), None)

    def _was_just_seen(self, claim: Claim, eip_id: str) -> bool:
        seen, at = self._loose.get(str(claim), ("", 0.0))
        return seen == eip_id and self._monotonic() - at <= _JUST

    def _see_loose(self, claim: Claim, eip_id: str) -> None:
        """Return when the claim's EIP is at no address that this node has or had; else TryAgainError.

        A new CVM may come to the name of one that is gone (names are private IPs, which are used again): what
        is still bound to an ENI of that one, which nobody has now, is unbound in its place.
        """
        eip = self._cloud.describe_eip(eip_id)
        if eip is None or not eip.bound:
            return
        if eip.eni_id in self._enis.enis:
            self._enis.look(Deadline.after(_LOOK_SECONDS, self._monotonic))
            raise TryAgainError(f"{eip_id} of EIPClaim {claim} is bound to {eip.private_ip}: recorded now")
        if self._was_left(claim, eip):
            self._cloud.disassociate_eip(eip_id)
            raise TryAgainError(f"{eip_id} of EIPClaim {claim} is unbound from {eip.place}, which no CVM has")

    def _was_left(self, claim: Claim, eip: model.Eip) -> bool:
        """Whether the EIP is where the claim says that this node bound it, on an ENI that no CVM has now."""
        binding = claim.binding
        if binding is None or (binding.eni_id, binding.private_ip) != (eip.eni_id, eip.private_ip):
            return False
        eni = self._cloud.describe_eni(eip.eni_id)
        if eni is None:
            return True
        # At an ENI that moves with its Pod the EIP stays, while no CVM has it (ADR 48).
        return not eni.instance_id and tags.VPC_IP_CLAIM_UID not in eni.tags
