"""`make mutants`: a sample of mutants of core, agent and controller, and which of them live.

The exit code is 0 if fewer than one in twenty lives.
"""

import argparse
import json
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from testbed.mutants.collected import collected_tests
from testbed.mutants.measured import Measured
from testbed.mutants.mutation import Mutation, sample, usable
from testbed.mutants.record import NotMeasuredError
from testbed.mutants.trial import Copy, Trial

PACKAGES: Final = ("ipamd/core", "ipamd/agent", "ipamd/controller")
_TOLERATED: Final = 20
"""One mutant in so many may live."""
_SLOWER: Final = 5.0
"""So many times longer than when they were measured may tests of a mutant take."""


def chosen_tests(measured: Measured, mutation: Mutation, seconds: float) -> list[str]:
    """Return the tests that run the line as far as they fit into the time, in order, but the first anyway."""
    chosen: list[str] = []
    left = seconds
    for test in measured.tests_of(mutation.path, mutation.line):
        if measured.seconds(test) <= left or not chosen:
            chosen.append(test)
            left -= measured.seconds(test)
    return chosen


def attempt_all(found: Sequence[Mutation], measured: Measured, arguments: argparse.Namespace) -> list[Trial]:
    """Try the mutants, some at a time, and tell each one's fate when it is known."""
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    for number in range(arguments.jobs):
        copies.put(Copy(arguments.copies / str(number)))

    def attempt(mutation: Mutation) -> Trial:
        tests = chosen_tests(measured, mutation, arguments.seconds)
        usual = sum(measured.seconds(test) for test in tests)
        copy = copies.get()
        try:
            trial = copy.attempt(mutation, tests, seconds=60.0 + _SLOWER * usual)
        finally:
            copies.put(copy)
        by = f" ({trial.noticed_by})" if trial.noticed_by else ""
        print(f"{trial.verdict.value}{by}: {mutation}: {trial.change}", flush=True)
        return trial

    with ThreadPoolExecutor(arguments.jobs) as pool:
        return list(pool.map(attempt, found))


def mutations_at(places: Sequence[str]) -> list[Mutation]:
    """Return all mutations of places: `FILE`, `FILE:LINE` or `FILE:FIRST-LAST`.

    Raises:
        ValueError: it is none of them.
        OSError: there is no such file.
    """
    found: list[Mutation] = []
    for place in places:
        name, _, lines = place.partition(":")
        first, _, last = lines.partition("-")
        begin, end = int(first or 1), int(last or first or sys.maxsize)
        found += (m for m in usable(Path(name), Path(name).read_text()) if begin <= m.line <= end)
    return found


def told(trials: Sequence[Trial]) -> list[dict[str, object]]:
    """Return what is written of the trials."""
    return [
        {
            "mutant": str(trial.mutation),
            "verdict": trial.verdict.value,
            "change": trial.change,
            "noticed by": trial.noticed_by,
            "tests": list(trial.tests),
        }
        for trial in trials
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Try a sample; return 0 if few enough live."""
    parser = argparse.ArgumentParser(prog="testbed.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=60, metavar="N", help="mutants; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the sample; default %(default)s")
    parser.add_argument(
        "--at",
        nargs="+",
        default=(),
        metavar="FILE:LINE",
        help="all mutants of these lines instead of a sample",
    )
    parser.add_argument("--jobs", type=int, default=3, metavar="N", help="at a time; default %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=300.0, help="of tests for one mutant; default %(default)s"
    )
    parser.add_argument("--packages", nargs="*", default=PACKAGES, help="default: %(default)s")
    parser.add_argument("--measured", type=Path, default=Path("build/coverage"), help="default %(default)s")
    parser.add_argument("--copies", type=Path, default=Path("build/mutants"), help="default %(default)s")
    parser.add_argument("--output", type=Path, default=Path("build/mutants.json"), help="default %(default)s")
    arguments = parser.parse_args(argv)
    files = sorted(path for package in arguments.packages for path in Path(package).rglob("*.py"))
    if not files:
        parser.error(f"--packages {' '.join(arguments.packages)}: no Python file there; name folders")
    try:
        measured = Measured(arguments.measured, collected_tests())
        found = mutations_at(arguments.at) or sample(files, arguments.count, arguments.seed)
        trials = attempt_all(found, measured, arguments)
    except (NotMeasuredError, OSError, ValueError) as e:
        parser.error(str(e))
    arguments.output.write_text(json.dumps(told(trials), indent=2) + "\n")
    alive = [trial for trial in trials if trial.verdict.lives]
    print(f"\n{len(alive)} of {len(trials)} live (seed {arguments.seed}); {arguments.output}")
    for trial in alive:
        print(f"  {trial.mutation}: {trial.change}")
    return 1 if len(alive) * _TOLERATED >= len(trials) else 0


if __name__ == "__main__":
    sys.exit(main())
