"""Where a daemon can die: before or after the n-th time that it takes a step.

Points are not written down by anybody: a run of a scenario is recorded, and what was announced by
`ipamd.runtime.failpoints` are its points. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

PHASES: Final = ("before", "after")
EFFECTS_TAKEN: Final = 3
"""Of steps of one name in one scenario, the first so many are points."""
READS_TAKEN: Final = 1
_READS: Final = ("cloud.Describe", "kube.get.", "kube.list.", "kube.watch.", "nft.list_")


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One moment in the life of a daemon, counted from when it was armed."""

    step: str
    phase: str
    nth: int

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        return f"{self.step}:{self.phase}:{self.nth}"


def parse(text: str) -> Point:
    """Read `cloud.AssociateAddress:after:1`; ValueError says what is wrong."""
    step, _, rest = text.partition(":")
    phase, _, nth = rest.partition(":")
    if not step or phase not in PHASES or not nth.isdecimal() or int(nth) < 1:
        raise ValueError(f"{text!r} is no point; give <step>:before|after:<n>, with n from 1 on")
    return Point(step, phase, int(nth))


def is_read(step: str) -> bool:
    """Whether the step changes nothing outside."""
    return step.startswith(_READS)


def points_of(recorded: Iterable[str]) -> Iterator[Point]:
    """Yield the points of a recorded run, in the order in which they come.

    A read is a point only where it comes first: to die beside another one is to die between the same effects.
    """
    seen: Counter[str] = Counter()
    for step in recorded:
        seen[step] += 1
        if seen[step] <= (READS_TAKEN if is_read(step) else EFFECTS_TAKEN):
            yield from (Point(step, phase, seen[step]) for phase in PHASES)
