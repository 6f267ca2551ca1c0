"""The EIP of an address, stage by stage: recorded before the cloud is asked, dropped once it said UNBIND.

    (none) -> BINDING -> BOUND -> UNBINDING -> (none)

Operations on the ledger in the manner of `ipamd.core.ledger.ledger`: pure, each returns a `Transition`. The
record is what keeps an address from being given to another Pod while an EIP may still deliver packets to it,
so it is written first and removed last; a crash between two steps leaves a record that says "maybe".
"""

from dataclasses import replace

from ipamd.core import model
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Binding,
    BindStage,
    Cooling,
    Held,
    IllegalMoveError,
    Occupied,
    Unassigning,
    Unbinding,
    moved,
)
from ipamd.core.timing.boottime import Boottime, after


def begin_bind(ledger: Ledger, ip: str, binding: Binding) -> Transition:
    """Record that this EIP is about to be associated with this address, which has an owner or a holder.

    Recording the same EIP again only refreshes what is known of it (its claim, whether it is retained) and
    never takes a confirmed stage back.

    Raises:
        IllegalMoveError: the address is nobody's, has another EIP or this one on its way out; or the EIP is
            recorded at another address.
    """
    address = ledger.addresses[ip]
    if not isinstance(address.state, Assigned | Held | Occupied):
        raise IllegalMoveError(address, f"bound to {binding.eip_id}")
    elsewhere = ledger.with_eip(binding.eip_id)
    if elsewhere is not None and elsewhere.ip != ip:
        raise IllegalMoveError(elsewhere, f"without {binding.eip_id}, which {ip} wants")
    if address.eip is None:
        return ledger.changed(replace(address, eip=replace(binding, stage=BindStage.BINDING)))
    if address.eip.eip_id != binding.eip_id or address.eip.stage is BindStage.UNBINDING:
        raise IllegalMoveError(address, f"bound to {binding.eip_id}")
    return _stored(ledger, address, replace(address, eip=replace(binding, stage=address.eip.stage)))


def confirm_bound(ledger: Ledger, ip: str, eip_id: str) -> Transition:
    """Record that the cloud shows the association; nothing when it is not wanted any more.

    One that stays at an ENI which moves is wanted there, also when that is about to leave.
    """
    address = ledger.addresses.get(ip)
    if address is None or address.eip is None or address.eip.eip_id != eip_id:
        return Transition(ledger)
    leaving = isinstance(address.state, Unbinding) and not address.may_keep_eip
    if address.eip.stage is BindStage.UNBINDING or leaving:
        return Transition(ledger, address=address)
    return _stored(ledger, address, address.staged(BindStage.BOUND))


def begin_unbind(ledger: Ledger, ip: str, eip_id: str) -> Transition:
    """Record that this EIP is about to be disassociated; nothing when it is not recorded here.

    A running Pod that loses its EIP is from now on as one without, until another one is bound.
    """
    address = ledger.addresses.get(ip)
    if address is None or address.eip is None or address.eip.eip_id != eip_id:
        return Transition(ledger)
    leaving = address.staged(BindStage.UNBINDING)
    if isinstance(leaving.state, Assigned):
        leaving = replace(leaving, state=replace(leaving.state, awaits_eip=False))
    return _stored(ledger, address, leaving)


def confirm_unbound(ledger: Ledger, ip: str, eip_id: str, cooldown: float, now: Boottime) -> Transition:
    """Drop the record: the cloud shows that the EIP is not at this address.

    An Unbinding one cools; a fixed one goes back to the cloud.
    """
    address = ledger.addresses.get(ip)
    if address is None or address.eip is None or address.eip.eip_id != eip_id:
        return Transition(ledger)
    bare = replace(address, eip=None)
    if isinstance(address.state, Unbinding):
        free = Unassigning(since=now) if address.fixed else Cooling(until=after(now, cooldown))
        return ledger.changed(moved(bare, free))
    return ledger.changed(bare)


def _stored(ledger: Ledger, before: Address, after: Address) -> Transition:
    return Transition(ledger, address=after) if before == after else ledger.changed(after)


def place(eip: model.Eip | None, binding: Binding) -> str:
    """Return in words where the cloud shows the EIP of a record; None: it does not show it."""
    if eip is None:
        return f"EIP {binding.eip_id} does not exist"
    at = f" to {eip.private_ip} on {eip.eni_id}" if eip.bound else ""
    return f"EIP {eip.eip_id} is {eip.status.value}{at}"


def is_at(eip: model.Eip | None, address: Address) -> bool:
    """Whether the EIP is, or may soon be, at the address."""
    place = (eip.eni_id, eip.private_ip) if eip is not None else ("", "")
    loose = eip is None or eip.status in (model.EipStatus.UNBIND, model.EipStatus.OFFLINING)
    return not loose and place == (address.eni_id, address.ip)
