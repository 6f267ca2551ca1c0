"""The table of docs/findings.md that tests fill: what was said of each fault, and after how many seconds.

What a run has not seen keeps its row, so that single tests can be run again. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

_PLACE: Final = re.compile(
    r"(?P<begin><!-- measured: faults;[^\n]*-->\n)(?P<rows>.*?)(?P<end><!-- end of faults -->)", re.DOTALL
)
_HEAD: Final = "| fault | command | seconds | what it says |\n| --- | --- | --- | --- |\n"
_ROW: Final = re.compile(r"^\| (?P<fault>[^|]+) \| `ipamctl", re.MULTILINE)


def faults(page: str) -> tuple[str, ...]:
    """Return the faults whose rows a page has, in order. Raises: ValueError without a place for them."""
    return tuple(_rows(page))


def with_rows(page: str, order: Sequence[str], said: Mapping[str, Mapping[str, str]]) -> str:
    """Return the page with new rows for `said`, which has by fault `seconds`, `code` and `words`.

    Raises: ValueError without a place for them.
    """
    rows = {**_rows(page), **{fault: _row(fault, row) for fault, row in said.items()}}
    table = _HEAD + "".join(rows[fault] for fault in order if fault in rows)
    return _PLACE.sub(lambda place: place["begin"] + table + place["end"], page)


def _rows(page: str) -> dict[str, str]:
    place = _PLACE.search(page)
    if place is None:
        raise ValueError("the page has no place `<!-- measured: faults; ... -->`")
    lines = place["rows"].splitlines(keepends=True)
    return {found["fault"]: line for line in lines if (found := _ROW.match(line))}


def _row(fault: str, row: Mapping[str, str]) -> str:
    words = " ".join(row["words"].split()).replace("|", "\\|")
    return f"| {fault} | `ipamctl check` | {row['seconds']} | `{row['code']}`: {words} |\n"
