"""A part of the bench: what it measures, and how parts are run.

One that fails costs its own figures only. A part has a region of its own and leaves nothing. Figures that one
part has for several sizes (Pods on the node, EIPs at once) are a mapping by size: `{"1": ..., "250": ...}`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed import table
from testbed.bench.spread import Spread

Figures = Mapping[str, Spread | Mapping[str, Spread]]
"""By key of `testbed.bench.aims`, or of another name: then it is told without an aim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured: fewer rounds and Pods for a look whether the bench works (`--quick`)."""

    rounds: int = 40
    """Of single ADD and DEL, of each contestant."""
    bursts: int = 5
    burst: int = 100
    """ADDs at once."""
    pods: tuple[int, ...] = (1, 10, 50, 110, 250)
    """Pods on the node, for what depends on their number; ascending."""
    repeats: int = 5
    """Of what takes seconds: starts, floods of packets, EIPs."""
    seconds: float = 1.5
    """Of one flood of packets."""

    @property
    def most_pods(self) -> int:
        """The largest number of Pods on the node."""
        return self.pods[-1]


QUICK = Effort(rounds=4, bursts=2, burst=10, pods=(1, 10), repeats=2, seconds=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where a part works, how much it does, and where it tells of its steps."""

    directory: Path
    """The part's own, for logs and state."""
    effort: Effort
    progress: table.Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a part gives back."""

    figures: Figures
    series: Mapping[str, Any] = field(default_factory=dict)
    """What plots and pages need besides, as JSON; by name."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Why, by key that could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part; `measure` raises what it likes when it fails."""

    name: str
    keys: tuple[str, ...]
    measure: Callable[[Scene], Measured]


@dataclass(slots=True)
class Results:
    """What all parts have given. Invariant: every key of a part that ran is in `figures` or in `missing`."""

    figures: dict[str, Spread | Mapping[str, Spread]] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def take(self, part: Part, measured: Measured) -> None:
        """Add what a part has measured."""
        self.figures.update(measured.figures)
        self.series.update(measured.series)
        for key in part.keys:
            if key not in measured.figures:
                self.missing[key] = measured.missing.get(key, f"not among the figures of {part.name}")

    def lose(self, part: Part, error: Exception) -> None:
        """Note that a part has failed."""
        reason = f"{part.name} failed: {type(error).__name__}: {error}"
        self.missing.update(dict.fromkeys(part.keys, reason))


def run(parts: Sequence[Part], *, directory: Path, effort: Effort, progress: table.Progress) -> Results:
    """Run the parts one after the other; what one raises is noted, except for the wish to end."""
    results = Results()
    for part in parts:
        progress.say(part.name)
        scene = Scene(directory=directory / part.name.replace(" ", "-"), effort=effort, progress=progress)
        try:
            results.take(part, part.measure(scene))
        except Exception as error:  # noqa: BLE001 - the other parts are worth their figures all the same
            results.lose(part, error)
    return results
