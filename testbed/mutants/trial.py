"""One mutant under its tests, in a copy of the project that nothing else uses."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from testbed.mutants.measured import file_of
from testbed.mutants.mutation import Mutation

_PASSED: Final = 0
_NONE_RUN: Final = 5
"""Where all are left out."""
_BUILT: Final = ("build/cni",)
"""What tests need besides the files that git knows."""
_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) (tests/\S+)", re.MULTILINE)
_PATIENCE: Final = 20.0
"""Seconds in which pytest takes its namespaces down after an interrupt."""


class Verdict(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMEOUT = "killed by time"
    LIVES = "lives"
    UNTESTED = "lives: no test runs this line"

    @property
    def lives(self) -> bool:
        """Whether nothing noticed."""
        return self in (Verdict.LIVES, Verdict.UNTESTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A mutant, the tests that it met, and what became of it."""

    mutation: Mutation
    tests: tuple[str, ...]
    verdict: Verdict
    change: str
    """The changed line before and after."""
    noticed_by: str = ""
    """The test, or file of tests, that failed, as pytest names it; empty where none did."""


class Copy:
    """A copy of the project; one mutant at a time. Invariant: between two trials it is like the original."""

    def __init__(self, directory: Path) -> None:
        """Make the copy of what git knows, with the changes that are not committed."""
        shutil.rmtree(directory, ignore_errors=True)
        self._directory = directory.resolve()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if Path(name).is_file():
                (directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(name, directory / name)
        for name in _BUILT:
            if Path(name).exists():
                shutil.copytree(name, directory / name)

    def attempt(self, mutation: Mutation, tests: Sequence[str], *, seconds: float) -> Trial:
        """Run the tests against the mutant until one fails; too long counts as failed.

        A test that fails without the mutant too has noticed nothing: it is left out, and the rest goes on.
        """
        # Not the project's own: somebody may go on working there, and the copy's other files would not fit.
        source = (self._directory / mutation.path).read_text()
        mutated = mutation.applied(source)
        ignored: list[str] = []
        while True:
            with self._holding(mutation.path, source, mutated):
                verdict, noticed_by = self._noticed(tests, ignored, seconds)
            if verdict is not Verdict.KILLED or self._passes(noticed_by, tests, ignored, seconds):
                break
            if not noticed_by:
                verdict = Verdict.LIVES  # pytest itself fails, and names no test that could be left out
                break
            ignored.append(noticed_by)
        return Trial(
            mutation=mutation,
            tests=tuple(tests),
            verdict=verdict,
            change=changed_line(source, mutated),
            noticed_by=noticed_by,
        )

    def _noticed(self, tests: Sequence[str], ignored: Sequence[str], seconds: float) -> tuple[Verdict, str]:
        """Run the tests until one fails; return the verdict and that test.

        Those of the first file come first, by themselves: most mutants are noticed there, and pytest reads
        all files that it is given before it runs a test of the first.
        """
        verdict, noticed_by = Verdict.UNTESTED, ""
        for some in filter(None, _first_file_and_others(tests)):
            verdict, noticed_by = self._judge(some, ignored, seconds)
            if not verdict.lives:
                break
        return verdict, noticed_by

    def _passes(self, test: str, tests: Sequence[str], ignored: Sequence[str], seconds: float) -> bool:
        """Whether the test passes without the mutant; all of them where none has a name."""
        verdict, _ = self._judge([test], (), seconds) if test else self._noticed(tests, ignored, seconds)
        return verdict.lives

    @contextlib.contextmanager
    def _holding(self, path: Path, source: str, mutated: str) -> Iterator[None]:
        target = self._directory / path
        target.write_text(mutated)
        try:
            yield
        finally:
            target.write_text(source)

    def _judge(self, tests: Sequence[str], ignored: Sequence[str], seconds: float) -> tuple[Verdict, str]:
        left = [test for test in tests if test not in ignored and file_of(test) not in ignored]
        if not left:
            return Verdict.LIVES, ""
        # Two mutants may have the same size and second: no compiled file may outlive its source.
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._directory),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CI": "1",
        }
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "-o",
            "timeout=60",
            *(f"--deselect={test}" for test in ignored),
            *left,
        ]
        # A file and no pipe: what a test leaves running keeps it open.
        with (
            tempfile.TemporaryFile() as output,
            subprocess.Popen(
                argv,
                cwd=self._directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            ) as process,
        ):
            try:
                if process.wait(seconds) in (_PASSED, _NONE_RUN):
                    return Verdict.LIVES, ""
            except subprocess.TimeoutExpired:
                _end(process)
                return Verdict.TIMEOUT, ""
            output.seek(0)
            return Verdict.KILLED, failed_test(output.read().decode(errors="replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _first_file_and_others(tests: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    begin = next((n for n, test in enumerate(tests) if file_of(test) != file_of(tests[0])), len(tests))
    return tests[:begin], tests[begin:]


def failed_test(output: str) -> str:
    """Return which test failed, by what pytest has written; empty when it says of none."""
    found = _FAILED.search(output)
    return found.group(1) if found else ""


def changed_line(before: str, after: str) -> str:
    """Return the first line that differs, as it was and as it is."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    old, new = next(((old, new) for old, new in pairs if old != new), ("", ""))
    return f"{old.strip()}  =>  {new.strip()}"
