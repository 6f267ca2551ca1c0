"""`make bench`: figures beside their aims, and build/bench.json; 1 when something was not measured."""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed import table
from testbed.bench import aims, page, plots, report
from testbed.bench.part import QUICK, Effort, Results, run
from testbed.bench.parts import PARTS

_PAGE = Path("docs/performance.md")
_PICTURES = Path("docs/img")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HEAD = ["FIGURE", "MEDIAN", "QUARTILES", "N", "AIM", "", "MEANING"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts once; a missed aim is no failure, because aims are not assertions."""
    options = _parser().parse_args(arguments)
    for number in _SIGNALS:
        signal.signal(number, _stop)
    progress = table.Progress()
    parts = [part for part in PARTS if not options.only or part.name in options.only]
    effort = QUICK if options.quick else Effort()
    try:
        results = run(parts, directory=options.output / "bench", effort=effort, progress=progress)
    except KeyboardInterrupt:
        progress.say("\nstopped; everything was removed")
        return 130
    path = options.output / "bench.json"
    path.write_text(json.dumps(report.facts(results, _machine()), indent=2) + "\n")
    is_full = not (options.quick or options.only)
    missing = report.missing(results) if is_full else results.missing
    _print(progress, results, missing)
    progress.say(f"\nDetails: {path}")
    if not options.quick:
        _write_docs(results, tables=is_full)
    return 1 if missing else 0


def _stop(*_: object) -> None:
    """End as by Ctrl-C, once: what is removed then is not to be interrupted."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds and Pods: does the bench work?")
    parser.add_argument(
        "--only",
        action="append",
        choices=[part.name for part in PARTS],
        help="one part; may be repeated",
    )
    parser.add_argument("--output", type=Path, default=Path("build"), help="directory (%(default)s)")
    return parser


def _machine() -> dict[str, Any]:
    """Return what of the machine matters to the figures."""
    kernel = ".".join(platform.release().split(".")[:2])
    return {"cores": len(os.sched_getaffinity(0)), "kernel": kernel}


def _write_docs(results: Results, *, tables: bool) -> None:
    """Write pictures, and tables if all was measured; what was not measured stays as it was."""
    if tables:
        made = page.tables(results.figures, results.series, _machine())
        for path in (Path("README.md"), _PAGE):
            path.write_text(page.filled(path.read_text(encoding="utf-8"), made), encoding="utf-8")
    for name, picture in plots.drawn(results.series).items():
        (_PICTURES / name).write_bytes(picture)


def _print(progress: table.Progress, results: Results, missing: Mapping[str, str]) -> None:
    progress.say()
    progress.say(table.render(_HEAD, aims.rows(results.figures)))
    for name, reason in missing.items():
        progress.say(f"{name} was not measured: {reason}")


if __name__ == "__main__":
    sys.exit(main())
