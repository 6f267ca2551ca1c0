"""Security groups of an ENI: what brings those that it has to those that it should have. Pure.

New ones come first and old ones go last, so that no ENI is ever without one, nor has more than it may. Which
of them has precedence is not compared: the cloud orders them as they come (document 215/38750).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MOST: Final = 5
"""So many an ENI has at most while they are changed (document 213/500)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociateGroups:
    """Give these groups to the ENI."""

    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisassociateGroups:
    """Take these groups off the ENI."""

    groups: tuple[str, ...]


def next_step(has: Sequence[str], wanted: Sequence[str]) -> AssociateGroups | DisassociateGroups | None:
    """Return the next change; None when it has what it should.

    Nothing is done for an empty wish, nor for an ENI that is listed without groups: then somebody, or the
    cloud, does not say what is true.
    """
    missing = tuple(group for group in wanted if group not in has)
    surplus = tuple(group for group in has if group not in wanted)
    if not wanted or not has or not (missing or surplus):
        return None
    room = max(MOST, len(wanted)) - len(has)
    if missing and room > 0:
        return AssociateGroups(groups=missing[:room])
    # One always stays: with room for none and something missing, that many go as can come next.
    return DisassociateGroups(groups=surplus[: min(len(missing), len(has) - 1)] if missing else surplus)
