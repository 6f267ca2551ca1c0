"""How a claim gets an ENI of its own, keeps it and gives it back: the ENI is what keeps the address.

Rules in the manner of `state_machine`, which has the table. An ENI is made only after a look at those that
carry the claim's tags: none lets one be made, one is the claim's, several are an error and no action. It is
detached only for a node that is gone, and deleted only when the cloud shows it detached and without an EIP.
Pure.
"""

from dataclasses import replace

from ipamd.core import tags
from ipamd.core.claim.actions import ClearBinding, Wait
from ipamd.core.claim.eipclaim import condition
from ipamd.core.model import Eni, EniState
from ipamd.core.vpc_ip import order
from ipamd.core.vpc_ip.actions import (
    DeleteOwnEni,
    DetachOwnEni,
    DropLine,
    ForgetEni,
    KeepAddress,
    LookAtEnis,
    LookAtUse,
    MarkUnreserved,
    MarkWithoutAddress,
    VpcIpAction,
)
from ipamd.core.vpc_ip.facts import AddressRefusal, VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, AddressBinding, FixedAddress, VpcIpClaim

_POLL = 1.0
"""Seconds between looks at an ENI that the cloud is at work on."""
_IN_USE = 10.0
"""Seconds between looks at an ENI that is to be given back and that somebody has."""


def adopt(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Make the ENI that was created for the claim its own; None when there is none yet."""
    if facts.enis is None:
        return LookAtEnis()
    if facts.eni_refusal is not None:
        return MarkWithoutAddress(reason=facts.eni_refusal.reason, message=facts.eni_refusal.message)
    if len(facts.enis) > 1:
        return MarkWithoutAddress(reason=VpcIpReason.AMBIGUOUS_ENI, message=_ambiguous(claim, facts.enis))
    if not facts.enis:
        return None
    found = facts.enis[0]
    if found.state is not EniState.AVAILABLE or not found.primary_ip:
        return Wait(reason=f"{found.eni_id} is {found.state.value}", seconds=_POLL)
    if found.primary_ip in facts.foreign_ips:
        return _give_up_foreign(claim, found)
    stray = order.stray_line(facts, claim, found.primary_ip)
    if stray is not None:
        return DropLine(line=stray)
    address = order.address(facts, found.primary_ip, found.subnet_id, eni_id=found.eni_id)
    return order.enter(facts, address, AddressRefusal(VpcIpReason.RESERVED, found.eni_id))


def forget(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Forget an ENI that the agent did not find; None when it is there, or nobody has missed it."""
    address, said = claim.address, condition(claim.conditions, ASSIGNED)
    missed = said.get("status") == "False" and said.get("reason") == VpcIpReason.ENI_LOST.value
    if not missed or claim.binding is not None or address is None or not address.eni_id:
        return None
    if facts.enis is None:
        return LookAtEnis()
    if address.eni_id in {eni.eni_id for eni in facts.enis}:
        return None
    if facts.use is None:  # that no list shows it is not enough: one may be old
        return LookAtUse(ip=address.ip, subnet_id=address.subnet_id)
    if facts.use.eni_id == address.eni_id:
        return None
    return ForgetEni(message=f"{address.eni_id} was deleted; another ENI gets {address.ip}")


def restore(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Have another ENI with the claim's address in the place of one that is gone; None for not now."""
    address = claim.address
    if address is None or address.eni_id or not facts.reserve_again:
        return None
    if facts.enis is None:
        return LookAtEnis()
    if facts.eni_refusal is not None:
        return MarkUnreserved(reason=facts.eni_refusal.reason, message=facts.eni_refusal.message)
    if address.ip in facts.foreign_ips or address.subnet_id in facts.full:
        message = f"no ENI can have {address.ip}: {facts.taken_by or 'the subnet is full'}"
        return MarkUnreserved(reason=VpcIpReason.ADDRESS_TAKEN, message=message)
    if len(facts.enis) > 1 or any(eni.primary_ip not in ("", address.ip) for eni in facts.enis):
        return MarkUnreserved(reason=VpcIpReason.AMBIGUOUS_ENI, message=_ambiguous(claim, facts.enis))
    if facts.enis:
        return _restored(address, facts.enis[0])
    if claim.allocation.started is not None and claim.allocation.ip == address.ip:
        return order.repeat(claim)
    return order.begin(facts, claim, address.subnet_id, address.ip)


def take_off(facts: VpcIpFacts, binding: AddressBinding) -> VpcIpAction:
    """Detach the claim's ENI in the place of a node that is gone; its EIP stays at it."""
    gone = f"node {binding.node} is gone"
    if facts.enis is None:
        return LookAtEnis()
    eni = next((one for one in facts.enis if one.eni_id == binding.eni_id), None)
    if eni is None:
        return ClearBinding(message=f"{gone}, and {binding.eni_id} is no ENI of this claim")
    if eni.state is not EniState.AVAILABLE:
        return Wait(reason=f"{eni.eni_id} is {eni.state.value}", seconds=_POLL)
    if eni.instance_id:
        return DetachOwnEni(eni_id=eni.eni_id, instance_id=eni.instance_id)
    return ClearBinding(message=f"{gone}; {eni.eni_id} is attached to nothing")


def give_back(facts: VpcIpFacts, claim: VpcIpClaim) -> VpcIpAction | None:
    """Delete the ENIs of a deleted claim without binding, one after the other; None when none is left."""
    if facts.enis is None:
        return LookAtEnis()
    left = [eni for eni in facts.enis if eni.eni_id not in facts.released]
    if left:
        return _end(facts, claim, left[0])
    address = claim.address
    if address is None or not address.eni_id or address.eni_id in facts.released:
        return None
    if facts.use is None:  # that no list shows it is not enough: one may be old
        return LookAtUse(ip=address.ip, subnet_id=address.subnet_id)
    if facts.use.eni_id == address.eni_id:
        return Wait(reason=f"{facts.use.place} still has {address.ip}", seconds=_IN_USE)
    return None


def may_delete(eni: Eni) -> bool:
    """Whether nothing of the ENI is in use, as the cloud shows it."""
    return eni.state is EniState.AVAILABLE and not eni.instance_id and not _eips(eni)


def _end(facts: VpcIpFacts, claim: VpcIpClaim, eni: Eni) -> VpcIpAction:
    if eni.instance_id:
        return Wait(
            reason=f"{eni.eni_id} of the deleted VpcIPClaim {claim} is still attached to {eni.instance_id}: "
            "the agent of its node detaches it; if it was attached by hand, detach it in the console",
            seconds=_IN_USE,
            warning="AddressStillAssigned",
        )
    if _eips(eni):
        return _wait_for_eip(facts, claim, eni)
    if not may_delete(eni):
        return Wait(reason=f"{eni.eni_id} is {eni.state.value}", seconds=_POLL)
    return DeleteOwnEni(eni_id=eni.eni_id)


def _wait_for_eip(facts: VpcIpFacts, claim: VpcIpClaim, eni: Eni) -> VpcIpAction:
    """Wait until nothing public leads to the ENI: a deleted ENI would unbind an EIP without a word."""
    eip_id = _eips(eni)[0]
    if eip_id in facts.claimed_eips:
        return Wait(reason=f"{eip_id} at {eni.eni_id} is unbound by its EIPClaim first", seconds=_POLL)
    return Wait(
        reason=f"{eip_id} is bound to {eni.eni_id} of the deleted VpcIPClaim {claim}, and no EIPClaim of "
        "this cluster has it: unbind it in the console",
        seconds=_IN_USE,
        warning="EIPStillBound",
    )


def _give_up_foreign(claim: VpcIpClaim, found: Eni) -> VpcIpAction:
    """Give back an ENI whose address another claim has by the book, so that the next one gets another."""
    if not may_delete(found):
        return order.taken(claim, found.primary_ip, f"another VpcIPClaim has it; {found.eni_id} carries it")
    return DeleteOwnEni(eni_id=found.eni_id)


def _restored(address: FixedAddress, found: Eni) -> VpcIpAction:
    if found.state is not EniState.AVAILABLE or not found.primary_ip:
        return Wait(reason=f"{found.eni_id} is {found.state.value}", seconds=_POLL)
    kept = replace(address, eni_id=found.eni_id)
    return KeepAddress(address=kept, reason=VpcIpReason.RESERVED, message=found.eni_id)


def _eips(eni: Eni) -> list[str]:
    return [address.eip_id for address in eni.addresses if address.eip_id]


def _ambiguous(claim: VpcIpClaim, found: tuple[Eni, ...]) -> str:
    several = ", ".join(f"{eni.eni_id} ({eni.primary_ip or 'no address'})" for eni in found)
    return (
        f"ENIs carry the tag {tags.VPC_IP_CLAIM_UID} of claim {claim} that do not fit it: {several}; nothing "
        "is done until one is left with this tag: delete the others, or take the tag off, in the console"
    )
