"""`make faults`: everything that can go wrong on purpose, and build/faults.json with the counts.

Each part returns its counts and the goals that it answers for; their sum is written and judged. The exit code
is 0 only if every goal is met, nothing was leaked, stolen, granted twice or left unmended, and no effect of
the product is missing from the scenarios.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from testbed.bed import PLUGIN
from testbed.faults import crashes, lives, report
from testbed.faults.budget import LEAST_MINUTES, Budget, ends
from testbed.faults.crashing import LATE
from testbed.faults.report import Counts
from testbed.faults.workers import StoppedError, stop_by_signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part of the run has found."""

    counts: Counts
    goals: Mapping[str, int]
    """The least that this part had to try, by the name of the count."""
    complaints: Sequence[str] = field(default=())
    """What is wrong besides the counts."""


def crash_points(arguments: argparse.Namespace, end: float) -> Part:
    """Kill both daemons at every point of every scenario, as far as there is time."""
    found = crashes.all_points(
        arguments.logs,
        arguments.jobs,
        only=arguments.only,
        points=arguments.points,
        budget=Budget.ending_at(end, rest=LATE + _TRIAL_SECONDS),
    )
    print(f"{crashes.matrix(found.trials)}\n\n{crashes.summary(found.trials)}")
    for violation in found.others:
        print(f"at the end of a run: {violation}")
    if found.left_out:
        print(f"the time was over: not tried are {', '.join(found.left_out)}")
    is_whole = not (arguments.only or arguments.points or found.left_out)
    return Part(
        counts=found.counts(),
        goals={"crash_points": report.GOALS["crash_points"]} if is_whole else {},
        complaints=found.complaints() if is_whole else found.unrecorded,
    )


def life_cycles(arguments: argparse.Namespace, end: float) -> Part:
    """Let Pods come and go while cloud and API server are broken, as far as there is time."""
    seconds = max(0.0, end - lives.REST_SECONDS - time.monotonic())
    found = lives.all_shards(arguments.logs, arguments.lives, seed=arguments.seed, seconds=seconds)
    print(lives.table_of(found))
    is_whole = arguments.minutes is None and arguments.lives >= report.GOALS["life_cycles"]
    return Part(
        counts=sum((shard.counts for shard in found), Counts()),
        goals={"life_cycles": report.GOALS["life_cycles"]} if is_whole else {},
        complaints=[text for shard in found for text in shard.complaints],
    )


_TRIAL_SECONDS: Final = 60.0
"""What the last trial takes, repeated alone if it fails."""
PARTS: Final[Mapping[str, Callable[[argparse.Namespace, float], Part]]] = {
    "crashes": crash_points,
    "lives": life_cycles,
}


def verdict(parts: Sequence[Part], output: Path) -> int:
    """Write the sum of the counts, tell what is not good enough; return 0 if that is nothing."""
    counts = sum((part.counts for part in parts), Counts())
    report.write(counts, output)
    print(f"\n{report.table_of(counts)}\n{output}")
    goals = {name: least for part in parts for name, least in part.goals.items()}
    complaints = [*report.shortfalls(counts, goals), *(text for part in parts for text in part.complaints)]
    for complaint in complaints:
        print(f"not good enough: {complaint}")
    return 1 if complaints else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts, write the counts, return 0 if all is as it has to be."""
    parser = argparse.ArgumentParser(prog="testbed.faults", description=__doc__)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios whose name contains it")
    parser.add_argument("--points", default="", metavar="TEXT", help="points that contain it")
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="N",
        help="end with a verdict within so many; what there is no time for is told, and not wanted",
    )
    goal = report.GOALS["life_cycles"]
    parser.add_argument("--lives", type=int, default=goal, metavar="N", help="Pods; default %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the lives; default %(default)s")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="default %(default)s")
    parser.add_argument("--logs", type=Path, default=Path("build/faults"), help="default %(default)s")
    parser.add_argument("--output", type=Path, default=Path("build/faults.json"), help="default %(default)s")
    arguments = parser.parse_args(argv)
    if arguments.minutes is not None and arguments.minutes < LEAST_MINUTES:
        parser.error(f"--minutes {arguments.minutes:g}: at least {LEAST_MINUTES:g}, most of which is the end")
    if not PLUGIN.exists():
        parser.error(f"{PLUGIN} is missing: run `make shim`")
    shutil.rmtree(arguments.logs, ignore_errors=True)
    arguments.logs.mkdir(parents=True)
    stop_by_signal()
    times = ends(arguments.minutes, len(arguments.parts))
    try:
        parts = [PARTS[name](arguments, end) for name, end in zip(arguments.parts, times, strict=True)]
    except StoppedError:
        return 2
    return verdict(parts, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
