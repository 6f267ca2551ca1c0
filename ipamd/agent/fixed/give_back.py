"""Gives fixed addresses back: let go, taken off their ENIs, and last of all out of the claims' bindings.

Thread safety: one call for a claim at a time; calls for different claims run in parallel, one at a time for
an ENI.
"""

import logging
from collections.abc import Callable, Container
from dataclasses import dataclass, field

from ipamd.agent.enis import NodeEnis
from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.agent.fixed.detach import OwnEniDetachment
from ipamd.agent.fixed.publish import VpcIpPublisher
from ipamd.agent.pool.writes import PoolWrites
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import fixed_addresses, ledger
from ipamd.core.ledger.states import Address
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip.attach_actions import DetachEni, LetGo, UnassignFixed
from ipamd.core.vpc_ip.attach_plan import is_here
from ipamd.core.vpc_ip.attach_waits import elsewhere
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

log = logging.getLogger(__name__)

_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedReturn:
    """Invariant: `_gone` has by claim UID the address that this process has taken off, until it is told."""

    node: str
    cloud: TencentCloud
    enis: NodeEnis
    turns: PoolWrites
    """Whose turn an ENI is."""
    shared_ledger: SharedLedger
    claims: VpcIpClaimSource
    announcer: VpcIpPublisher
    detachment: OwnEniDetachment
    monotonic: Callable[[], float]
    _gone: dict[str, str] = field(default_factory=dict)

    def keep_only(self, claim_uids: Container[str]) -> None:
        """Forget what was noted of other claims: those are gone without a withdrawal."""
        for uid in self._gone.copy():
            if uid not in claim_uids:
                self._gone.pop(uid, None)

    def let_go(self, action: LetGo) -> None:
        """Give up what is held, unless a Pod has it by now, or the claim wants it here after all.

        Raises: KubeError, StoreError; TryAgainError when the claim, asked live, wants it here.
        """
        address = action.address
        with_eip = action.with_eip
        if not action.certain:
            claim = self._live(address)
            if claim is not None and self._wants_here(claim, address):
                raise TryAgainError(f"{address.ip} is held on, as its VpcIPClaim wants it here")
            with_eip = claim is not None and not claim.deleting
        gone = self.shared_ledger.apply(
            lambda current: fixed_addresses.let_go(
                current, address, self.shared_ledger.now(), with_eip=with_eip
            )
        )
        if gone:
            log.info("%s, held for Pod %s, is given back: %s", address.ip, address.pod, action.why)

    def unassign(self, action: UnassignFixed) -> None:
        """Take the address off its ENI. Raises: CloudError, TryAgainError; it then stays as it is."""
        address = action.address
        deadline = Deadline.after(_SECONDS, self.monotonic)
        with self.turns.turn(address.eni_id, deadline):
            self.cloud.unassign_ips(address.eni_id, (address.ip,), deadline)
        self.enis.departures.note_addresses(address.eni_id, address.ip)
        self.shared_ledger.note(lambda current: ledger.forget(current, [address.ip]))
        self._gone[address.fixed] = address.ip
        log.info("%s is off %s, for the next node of its VpcIPClaim", address.ip, address.eni_id)

    def detach(self, action: DetachEni) -> None:
        """Take the ENI of an address off the node. Raises: as `OwnEniDetachment.detach`."""
        self.detachment.detach(action)
        self._gone[action.address.fixed] = action.address.ip

    def withdraw(self, claim: VpcIpClaim) -> None:
        """Take the binding out of the claim. Raises: CloudError, KubeError, TryAgainError."""
        ip = claim.address.ip if claim.address is not None else ""
        if ip and self._gone.get(claim.uid) != ip:
            if claim.exclusive:
                self.detachment.see_gone(claim)
            else:
                self._see_gone(claim, ip)
        if claim.exclusive:
            self.detachment.see_eip_told(claim)
        self.announcer.withdraw(claim, lambda now: is_here(self.shared_ledger.current, now))
        self._gone.pop(claim.uid, None)

    def _live(self, address: Address) -> VpcIpClaim | None:
        """Return the claim of an address that is held, as the API server has it."""
        pod = address.pod
        claim = self.claims.live(pod.namespace, pod.name) if pod is not None else None
        return claim if claim is not None and claim.uid == address.fixed else None

    def _wants_here(self, claim: VpcIpClaim, address: Address) -> bool:
        return (
            not claim.deleting
            and claim.address is not None
            and claim.address.ip == address.ip
            and not elsewhere(claim, self.node)
        )

    def _see_gone(self, claim: VpcIpClaim, ip: str) -> None:
        """Return when the ENI of the claim's binding does not have the address; else TryAgainError.

        A new CVM may come to the name of one that is gone (names are private IPs, which are used again): what
        an ENI of that one still has, which no CVM has now, is taken off in its place.
        """
        eni_id = claim.binding.eni_id if claim.binding is not None else ""
        eni = self.cloud.describe_eni(eni_id) if eni_id else None
        if eni is None or all(entry.ip != ip for entry in eni.addresses):
            return
        deadline = Deadline.after(_SECONDS, self.monotonic)
        if eni_id in self.enis.enis:
            self.enis.look(deadline)
            raise TryAgainError(f"{ip} of VpcIPClaim {claim} is at {eni_id}: recorded now")
        if not eni.instance_id:
            self.cloud.unassign_ips(eni_id, (ip,), deadline)
            raise TryAgainError(f"{ip} of VpcIPClaim {claim} is taken off {eni_id}, which no CVM has")
        raise TryAgainError(f"{ip} of VpcIPClaim {claim} is at {eni_id} of {eni.instance_id}")
