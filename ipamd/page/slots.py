"""An ENI as it is drawn: a row of squares, one for each address that it may have."""

from ipamd.core.ledger.slots import Slot, SlotKind
from ipamd.page.markup import Element, tag

_SIDE, _GAP, _IN_A_ROW = 16, 3, 30
_LETTERS = {
    SlotKind.PRIMARY: "N",
    SlotKind.FREE: "",
    SlotKind.POD: "P",
    SlotKind.HELD: "H",
    SlotKind.COOLING: "C",
    SlotKind.QUARANTINED: "Q",
    SlotKind.NONE: "",
}
"""Beside the colour, for who does not see it."""
_MEANINGS = {
    SlotKind.PRIMARY: "the ENI's own address",
    SlotKind.FREE: "free for the next Pod",
    SlotKind.POD: "a Pod's",
    SlotKind.HELD: "held for a Pod that may come back",
    SlotKind.COOLING: "cooling down, or leaving",
    SlotKind.QUARANTINED: "not listed by the cloud",
    SlotKind.NONE: "no address yet",
}


def drawn(slots: tuple[Slot, ...], label: str) -> Element:
    """Return the squares; each says by its title what it is."""
    rows = -(-len(slots) // _IN_A_ROW)
    step = _SIDE + _GAP
    width, height = min(len(slots), _IN_A_ROW) * step, rows * step
    return tag(
        "svg",
        *(
            _square(slot, index % _IN_A_ROW * step, index // _IN_A_ROW * step)
            for index, slot in enumerate(slots)
        ),
        role="img",
        aria_label=label,
        width=width,
        height=height,
        viewBox=f"0 0 {width} {height}",
        xmlns="http://www.w3.org/2000/svg",
    )


def legend() -> Element:
    """Return what the squares mean."""
    return tag(
        "p",
        *(
            tag("span", drawn((Slot(kind, ""),), meaning), f" {meaning}", class_="key")
            for kind, meaning in _MEANINGS.items()
        ),
        class_="legend",
    )


def _square(slot: Slot, x: int, y: int) -> Element:
    letter = _LETTERS[slot.kind]
    return tag(
        "g",
        tag("title", slot.label) if slot.label else None,
        tag("rect", x=x + 1, y=y + 1, width=_SIDE, height=_SIDE, rx=3, class_=f"slot {slot.kind.value}"),
        tag("text", letter, x=x + 1 + _SIDE // 2, y=y + 13, class_="letter") if letter else None,
    )
