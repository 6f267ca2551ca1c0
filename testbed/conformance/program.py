"""Kubernetes' program e2e.test: the names of its tests, and a run of some of them by Ginkgo."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.kubernetes import locate
from testbed.kubernetes.programs import CONFORMANCE

_END_SECONDS = 20.0


class RunError(RuntimeError):
    """The program did not report; the message says where its output is."""


def list_tests() -> list[str]:
    """Give the full names of all tests."""
    command = [str(CONFORMANCE.path("e2e.test")), "--list-tests"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RunError(f"e2e.test --list-tests: {done.stderr[-2000:]}")
    # Each line is "    file.go:123: full name".
    return re.findall(r"^\s+\S+:\d+: (.+)$", done.stdout, re.MULTILINE)


def run(
    tests: Sequence[str], cluster: Mapping[str, Any], directory: Path, *, processes: int, seconds: float
) -> str:
    """Run tests by their full names and give Ginkgo's report as JSON; its output is kept in `directory`.

    `cluster` is the content of its cluster.json. A failing test is in the report; RunError if none is.
    """
    directory = directory.absolute()
    report = directory / "report.json"
    report.unlink(missing_ok=True)
    output = directory / "tests.log"
    focus = "|".join(f"{re.escape(test)}$" for test in tests)
    command = [
        str(CONFORMANCE.path("ginkgo")),
        f"--procs={processes}",
        f"--timeout={seconds:.0f}s",
        f"--focus={focus}",
        "--no-color",
        "--silence-skips",
        f"--output-dir={directory}",
        f"--json-report={report.name}",
        str(CONFORMANCE.path("e2e.test")),
        "--",
        f"--kubeconfig={cluster['kubeconfig']}",
        f"--kubectl-path={locate('kubectl')}",
        "--provider=skeleton",
        f"--num-nodes={len(cluster['nodes'])}",
        f"--e2e-output-dir={directory}",
    ]
    run_to_end(command, output)
    if not report.exists():
        raise RunError(f"e2e.test reported nothing, see {output}")
    return report.read_text()


def run_to_end(command: Sequence[str], output: Path) -> None:
    """Run a command, its output in a file. Whatever interrupts the wait for its end ends all its processes.

    When this process is killed, the command gets a SIGTERM.
    """
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # A group of its own: Ctrl-C is for us, who end the whole group.
            start_new_session=True,
        )
    try:
        process.wait()
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        # Ginkgo lets the tests that run clean up.
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)
