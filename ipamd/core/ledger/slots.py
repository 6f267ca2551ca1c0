"""What each address that an ENI may have is used for, in one word and one line. Pure."""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from ipamd.core.ledger.states import Address, Assigned, Cooling, Held, Occupied, Unassigning, Unbinding
from ipamd.core.ledger.uses import is_coming
from ipamd.core.timing.boottime import Boottime


class SlotKind(Enum):
    """What an address is used for, as far as an operator cares."""

    PRIMARY = "primary"
    POD = "pod"
    HELD = "held"
    COOLING = "cooling"
    QUARANTINED = "quarantined"
    FREE = "free"
    NONE = "none"
    """The ENI could have one address more."""


class Slot(NamedTuple):
    """One address of an ENI, or the place for one."""

    kind: SlotKind
    label: str


def slots(addresses: Iterable[Address], limit: int, now: Boottime) -> tuple[Slot, ...]:
    """Return what the addresses of one ENI are used for: its own first, the Pods', then the others.

    `limit` is how many it may have, its own included.
    """
    order = list(SlotKind)
    used = sorted(
        (_slot(address, now) for address in addresses), key=lambda slot: (order.index(slot.kind), slot.label)
    )
    places = max(0, limit - 1 - len(used))
    own = Slot(SlotKind.PRIMARY, "the ENI's own address")
    return (own, *used, *[Slot(SlotKind.NONE, "no address yet")] * places)


def whole(address: Address | None, now: Boottime) -> Slot:
    """Return what the address of an ENI is used for that one Pod has as a whole; None: no Pod can have it."""
    return _slot(address, now) if address is not None else Slot(SlotKind.NONE, "no Pod can have it")


def _slot(address: Address, now: Boottime) -> Slot:
    eip = f", EIP {address.eip.public_ip} ({address.eip.stage.value})" if address.eip else ""
    if is_coming(address):
        return Slot(SlotKind.HELD, f"{address.ip}: being assigned, the fixed address of Pod {address.pod}")
    if address.quarantined:
        whose = f", of Pod {address.pod}" if address.pod else ""
        return Slot(SlotKind.QUARANTINED, f"{address.ip}: the cloud does not list it{whose}{eip}")
    match address.state:
        case Assigned(pod=pod):
            return Slot(SlotKind.POD, f"{address.ip}: Pod {pod}{eip}")
        case Occupied(pod=pod):
            owner = f"Pod {pod}" if pod else "a Pod of before the store was lost"
            return Slot(SlotKind.POD, f"{address.ip}: {owner}{eip}")
        case Held(pod=pod, until=until):
            return Slot(
                SlotKind.HELD, f"{address.ip}: held for Pod {pod}, {max(0, until - now):.0f} s more{eip}"
            )
        case Cooling(until=until):
            return Slot(SlotKind.COOLING, f"{address.ip}: cools down, {max(0, until - now):.0f} s more")
        case Unbinding() if address.keeps_eip:
            return Slot(SlotKind.COOLING, f"{address.ip}: its ENI is being detached{eip}")
        case Unbinding():
            return Slot(SlotKind.COOLING, f"{address.ip}: its EIP is being unbound{eip}")
        case Unassigning():
            return Slot(SlotKind.COOLING, f"{address.ip}: on its way back to the cloud")
        case _:
            return Slot(SlotKind.FREE, f"{address.ip}: free")
