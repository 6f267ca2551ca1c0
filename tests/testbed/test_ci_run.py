"""What decides whether a change lands: what passed only when repeated is told last, and nothing is left."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.ci.__main__ import OWN_CLUSTERS
from testbed.ci.processors import ProcessorTime
from tests.testkit.eventually import comes_about

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"

MAKEFILE = """
PY := .venv/bin/python
FAST := $(PY) -m pytest -q -c pytest.ini
venv shim shim-arm64 programs conformance: ; @echo $@ passes
test: ; @$(FAST) -n 2 --dist loadfile tests $(ARGS)
test-failed: ; @$(FAST) --last-failed --last-failed-no-failures none tests $(ARGS)
coverage-units browser contract: ; @echo $@ passes, it had $(ARGS)
e2e: ; @$(FAST) $(FILES) $(ARGS)
"""

PASSES_WHEN_REPEATED = """
import pathlib

def test_steady():
    pass

def test_of_a_busy_machine():
    before = pathlib.Path({marker!r})
    if not before.exists():
        before.touch()
        raise AssertionError("the first time")
"""

PASSES = "def test_passes():\n    pass\n"
FAILS = "def test_fails():\n    assert False\n"

WAITS = """
import os, pathlib, subprocess, time

def test_waits(tmp_path):
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path({pids!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
    try:
        time.sleep(600)
    finally:
        child.kill()
        pathlib.Path({cleaned!r}).touch()
"""


@pytest.fixture
def checkout(tmp_path):
    """A project with the script, in which `make test` runs tests by several workers as ours does."""
    root = tmp_path / "checkout"
    (root / ".ci").mkdir(parents=True)
    shutil.copy(SCRIPT, root / ".ci" / "run")
    (root / ".venv" / "bin").mkdir(parents=True)
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (root / "Makefile").write_text(MAKEFILE)
    (root / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    for folder in ("tests/unit", "tests/e2e", "tests/deploy"):
        (root / folder).mkdir(parents=True)
        (root / folder / "test_good.py").write_text(PASSES)
    for file in ("tests/deploy/test_image.py", *OWN_CLUSTERS):
        (root / file).write_text(PASSES)
    return root


def begin(checkout):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "MAKE"))
    }
    return subprocess.Popen(
        [checkout / ".ci" / "run"],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(checkout):
    with begin(checkout) as process:
        printed, _ = process.communicate()
    return process.returncode, printed


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def only_in(name, checkout, text):
    """Write a test that only one suite runs: `make e2e` names its folder, `make test` leaves it out."""
    if name == "test":
        (checkout / "tests/unit/test_other.py").write_text(text)
        return "tests/unit/test_other.py"
    makefile = (checkout / "Makefile").read_text()
    (checkout / "Makefile").write_text(makefile.replace("loadfile tests", "loadfile tests/unit"))
    (checkout / "tests/e2e/test_other.py").write_text(text)
    return "tests/e2e/test_other.py"


def test_tests_in_the_lane_beside_the_cluster_start_one_of_their_own():
    for file in OWN_CLUSTERS:
        assert "running_cluster(" in (SCRIPT.parents[1] / file).read_text()


@pytest.mark.parametrize("suite", ["test", "e2e"])
def test_what_passes_only_when_repeated_is_written_down_and_printed_last(checkout, suite):
    marker = str(checkout / "once")
    file = only_in(suite, checkout, PASSES_WHEN_REPEATED.format(marker=marker))

    status, printed = run(checkout)

    assert status == 0, printed
    flaky = f"{file}::test_of_a_busy_machine"
    assert (checkout / "build" / "flaky.txt").read_text().split() == [flaky]
    assert printed.splitlines()[-2:] == ["== passed only when repeated:", flaky]


def test_what_fails_again_in_the_first_suite_ends_the_run(checkout):
    only_in("test", checkout, FAILS)

    status, printed = run(checkout)

    assert status == 1
    assert "== make contract" not in printed


def test_what_fails_again_beside_others_fails_the_run_after_their_ends(checkout):
    only_in("e2e", checkout, FAILS)

    status, printed = run(checkout)

    assert status == 1
    assert "== make e2e: FAILED" in printed
    assert "== make coverage-units: passed" in printed


def test_what_a_suite_beside_others_prints_stands_together(checkout):
    makefile = (checkout / "Makefile").read_text()
    slow = "browser: ; @for n in 1 2 3 4 5; do echo line $$n; sleep 0.1; done\n"
    (checkout / "Makefile").write_text(makefile.replace(" browser ", " ") + slow)

    status, printed = run(checkout)

    assert status == 0, printed
    assert "\n".join(f"line {number}" for number in range(1, 6)) in printed


def test_nothing_is_said_of_flaky_tests_when_there_are_none(checkout):
    status, printed = run(checkout)

    assert status == 0, printed
    assert (checkout / "build" / "flaky.txt").read_text() == ""
    assert "passed only when repeated" not in printed


def test_suites_beside_each_other_remember_their_failures_apart(checkout):
    _, printed = run(checkout)

    assert "browser passes, it had -o cache_dir=build/ci/cache/browser" in printed
    assert "contract passes, it had -o cache_dir=build/ci/cache/contract" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("suite", ["test", "e2e"])
def test_a_signal_ends_all_that_runs_and_lets_tests_clean_up(checkout, suite, number):
    pids, cleaned = checkout / "pids", checkout / "cleaned"
    only_in(suite, checkout, WAITS.format(pids=str(pids), cleaned=str(cleaned)))
    with begin(checkout) as process:
        assert comes_about(lambda: pids.exists() and len(pids.read_text().split()) == 2, 60.0)
        process.send_signal(number)
        process.communicate()

    assert process.returncode == 2
    assert cleaned.exists()
    assert [pid for pid in pids.read_text().split() if is_running(pid)] == []


def test_processors_are_as_busy_as_what_is_not_idle():
    before = ProcessorTime.parse("cpu  100 10 50 1000 40 0 5 5 0 0\ncpu0 1 1 1 1\n")
    after = ProcessorTime.parse("cpu  200 10 150 1100 140 0 5 5 0 0\ncpu0 1 1 1 1\n")

    assert after.busy_percent_since(before) == 50
