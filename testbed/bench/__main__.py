"""`make bench`: figures beside their aims, and build/bench.json; 1 when something was not measured."""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed import table
from testbed.aws_vpc_cni import VERSION
from testbed.bench import aims, report
from testbed.bench.part import QUICK, Effort, Results, run
from testbed.bench.parts import PARTS

_OUTPUT = Path("build")
_HEAD = ["FIGURE", "MEDIAN", "QUARTILES", "N", "AIM", "", "MEANING"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts once; a missed aim is no failure, because aims are not assertions."""
    options = _parser().parse_args(arguments)
    # `kill` and a closed terminal clean up like Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    progress = table.Progress()
    parts = [part for part in PARTS if not options.only or part.name in options.only]
    effort = QUICK if options.quick else Effort()
    try:
        results = run(parts, directory=_OUTPUT / "bench", effort=effort, progress=progress)
    except KeyboardInterrupt:
        progress.say("\nstopped; everything was removed")
        return 130
    path = _OUTPUT / "bench.json"
    path.write_text(json.dumps(report.facts(results, _machine()), indent=2) + "\n")
    _print(progress, results, path)
    return 1 if results.missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds and Pods: does the bench work?")
    parser.add_argument(
        "--only",
        action="append",
        choices=[part.name for part in PARTS],
        help="one part; may be repeated",
    )
    return parser


def _machine() -> dict[str, Any]:
    """Return what of the machine matters to the figures, without its name."""
    kernel = ".".join(platform.release().split(".")[:2])
    return {"cores": len(os.sched_getaffinity(0)), "kernel": kernel, "aws_vpc_cni": VERSION}


def _print(progress: table.Progress, results: Results, path: Path) -> None:
    progress.say()
    progress.say(table.render(_HEAD, aims.rows(results.figures)))
    for key, reason in results.missing.items():
        progress.say(f"{key} was not measured: {reason}")
    progress.say(f"\nDetails: {path}")


if __name__ == "__main__":
    sys.exit(main())
