"""What `make coverage` has recorded: which tests ran a line, and how long each of them took.

Tests that were written since are recorded beside it by `make coverage-more`. Files may have changed since:
lines are followed (`testbed.mutants.record`).
"""

import ast
import itertools
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from testbed.mutants.record import NotMeasuredError, Record

_OF_NO_TEST: Final = ""
"""The context of what runs while pytest reads the files of tests: imports, and what they call."""
_OF_TABLES: Final = "tests/docs/test_tables.py"
_PHASE: Final = re.compile(r" \((setup|call|teardown)\)$")


class Measured:
    """All records together, and the tests that there are now."""

    def __init__(self, directory: Path, there: Collection[str]) -> None:
        """Read the record; `there` are the tests that exist now, by pytest's names of them.

        Raises:
            NotMeasuredError: there is none.
        """
        reports = [directory / "tests.xml", *sorted(directory.glob("more/*/tests.xml"))]
        if not reports[0].exists():
            raise NotMeasuredError(f"{reports[0]} is missing: run `make coverage`")
        self._records = [Record(report.parent) for report in reports]
        self._seconds: dict[str, float] = {}
        for report in reports:
            self._seconds |= seconds_by_test(report.read_text())
        self._there = {*there, *map(file_of, there)}
        self._new = {test for test in there if test not in self._seconds}

    def tests_of(self, path: Path, line: int) -> list[str]:
        """Return the tests that ran the statement: of the file's own tests first, then by time and nearness.

        A test is a file of tests, or one test of it where that alone has run the statement. Those of the
        file's own tests that the record does not know yet are among them. A line that runs at import, be it
        in a function, is ascribed to whatever ran any line of the file, and to the tests of its folder, which
        may look at its values only: who happened to import the file first says nothing. The declarations of
        flags are shown by the tables in docs/, so what is in no function meets the test of these, too.
        """
        by_line = self._contexts_by_line(path)
        source = path.read_text()
        contexts = set[str]().union(*(by_line.get(n, ()) for n in statement_lines(source, line)))
        ran = named_tests(contexts)
        is_called = is_in_function(source, line)
        if not ran or not is_called or _OF_NO_TEST in contexts:
            ran = named_tests(context for contexts in by_line.values() for context in contexts)
            files = set(map(file_of, self._there))
            ran |= {file for file in files if Path(file).parts[1:-1] == path.parts[1:-1]}
        if not is_called:
            ran.add(_OF_TABLES)
        ran |= {test for test in self._new if is_own(path, Path(file_of(test))) and file_of(test) not in ran}
        return sorted(
            ran & self._there,
            key=lambda test: (not is_own(path, Path(file_of(test))), self._cost(path, test), test),
        )

    def _contexts_by_line(self, path: Path) -> Mapping[int, set[str]]:
        found: dict[int, set[str]] = defaultdict(set)
        for record in self._records:
            for line, contexts in record.contexts_by_line(path).items():
                found[line].update(contexts)
        return found

    def _cost(self, path: Path, test: str) -> float:
        """Return its seconds, a quarter for each room that it shares: it is likely to look at this."""
        return float(self.seconds(test) / 4 ** shared_rooms(path, Path(file_of(test))))

    def seconds(self, test: str) -> float:
        """Return how long a test, or all of a file, took; 0.0 when that is not known."""
        return self._seconds.get(test, 0.0)


def file_of(test: str) -> str:
    """Return the file of a test."""
    return test.partition("::")[0]


def is_own(path: Path, test: Path) -> bool:
    """Return whether it mirrors the file, as `tests/core/test_pool.py` does with `ipamd/core/pool.py`."""
    return test.parts[1:-1] == path.parts[1:-1] and test.stem == f"test_{path.stem}"


def shared_rooms(path: Path, test: Path) -> int:
    """Return how many folders below `ipamd` and `tests` a file and its test have in common."""
    pairs = zip(path.parts[1:-1], test.parts[1:-1], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def named_tests(contexts: Iterable[str]) -> set[str]:
    """Return the tests that the contexts name.

    A process of a test has the context of the test that has started it, with its phase. When there is only
    one such test in a file, the others may use the same process: then it is the file.
    """
    found: set[str] = set()
    started: dict[str, set[str]] = defaultdict(set)
    for context in filter(None, contexts):
        phase = _PHASE.search(context)
        if phase:
            test = context[: phase.start()]
            started[file_of(test)].add(test)
        else:
            found.add(context)
    for file, tests in started.items():
        found |= tests if len(tests) > 1 else {file}
    return {test for test in found if file_of(test) == test or file_of(test) not in found}


def seconds_by_test(junit: str) -> Mapping[str, float]:
    """Return the seconds that each test and each file of tests took, from pytest's report."""
    seconds: dict[str, float] = defaultdict(float)
    for case in ET.fromstring(junit).iter("testcase"):
        *folders, last = case.get("classname", "").split(".")
        within = [last] if last[:1].isupper() else []
        file = "/".join(folders if within else [*folders, last]) + ".py"
        for test in (file, "::".join([file, *within, case.get("name", "")])):
            seconds[test] += float(case.get("time", "0"))
    return seconds


def is_in_function(source: str, line: int) -> bool:
    """Return whether the line is run by calls, not by the import of the file."""
    return any(
        node.lineno < line <= (node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )


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
