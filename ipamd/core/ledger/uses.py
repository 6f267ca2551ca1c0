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


def use_of(address: Address) -> AddressUse:
    """Return what an address is doing; that it is in quarantine comes before everything else."""
    state = address.state
    pod = str(address.pod) if address.pod else ""
    if address.missing_since is not None:
        what = f"; it is {_WORDS[type(state)]}" if not isinstance(state, Warm) else ""
        why = f"the cloud does not list it at this node, so nobody gets it{what}"
        return AddressUse(word="quarantined", pod=pod, since=address.missing_since, why=why)
    word = _WORDS[type(state)]
    match state:
        case Held(until=until, by_name=by_name):
            whom = "the next Pod of this name" if by_name else "the Pod's next sandbox"
            return AddressUse(word=word, pod=pod, until=until, why=f"kept for {whom}")
        case Cooling(until=until):
            return AddressUse(word=word, until=until, why="remote peers may still send to its last Pod")
        case Unbinding(since=since):
            eip = address.eip.eip_id if address.eip else "its EIP"
            return AddressUse(word=word, since=since, why=f"{eip} is being unbound")
        case Occupied(since=since):
            return AddressUse(
                word=word, pod=pod, since=since, why="found in the kernel after the store was lost"
            )
        case Warm(since=since) | Assigned(since=since) | Unassigning(since=since):
            return AddressUse(word=word, pod=pod, since=since)
