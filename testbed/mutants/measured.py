"""What `make coverage` has recorded: which files of tests ran a line, and how long each of them took."""

import ast
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

from coverage import CoverageData


class NotMeasuredError(RuntimeError):
    """There is no record, or the file has been changed since."""


class Measured:
    """Invariant: `at` is older than no file that is asked for."""

    def __init__(self, data: Path, junit: Path) -> None:
        """Read the record.

        Raises:
            NotMeasuredError: there is none.
        """
        if not data.exists() or not junit.exists():
            raise NotMeasuredError(f"{data} or {junit} is missing: run `make coverage`")
        self._at = data.stat().st_mtime
        self._data = CoverageData(str(data))
        self._data.read()
        self._seconds = seconds_by_file(junit.read_text())

    def tests_of(self, path: Path, line: int) -> list[str]:
        """Return the files of tests that ran the statement, those of the same room first, then by time.

        A line that runs only at import is ascribed to whatever ran any line of the file.

        Raises:
            NotMeasuredError: the file has been changed after it was measured.
        """
        if path.stat().st_mtime > self._at:
            raise NotMeasuredError(f"{path} has been changed since it was measured: run `make coverage`")
        by_line = self._data.contexts_by_lineno(str(path.resolve()))
        statement = statement_lines(path.read_text(), line)
        ran = files_of(context for number in statement for context in by_line.get(number, ()))
        if not ran:
            ran = files_of(context for contexts in by_line.values() for context in contexts)
        return sorted(
            (test for test in ran if Path(test).exists()),
            key=lambda test: (-shared_rooms(path, Path(test)), self.seconds(test), test),
        )

    def seconds(self, test: str) -> float:
        """Return how long a file of tests took; 0.0 when that is not known."""
        return self._seconds.get(test, 0.0)


def shared_rooms(path: Path, test: Path) -> int:
    """Return how many folders below `ipamd` and `tests` a file and its test have in common."""
    pairs = zip(path.parts[1:-1], test.parts[1:-1], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def files_of(contexts: Iterable[str]) -> set[str]:
    """Return the files of tests in contexts: a file itself, or a test of it that has started a daemon."""
    return {file for context in contexts if (file := context.partition("::")[0])}


def seconds_by_file(junit: str) -> Mapping[str, float]:
    """Return the seconds that each file of tests took, from pytest's report."""
    seconds: dict[str, float] = {}
    for case in ET.fromstring(junit).iter("testcase"):
        file = case.get("classname", "").replace(".", "/") + ".py"
        seconds[file] = seconds.get(file, 0.0) + float(case.get("time", "0"))
    return seconds


def statement_lines(source: str, line: int) -> range:
    """Return the lines of the innermost statement at a line; of one with a body only those before that."""
    around = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    if not around:
        return range(line, line + 1)
    innermost = max(around, key=lambda node: (node.lineno, -(node.end_lineno or 0)))
    body = getattr(innermost, "body", None)
    end = body[0].lineno if body else (innermost.end_lineno or innermost.lineno) + 1
    return range(innermost.lineno, max(end, innermost.lineno + 1))
