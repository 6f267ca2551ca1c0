"""Assigns one fixed address to one ENI: told to the claim, written down, asked of the cloud, told again.

Each step may be the last one before a crash; the next round of `ipamd.agent.fixed.reconciler` starts at the
top and finds every step done already that was done. Thread safety: one call for a claim at a time; calls for
different claims run in parallel, one at a time for an ENI.
"""

import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ipamd.agent.fixed.publish import VpcIpPublisher
from ipamd.agent.pool.freeze import THAW
from ipamd.agent.pool.writes import PoolWrites
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import fixed_addresses
from ipamd.core.ledger.fixed_addresses import FixedHold
from ipamd.core.timing.boottime import after
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import replacement
from ipamd.core.vpc_ip.attach_actions import AssignFixed, PublishAssigned, ReclaimFixed
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

log = logging.getLogger(__name__)

SECONDS: Final = 60.0
"""How long one attempt may take; the next one goes on where it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedAssignment:
    """Assigns fixed addresses of one node."""

    cloud: TencentCloud
    turns: PoolWrites
    """Whose turn an ENI is."""
    frozen: Callable[[], bool]
    """Whether an operator has the pool order nothing."""
    has_place: Callable[[str], bool]
    """Whether an ENI can take one address more."""
    shared_ledger: SharedLedger
    announcer: VpcIpPublisher
    hold: float
    """Seconds for which an address is kept for its Pod."""
    monotonic: Callable[[], float]

    def assign(self, action: AssignFixed) -> None:
        """Assign the address; return when the cloud lists it and the claim says it.

        Raises: CloudError, KubeError, StoreError, TryAgainError; the record of the attempt stays, unless
        the address is somebody else's for certain.
        """
        if self.frozen():
            raise TryAgainError(f"{action.ip} is not assigned, as the pool is frozen", advice=THAW)
        began = self.monotonic()
        deadline = Deadline.after(SECONDS, self.monotonic)
        with self.turns.turn(action.eni_id, deadline):
            self._see_place(action)
            claim = self.announcer.begin(action.claim, action.pod, action.eni_id)
            self._record(action)
            self._ask(action, claim, deadline)
        self.shared_ledger.note(lambda ledger: fixed_addresses.confirm_assigned(ledger, action.ip, claim.uid))
        took = self.monotonic() - began
        log.info("%s of VpcIPClaim %s is assigned to %s, took %.1f s", action.ip, claim, action.eni_id, took)
        self.announcer.assigned(claim, action.pod, action.eni_id, f", took {took:.1f} s")

    def announce(self, action: PublishAssigned) -> None:
        """Tell what is so already. Raises: KubeError, TryAgainError."""
        claim = self.announcer.begin(action.claim, action.pod, action.address.eni_id)
        self.announcer.assigned(claim, action.pod, action.address.eni_id)

    def reclaim(self, action: ReclaimFixed) -> None:
        """Hold an address for its claim that the node has already. Raises: StoreError."""
        taken = self.shared_ledger.apply(
            lambda ledger: fixed_addresses.reclaim(
                ledger, action.ip, self._hold_of(action), self.shared_ledger.now()
            )
        )
        if taken:
            log.info("%s is VpcIPClaim %s's, and held for its Pod", action.ip, action.claim)

    def _see_place(self, action: AssignFixed) -> None:
        """Raise TryAgainError if others had the ENI's last places while this one waited for its turn."""
        known = self.shared_ledger.current.addresses.get(action.ip)
        is_counted = known is not None and known.eni_id == action.eni_id
        if not is_counted and not self.has_place(action.eni_id):
            raise TryAgainError(
                f"{action.eni_id} has no place for {action.ip} any more; another one is found"
            )

    def _record(self, action: AssignFixed) -> None:
        """Write the address down before the cloud is asked. Raises: StoreError, TryAgainError."""
        self.shared_ledger.apply(
            lambda ledger: fixed_addresses.begin_assign(
                ledger, action.ip, action.eni_id, self._hold_of(action), self.shared_ledger.now()
            )
        )

    def _ask(self, action: AssignFixed, claim: VpcIpClaim, deadline: Deadline) -> None:
        """Have the cloud assign the address; `claim` is as it is with this node's binding in it."""
        description = tags.address_description(action.claim.uid)
        try:
            self.cloud.assign_named_ip(action.eni_id, action.ip, description, uuid.uuid4().hex, deadline)
        except CloudError as e:
            if not e.kind.policy.needs_look:
                # Refused for certain: it keeps no place on the ENI, and another ENI may be tried.
                self.shared_ledger.note(
                    lambda ledger: fixed_addresses.abandon(ledger, action.ip, action.claim.uid)
                )
            if e.kind is CloudErrorKind.ADDRESS_IN_USE:
                advised = e.advised(replacement.advice(claim))
                self.announcer.in_use(claim, advised)
                raise advised from e
            raise

    def _hold_of(self, action: AssignFixed | ReclaimFixed) -> FixedHold:
        until = after(self.shared_ledger.now(), self.hold)
        return FixedHold(claim_uid=action.claim.uid, pod=action.pod, until=until)
