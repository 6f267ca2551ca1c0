"""What an answer looks like to people, as values: tables, facts and messages, not drawn yet. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Plain = Mapping[str, Any]
"""An answer, or a part of one, as plain JSON values."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    cell: Callable[[Plain], str]
    """An empty cell is shown as a dash."""
    wide: bool = False
    """Only with `-o wide`."""


@dataclass(frozen=True, slots=True)
class Table:
    """A line for each entry."""

    columns: Sequence[Column]
    entries: Sequence[Plain]
    empty: str
    """What is said when there is no entry."""
    wide: Sequence[Plain] | None = None
    """The entries of `-o wide`, if these are others."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A label and a text on each line; the texts stand below each other."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence on one line, however long: whoever searches the output finds all of it.

    On a terminal it goes on below the beginning of its text.
    """

    label: str
    text: str
    wide: bool = False
    """Only with `-o wide`."""


Block = Table | Facts | Line
SPACE = Line("", "")
"""An empty line between two parts."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the answer of one command is shown to people, and by name."""

    blocks: Callable[[Plain, float], Sequence[Block]]
    """From the answer and the Unix time now, by which ages are told."""
    names: Callable[[Plain], Sequence[str]]
    """From the answer, what `-o name` prints: names that can be arguments again."""
