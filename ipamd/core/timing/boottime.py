"""The time by which an address is young, cools, is held: seconds since the kernel was booted.

Nobody can set that clock, it goes on while the machine sleeps, and it is the same for every process of a
boot, so a stored instant stays true when the agent restarts. An instant of another boot says nothing; what
becomes of those stands in `ipamd.core.ledger.restart`. Unix time is for people and for other machines: it is
made from an instant where it is shown, by what the wall clock says then.
"""

from typing import NewType

Boottime = NewType("Boottime", float)
"""An instant in seconds of the kernel's CLOCK_BOOTTIME; a type of its own, so that no Unix time gets in."""

BOOT = Boottime(0.0)
"""The boot itself: nothing of this boot is older."""
LONG_AGO = Boottime(float("-inf"))
"""Before everything: of what has not happened yet."""


def after(now: Boottime, seconds: float) -> Boottime:
    """Return the instant `seconds` later."""
    return Boottime(now + seconds)


def to_unix(at: Boottime, *, now: Boottime, wall: float) -> float:
    """Return the Unix time of an instant, when it is `now` and the wall clock shows `wall`."""
    return wall - (now - at)
