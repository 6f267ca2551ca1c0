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
from testbed.bench import aims, page, plots, report
from testbed.bench.part import QUICK, Effort, Results, run
from testbed.bench.parts import PARTS

_OUTPUT = Path("build")
_PAGE = Path("docs/performance.md")
_PICTURES = Path("docs/img")
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
    if not (options.quick or options.only):
        _write_docs(results)
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
    """Return what of the machine matters to the figures."""
    kernel = ".".join(platform.release().split(".")[:2])
    return {"cores": len(os.sched_getaffinity(0)), "kernel": kernel}


def _write_docs(results: Results) -> None:
    """Write tables and pictures of what was measured; the rest stays as it was."""
    made = page.tables(results.figures, results.series, _machine())
    for path in (Path("README.md"), _PAGE):
        path.write_text(page.filled(path.read_text(encoding="utf-8"), made), encoding="utf-8")
    for name, picture in plots.drawn(results.series).items():
        (_PICTURES / name).write_bytes(picture)


def _print(progress: table.Progress, results: Results, path: Path) -> None:
    progress.say()
    progress.say(table.render(_HEAD, aims.rows(results.figures)))
    for key, reason in results.missing.items():
        progress.say(f"{key} was not measured: {reason}")
    progress.say(f"\nDetails: {path}")


if __name__ == "__main__":
    sys.exit(main())
