"""One record of `make coverage`: what ran each line, as the files were then, asked for as they are now."""

from collections import defaultdict
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final

from coverage import CoverageData

_MEASURED: Final = "ipamd"
"""The package that is measured. The record has it by absolute paths of wherever it was made."""


class NotMeasuredError(RuntimeError):
    """There is no record."""


class Record:
    """A folder with `data`, coverage's, and the files that it speaks of. Read-only."""

    def __init__(self, directory: Path) -> None:
        """Read it.

        Raises:
            NotMeasuredError: there is none, or it has no sources.
        """
        self._sources = directory
        data = directory / "data"
        for part in (data, directory / _MEASURED):
            if not part.exists():
                raise NotMeasuredError(f"{part} is missing: run `make coverage`")
        self._data = CoverageData(str(data))
        self._data.read()
        self._there = {_relative(name): name for name in self._data.measured_files()}

    def contexts_by_line(self, path: Path) -> Mapping[int, set[str]]:
        """Return what ran each line of the file as it is now; nothing of a file that there was not.

        A line that was changed since is ascribed to what ran what stood in its place; a new one to what ran
        the lines beside it.
        """
        measured = self._there.get(str(path))
        then = self._sources / path
        if measured is None or not then.exists():
            return {}
        by_line = self._data.contexts_by_lineno(measured)
        found: dict[int, set[str]] = defaultdict(set)
        for line, origins in origins_of_lines(then.read_text(), path.read_text()).items():
            for origin in origins:
                found[line].update(by_line.get(origin, ()))
        return {line: contexts for line, contexts in found.items() if contexts}


def origins_of_lines(before: str, after: str) -> Mapping[int, range]:
    """Return for each line of a text the lines of an earlier one that it comes from, both from 1."""
    found: dict[int, range] = {}
    old, new = before.splitlines(), after.splitlines()
    for how, begin, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        for number in range(first, last):
            if how == "equal":
                origin = begin + number - first
                found[number + 1] = range(origin + 1, origin + 2)
            elif how == "replace":
                found[number + 1] = range(begin + 1, end + 1)
            else:
                found[number + 1] = range(max(begin, 1), min(begin + 1, len(old)) + 1)
    return found


def _relative(name: str) -> str:
    return f"{_MEASURED}/{name.rpartition(f'/{_MEASURED}/')[2]}"
