"""The counts of all parts of the fault run: their sum for build/faults.json, and the verdict."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from testbed import table
from testbed.faults.invariants import KINDS, Violation

GOALS: Final[Mapping[str, int]] = {"crash_points": 200, "life_cycles": 5000}
"""The least that a full run has to try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was tried, and what came of it; parts are added up."""

    crash_points: int = 0
    """Kills that happened, before and after an effect counted apart."""
    life_cycles: int = 0
    """Pods from creation to the end."""
    faults_injected: int = 0
    leaked: int = 0
    stolen: int = 0
    duplicate: int = 0
    unmended: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return the sum, count by count."""
        mine, others = self.as_dict(), other.as_dict()
        return Counts(**{name: mine[name] + others[name] for name in mine})

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


def count_kinds(violations: Iterable[Violation]) -> dict[str, int]:
    """Return how many violations of each kind there are."""
    counted = Counter(violation.kind for violation in violations)
    return {kind: counted[kind] for kind in KINDS}


def shortfalls(counts: Counts, goals: Mapping[str, int] = GOALS) -> list[str]:
    """Return one sentence for each count that is not what it has to be."""
    got = counts.as_dict()
    return [
        *(
            f"{name} is {got[name]}, at least {least} are wanted"
            for name, least in goals.items()
            if got[name] < least
        ),
        *(f"{kind} is {got[kind]}, it has to be 0" for kind in KINDS if got[kind]),
    ]


def table_of(counts: Counts) -> str:
    """Return the counts as a table for people."""
    return table.render(["COUNT", ""], [[name, str(count)] for name, count in counts.as_dict().items()])


def write(counts: Counts, path: Path) -> None:
    """Write the counts as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(counts.as_dict(), indent=2) + "\n")
