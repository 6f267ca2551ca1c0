"""The part of the fault run in which thousands of Pods come and go: tests/chaos, in a few processes at once.

Each process ("shard") has a region, two nodes, a controller and seeds of its own; what it has tried and found
is in a JSON file that the test writes. A shard whose test fails without a finding (a defect of the test, a
time-out) is a complaint too, and so is one that leaves no file.
"""

import json
import os
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What one process has tried and found."""

    seed: int
    counts: Counts
    faults: Counter[str]
    """By kind."""
    complaints: tuple[str, ...]


def all_shards(logs: Path, life_cycles: int, *, seed: int, test: str = TEST) -> list[Shard]:
    """Run so many lives, in processes that share them; return what each has found."""
    each = -(-life_cycles // SHARDS)
    seeds = [seed + number * SEEDS_APART for number in range(SHARDS)]
    running = [_start(logs, each, number, test) for number in seeds]
    try:
        return [_finish(process, logs, number) for process, number in zip(running, seeds, strict=True)]
    finally:
        for process in running:
            process.terminate()


def table_of(shards: Sequence[Shard]) -> str:
    """Return what was tried, by kind of fault, as a table for people."""
    faults = sum((shard.faults for shard in shards), Counter[str]())
    rows = [[name, str(count)] for name, count in faults.most_common()]
    pods = sum(shard.counts.life_cycles for shard in shards)
    return f"{pods} Pods came and went, in {len(shards)} regions\n" + table.render(
        ["FAULT", "INJECTED"], rows
    )


def _start(logs: Path, life_cycles: int, seed: int, test: str) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "TKE_ENI_LIFE_CYCLES": str(life_cycles),
        "TKE_ENI_SEED": str(seed),
        "TKE_ENI_FAULTS_REPORT": str(_report(logs, seed).absolute()),
    }
    # What the daemons said stays in a file of its own: an end without rest has its cause minutes before.
    log = [f"--log-file={_said(logs, seed)}", "--log-file-level=DEBUG", "--log-level=DEBUG"]
    argv = [sys.executable, "-m", "pytest", "-q", "--show-capture=no", f"--timeout={_SECONDS}", *log, test]
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
