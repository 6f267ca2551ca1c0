"""Attaches the ENI of a claim to this node: told to the claim, written down, asked of the cloud, told again.

Each step may be the last one before a crash; the next round of `ipamd.agent.fixed.reconciler` starts at the
top and finds every step done already that was done. What the cloud shows of the ENI itself counts, not what a
list of the instance's ENIs shows, which may lag.
Thread safety: one call for a claim at a time; calls for different claims run in parallel.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ipamd.agent.enis import NodeEnis
from ipamd.agent.fixed.publish import VpcIpPublisher
from ipamd.agent.pool.freeze import THAW
from ipamd.agent.pool.writes import PoolWrites
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.ledger import fixed_addresses
from ipamd.core.ledger.fixed_addresses import FixedHold
from ipamd.core.security_groups import AssociateGroups, next_step
from ipamd.core.timing.boottime import after
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip.attach_actions import AttachEni

log = logging.getLogger(__name__)

_SECONDS = 60.0
"""How long one attempt may take; the next one goes on where it ended."""
_LOST_AFTER = 15.0
"""Seconds for which an ENI is not seen before it is believed to be gone: what the cloud shows may be old."""
_REFUSED = (CloudErrorKind.QUOTA, CloudErrorKind.WRONG_STATE)
"""How a CVM refuses an ENI for its EIP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnEniAttachment:
    """Attaches ENIs of claims to one node."""

    instance_id: Callable[[], str]
    cloud: TencentCloud
    enis: NodeEnis
    turns: PoolWrites
    """Whose turn an ENI is."""
    frozen: Callable[[], bool]
    """Whether an operator has the pool order nothing."""
    security_groups: Callable[[], Sequence[str]]
    """What each ENI of the node should have; empty: nothing is changed."""
    shared_ledger: SharedLedger
    announcer: VpcIpPublisher
    hold: float
    """Seconds for which an ENI is kept for its Pod."""
    monotonic: Callable[[], float]
    unseen: dict[str, float] = field(default_factory=dict)
    """Since when ENIs that are to be attached are not seen, by id."""

    def attach(self, action: AttachEni) -> None:
        """Attach the ENI; return when the cloud shows it here, its link is here, and the claim says it.

        Raises: CloudError, KernelError, KubeError, StoreError, TryAgainError; IpamError for an ENI that is
        gone or not the claim's. The record of the attempt stays, unless the cloud has refused it for certain.
        """
        if self.frozen():
            raise TryAgainError(f"{action.eni_id} is not attached, as the pool is frozen", advice=THAW)
        began = self.monotonic()
        deadline = Deadline.after(_SECONDS, self.monotonic)
        with self.turns.turn(action.eni_id, deadline):
            # Before the binding: a claim whose ENI is gone stays free for who makes another one.
            eni = self._the_eni(action, deadline)
            claim = self.announcer.begin(action.claim, action.pod, action.eni_id)
            with self.enis.exclusive.expecting(eni, self.enis.gateway_for(eni, deadline)):
                self._record(action)
                attached = self._ask(action, eni, deadline)
                self.enis.exclusive.arrived(attached)
                self._confirm(action, attached)
        took = self.monotonic() - began
        log.info("ENI %s of VpcIPClaim %s is attached, took %.1f s", action.eni_id, claim, took)
        self.announcer.assigned(claim, action.pod, action.eni_id, f", took {took:.1f} s")

    def _the_eni(self, action: AttachEni, deadline: Deadline) -> model.Eni:
        """Return the claim's ENI as the cloud has it; IpamError for one that it cannot be."""
        eni = self.cloud.describe_eni(action.eni_id, deadline)
        if eni is None:
            raise self._lost(action)
        self.unseen.pop(action.eni_id, None)
        if eni.tags.get(tags.VPC_IP_CLAIM_UID) != action.claim.uid or eni.primary_ip != action.ip:
            raise IpamError(
                f"ENI {action.eni_id} has the address {eni.primary_ip} and is not tagged with "
                f"{tags.VPC_IP_CLAIM_UID}={action.claim.uid}, so it is not that of VpcIPClaim {action.claim}",
                advice="restore the tag in the console, or delete the VpcIPClaim to have another address",
            )
        return eni

    def _lost(self, action: AttachEni) -> IpamError:
        """Give up an ENI that was not seen for a while; return what to say.

        Raises: KubeError, StoreError.
        """
        claim, now = action.claim, self.monotonic()
        if claim.binding is None or now - self.unseen.setdefault(action.eni_id, now) < _LOST_AFTER:
            return TryAgainError(f"ENI {action.eni_id} of VpcIPClaim {claim} is not listed")
        text = f"ENI {action.eni_id} of VpcIPClaim {claim} does not exist, and {action.ip} with it"
        ledger = self.shared_ledger.apply(
            lambda ledger: fixed_addresses.abandon(ledger, action.ip, action.claim.uid)
        ).ledger
        if action.ip not in ledger.addresses:
            # Whoever makes another one begins when the claim is free.
            self.announcer.lost(claim, text)
            self.unseen.pop(action.eni_id, None)
            return TryAgainError(f"{text}: the controller makes another one, if the address is free")
        # What is held is let go, an EIP of it with it; the binding follows as ever.
        known = ledger.addresses[action.ip]
        self.shared_ledger.apply(
            lambda ledger: fixed_addresses.let_go(ledger, known, self.shared_ledger.now())
        )
        return IpamError(text, advice="delete the Pod: then another ENI is made, if the address is free")

    def _record(self, action: AttachEni) -> None:
        """Write the address down before the cloud is asked. Raises: StoreError, TryAgainError."""
        now = self.shared_ledger.now()
        hold = FixedHold(claim_uid=action.claim.uid, pod=action.pod, until=after(now, self.hold))
        self.shared_ledger.apply(
            lambda ledger: fixed_addresses.begin_assign(
                ledger, action.ip, action.eni_id, hold, now, exclusive=True
            )
        )

    def _ask(self, action: AttachEni, eni: model.Eni, deadline: Deadline) -> model.Eni:
        """Have the cloud attach the ENI with the node's security groups; return it as it is then."""
        instance_id = self.instance_id()
        try:
            if not eni.instance_id:
                # Attached already, it is kept in step by `EniSecurityGroups`.
                self._set_groups(eni, deadline)
            elif eni.instance_id == instance_id and eni.state is model.EniState.AVAILABLE:
                return eni
            return self.cloud.attach_eni(action.eni_id, instance_id, deadline)
        except CloudError as e:
            if not e.kind.policy.needs_look:
                # Refused for certain: it takes no place on the node.
                self.shared_ledger.note(
                    lambda ledger: fixed_addresses.abandon(ledger, action.ip, action.claim.uid)
                )
            eip_id = next((entry.eip_id for entry in eni.addresses if entry.primary), "")
            if eip_id and not eni.instance_id and e.kind in _REFUSED:
                detail = (
                    f"{eni.eni_id} was not attached to {instance_id}: {e.detail}; {eip_id} stays at it. "
                    "If the node has all the public IPs that it may have, let the Pod request "
                    "tke.cloud.tencent.com/eip, which the scheduler counts"
                )
                raise e.restated(detail) from e
            raise

    def _set_groups(self, eni: model.Eni, deadline: Deadline) -> None:
        """Give the ENI the node's groups before a packet can come; what others it has goes later, as ever."""
        groups = tuple(self.security_groups())
        step = next_step(eni.security_groups, groups)
        missing = step.groups if isinstance(step, AssociateGroups) else ()
        missing = missing if eni.security_groups else groups
        if missing:
            self.cloud.associate_security_groups([eni.eni_id], missing, deadline)

    def _confirm(self, action: AttachEni, attached: model.Eni) -> None:
        (listed,) = [entry for entry in attached.addresses if entry.primary]
        self.shared_ledger.note(
            lambda ledger: fixed_addresses.confirm_attached(
                ledger, action.ip, action.claim.uid, listed, self.shared_ledger.now()
            )
        )
