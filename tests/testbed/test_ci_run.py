"""The script that decides whether a change lands: what passed only when repeated is told, and told last."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "run"

MAKEFILE = """
PY := .venv/bin/python
FAST := $(PY) -m pytest -q -c pytest.ini
test: ; @$(FAST) -n 2 --dist loadfile
test-failed: ; @$(FAST) --last-failed --last-failed-no-failures none
shim-arm64 coverage-units browser contract e2e conformance: ; @echo $@ passes
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


@pytest.fixture
def checkout(tmp_path):
    """A project with the script, in which `make test` runs these tests by several workers as ours does."""
    root = tmp_path / "checkout"
    (root / ".ci").mkdir(parents=True)
    shutil.copy(SCRIPT, root / ".ci" / "run")
    (root / ".venv" / "bin").mkdir(parents=True)
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (root / "Makefile").write_text(MAKEFILE)
    (root / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    (root / "tests").mkdir()
    return root


def run(checkout):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [checkout / ".ci" / "run"], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


def test_what_passes_only_when_repeated_is_written_down_and_printed_last(checkout):
    marker = str(checkout / "once")
    (checkout / "tests" / "test_flaky.py").write_text(PASSES_WHEN_REPEATED.format(marker=marker))
    (checkout / "tests" / "test_other.py").write_text("def test_passes():\n    pass\n")

    finished = run(checkout)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    flaky = "tests/test_flaky.py::test_of_a_busy_machine"
    assert (checkout / "build" / "flaky.txt").read_text().split() == [flaky]
    assert finished.stdout.splitlines()[-2:] == ["== passed only when repeated:", flaky]


def test_what_fails_again_ends_the_run(checkout):
    (checkout / "tests" / "test_broken.py").write_text("def test_fails():\n    assert False\n")

    finished = run(checkout)

    assert finished.returncode != 0
    assert "== make contract" not in finished.stdout


def test_nothing_is_said_of_flaky_tests_when_there_are_none(checkout):
    (checkout / "tests" / "test_good.py").write_text("def test_passes():\n    pass\n")

    finished = run(checkout)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert (checkout / "build" / "flaky.txt").read_text() == ""
    assert "passed only when repeated" not in finished.stdout
