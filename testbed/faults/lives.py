"""The part of the fault run in which thousands of Pods come and go: tests/chaos, in a few processes at once.

Each process ("shard") has a region, two nodes, a controller and seeds of its own; what it has tried and found
is in a JSON file that the test writes. A shard whose test fails without a finding (a defect of the test, a
time-out) is a complaint too, and so is one that leaves no file.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from testbed import table
from testbed.faults.invariants import KINDS
from testbed.faults.report import Counts

TEST: Final = "tests/chaos/test_life_cycles.py"
SHARDS: Final = 3
"""A shard waits most of the time: three keep two cores busy."""
SEEDS_APART: Final = 1000
_SECONDS: Final = 2400
_CLEAN_SECONDS: Final = 60.0
REST_SECONDS: Final = 150.0
"""What a process takes from its last Pod to its report: everything comes right, and all Pods go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What one process has tried and found."""

    seed: int
    counts: Counts
    faults: Counter[str]
    """By kind."""
    complaints: tuple[str, ...]


def all_shards(
    logs: Path, life_cycles: int, *, seed: int, test: str = TEST, seconds: float = math.inf
) -> list[Shard]:
    """Run so many lives, in processes that share them; return what each has found.

    After `seconds` no more Pods come: those that are there come to their ends.
    """
    each = -(-life_cycles // SHARDS)
    seeds = [seed + number * SEEDS_APART for number in range(SHARDS)]
    running = [_start(logs, each, number, test, seconds) for number in seeds]
    try:
        return [_finish(process, logs, number) for process, number in zip(running, seeds, strict=True)]
    finally:
        _end(running)


def _end(running: "Sequence[subprocess.Popen[bytes]]") -> None:
    """End what still runs: as by Ctrl-C, so that tests remove what they have made."""
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_CLEAN_SECONDS)
        process.kill()
        process.wait()


def table_of(shards: Sequence[Shard]) -> str:
    """Return what was tried, by kind of fault, as a table for people."""
    faults = sum((shard.faults for shard in shards), Counter[str]())
    rows = [[name, str(count)] for name, count in faults.most_common()]
    pods = sum(shard.counts.life_cycles for shard in shards)
    return f"{pods} Pods came and went, in {len(shards)} regions\n" + table.render(
        ["FAULT", "INJECTED"], rows
    )


def _start(logs: Path, life_cycles: int, seed: int, test: str, seconds: float) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "TKE_ENI_LIFE_CYCLES": str(life_cycles),
        "TKE_ENI_SEED": str(seed),
        "TKE_ENI_SECONDS": str(seconds),
        "TKE_ENI_FAULTS_REPORT": str(_report(logs, seed).absolute()),
    }
    # What the daemons said stays in a file of its own: an end without rest has its cause minutes before.
    log = [f"--log-file={_said(logs, seed)}", "--log-file-level=DEBUG", "--log-level=DEBUG"]
    # A test is ended with us, even if we are killed.
    argv = ["setpriv", "--pdeathsig", "TERM", "--"]
    argv += [sys.executable, "-m", "pytest", "-q", "--show-capture=no", f"--timeout={_SECONDS}", *log, test]
    with _log(logs, seed).open("wb") as output:
        return subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, env=environment)


def _finish(process: "subprocess.Popen[bytes]", logs: Path, seed: int) -> Shard:
    code = process.wait()
    try:
        report = json.loads(_report(logs, seed).read_text())
    except (OSError, ValueError):
        report = {}
    findings = tuple(str(text) for text in report.get("findings", ()))
    if (code or not report) and not findings:
        findings = (
            f"the lives of seed {seed} ended with {code} and without a finding: see {_log(logs, seed)}",
        )
    names = ("life_cycles", "faults_injected", *KINDS)
    return Shard(
        seed=seed,
        counts=Counts(**{name: int(report.get(name, 0)) for name in names}),
        faults=Counter(report.get("faults_by_kind", {})),
        complaints=findings,
    )


def _report(logs: Path, seed: int) -> Path:
    return logs / f"lives-{seed}.json"


def _log(logs: Path, seed: int) -> Path:
    return logs / f"lives-{seed}.log"


def _said(logs: Path, seed: int) -> Path:
    return logs / f"lives-{seed}.daemons.log"
