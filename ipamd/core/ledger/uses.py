"""What an address of the node is doing, since when, until when, and why. Pure."""

from dataclasses import dataclass

from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Cooling,
    Held,
    Occupied,
    State,
    Unassigning,
    Unbinding,
    Warm,
)
from ipamd.core.timing.boottime import Boottime

_WORDS: dict[type[State], str] = {
    Warm: "free",
    Assigned: "pod",
    Held: "held",
    Occupied: "occupied",
    Unbinding: "unbinding",
    Cooling: "cooling",
    Unassigning: "returning",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressUse:
    """What one address is doing."""

    word: str
    pod: str = ""
    since: Boottime | None = None
    until: Boottime | None = None
    why: str = ""


def is_coming(address: Address) -> bool:
    """Whether it is a fixed address that the cloud is asked for, and that no sandbox has had yet."""
    return address.quarantined and isinstance(address.state, Held) and not address.state.key.ifname


def use_of(address: Address) -> AddressUse:
    """Return what an address is doing; that it is in quarantine comes before everything else."""
    state = address.state
    pod = str(address.pod) if address.pod else ""
    if is_coming(address):
        why = "the cloud is asked for it: it is the Pod's fixed address"
        return AddressUse(word="assigning", pod=pod, since=address.missing_since, why=why)
    if address.missing_since is not None:
        what = f"; it is {_WORDS[type(state)]}" if not isinstance(state, Warm) else ""
        why = f"the cloud does not list it at this node, so nobody gets it{what}"
        return AddressUse(word="quarantined", pod=pod, since=address.missing_since, why=why)
    word = _WORDS[type(state)]
    match state:
        case Held(until=until, by_name=by_name):
            whom = "the next Pod of this name" if by_name else "the Pod's next sandbox"
            fixed = ", whose fixed address it is" if address.fixed else ""
            return AddressUse(word=word, pod=pod, until=until, why=f"kept for {whom}{fixed}")
        case Cooling(until=until):
            found = "found after the store was lost; it waits for its VpcIPClaim"
            why = found if address.fixed else "remote peers may still send to its last Pod"
            return AddressUse(word=word, until=until, why=why)
        case Unbinding(since=since) if address.keeps_eip:
            why = "its ENI is being detached, and keeps its EIP"
            return AddressUse(word=_WORDS[Unassigning], since=since, why=why)
        case Unbinding(since=since):
            eip = address.eip.eip_id if address.eip else "its EIP"
            return AddressUse(word=word, since=since, why=f"{eip} is being unbound")
        case Occupied(since=since):
            return AddressUse(
                word=word, pod=pod, since=since, why="found in the kernel after the store was lost"
            )
        case Warm(since=since) | Assigned(since=since) | Unassigning(since=since):
            why = "a fixed address: it belongs to a VpcIPClaim" if address.fixed else ""
            return AddressUse(word=word, pod=pod, since=since, why=why)
