"""Addresses that belong to VpcIPClaims: how they come into the ledger, and how they leave it.

    (none) -> Held in quarantine -> Held -> Assigned -> (Held ->) (Unbinding ->) Unassigning -> (none)

Operations in the manner of `ipamd.core.ledger.ledger`: pure, each returns a `Transition`. An address is
recorded before the cloud is asked for it, as one that the cloud does not list yet: so it takes its place on
the ENI, no Pod gets it, and a crash leaves a record that says "maybe". What ADD, DEL and EIPs do with it is
what they do with every address.

An ENI that is a claim's as a whole comes and goes the same way (ADR 48): "assigned" is "attached" then, and
its EIP is recorded with it, and forgotten with it, because it stays at the ENI.
"""

from dataclasses import dataclass, replace

from ipamd.core import model
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger.ledger import Ledger, Transition, vacated
from ipamd.core.ledger.states import (
    Address,
    Binding,
    BindStage,
    Cooling,
    Held,
    Unassigning,
    Unbinding,
    Warm,
    moved,
)
from ipamd.core.timing.boottime import Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedHold:
    """For which claim and Pod an address is, and until when it is kept without the Pod."""

    claim_uid: str
    pod: model.PodRef
    until: Boottime

    def held(self) -> Held:
        """Return the state of the address before its Pod's first sandbox."""
        # No sandbox has had it yet: the claim's UID stands in for one, and no interface.
        key = model.SandboxKey(container_id=self.claim_uid, ifname="")
        return Held(key=key, pod=self.pod, until=self.until, by_name=True)


def begin_assign(
    ledger: Ledger, ip: str, eni_id: str, hold: FixedHold, now: Boottime, *, exclusive: bool = False
) -> Transition:
    """Record that the cloud is about to be asked for this very address, for the claim's Pod.

    `exclusive` says that it is to come with its ENI.

    One that is recorded for the claim already stays as it is, but for the Pod that it is held for.
    Raises: TryAgainError when the address is somebody else's here.
    """
    address = ledger.addresses.get(ip)
    if address is None:
        return ledger.changed(
            Address(
                ip=ip,
                eni_id=eni_id,
                state=hold.held(),
                added_at=now,
                missing_since=now,
                exclusive=exclusive,
                fixed=hold.claim_uid,
            )
        )
    if address.fixed != hold.claim_uid:
        raise TryAgainError(f"{ip} is at this node for somebody else: {address.state}")
    if not isinstance(address.state, Held) or address.state.pod == hold.pod:
        return Transition(ledger, address=address)
    return ledger.changed(replace(address, state=replace(address.state, pod=hold.pod, until=hold.until)))


def confirm_assigned(ledger: Ledger, ip: str, claim_uid: str) -> Transition:
    """Record that the cloud shows the address at its ENI; nothing when it is not the claim's any more."""
    address = ledger.addresses.get(ip)
    if address is None or address.fixed != claim_uid or not address.quarantined:
        return Transition(ledger, address=address)
    return ledger.changed(replace(address, missing_since=None))


def confirm_attached(
    ledger: Ledger, ip: str, claim_uid: str, listed: model.EniAddress, now: Boottime
) -> Transition:
    """Record that the cloud shows the ENI of the address here, with what is `listed` of it.

    Nothing when it is not the claim's any more. A listing from before tells nothing about it.
    """
    address = ledger.addresses.get(ip)
    if address is None or address.fixed != claim_uid or not address.quarantined:
        return Transition(ledger, address=address)
    there = replace(address, missing_since=None, added_at=now)
    if there.eip is None and listed.eip_id and ledger.with_eip(listed.eip_id) is None:
        eip = Binding(eip_id=listed.eip_id, public_ip=listed.public_ip, stage=BindStage.BOUND)
        there = replace(there, eip=eip)
    return ledger.changed(there)


def detached(ledger: Ledger, ip: str, claim_uid: str) -> Transition:
    """Forget an address whose ENI is off this node, and its EIP, which stays at the ENI.

    Nothing when it is not the claim's any more, or was not let go.
    """
    address = ledger.addresses.get(ip)
    if address is None or address.fixed != claim_uid or not address.moves_as_eni:
        return Transition(ledger)
    if not isinstance(address.state, Unassigning | Unbinding):
        return Transition(ledger)
    return ledger.changed(forget=[ip])


def abandon(ledger: Ledger, ip: str, claim_uid: str) -> Transition:
    """Forget an address that the cloud has refused for certain, unless a Pod has it."""
    address = ledger.addresses.get(ip)
    if address is None or address.fixed != claim_uid or not address.quarantined:
        return Transition(ledger)
    if not isinstance(address.state, Held) or address.eip is not None:
        return Transition(ledger)
    return ledger.changed(forget=[ip])


def reclaim(ledger: Ledger, ip: str, hold: FixedHold, now: Boottime) -> Transition:
    """Hold an address for the claim's Pod that is on an ENI, and that nobody has.

    After the store was lost it was found by its description, or came in as one for every Pod.
    """
    address = ledger.addresses.get(ip)
    if address is None or address.fixed not in ("", hold.claim_uid):
        return Transition(ledger)
    if address.keeps_eip and isinstance(address.state, Unbinding):
        return ledger.changed(moved(address, hold.held()))
    # One that is to be an ENI's for every Pod is no claim's.
    of_another_kind = address.exclusive and not address.fixed
    if not isinstance(address.state, Warm | Cooling) or of_another_kind:
        return Transition(ledger)
    fixed = replace(address, fixed=hold.claim_uid, state=Cooling(until=now))
    return ledger.changed(moved(fixed, hold.held()))


def let_go(ledger: Ledger, before: Address, now: Boottime, *, with_eip: bool = True) -> Transition:
    """Give an address up that is held or kept for its claim's next Pod; nothing when a Pod has it by now.

    An EIP that stays at the address's ENI goes along `with_eip`; else it is unbound first, as every other.
    """
    address = ledger.addresses.get(before.ip)
    if address is None or address.fixed != before.fixed:
        return Transition(ledger)
    if not with_eip and address.eip is not None and address.eip.claim:
        address = address.staged(BindStage.UNBINDING)
    if isinstance(address.state, Unbinding):
        return ledger.changed(address) if address != ledger.addresses[before.ip] else Transition(ledger)
    if not isinstance(address.state, Held | Cooling):
        return Transition(ledger)
    return ledger.changed(vacated(address, 0.0, now))
