"""Draws shapes as text, by rich: colour on a terminal unless NO_COLOR is set, none elsewhere.

On a terminal texts are wrapped between words, and a table without room for its words is shown entry by entry;
elsewhere lines are as long as they have to be, so that programs find whole sentences in them. rich is
imported when something is drawn, because programs that read JSON should not wait for it.
"""

import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from ipamd.ctl.shape import Block, Facts, Line, Table

if TYPE_CHECKING:
    import rich.console
    import rich.table
    import rich.text

_GAP: Final = 2
"""Spaces between columns."""
_ENDLESS: Final = 100_000
_LEAST: Final = 20
"""Columns that a text has at least, however narrow the terminal is."""
_WORDS: Final = {
    "green": "ok bound ready attached released done",
    "yellow": "notice warning binding unbinding held cooling returning frozen starting skipped waiting",
    "bold red": "problem trouble error critical failed failing unbound quarantined left away",
}
_STYLES: Final = {word: style for style, words in _WORDS.items() for word in words.split()}
"""By the word that a cell or a label consists of."""


def draw(blocks: Iterable[Block], *, wide: bool, file: TextIO | None = None) -> None:
    """Write blocks below each other. Raises: BrokenPipeError when the reader has gone."""
    console = _console(file or sys.stdout)
    for block in blocks:
        if isinstance(block, Table):
            _draw_table(console, block, wide=wide)
        elif isinstance(block, Facts):
            _draw_facts(console, block)
        elif wide or not block.wide:
            _draw_message(console, block)


def clear() -> None:
    """Empty the terminal, if it is one."""
    _console(sys.stdout).clear()


def _console(file: TextIO) -> "rich.console.Console":
    from rich.console import Console  # noqa: PLC0415 - see the module's docstring

    on_terminal = file.isatty()
    return Console(
        file=file,
        width=None if on_terminal else _ENDLESS,
        force_terminal=on_terminal,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _draw_table(console: "rich.console.Console", block: Table, *, wide: bool) -> None:
    entries = block.wide if wide and block.wide is not None else block.entries
    if not entries:
        console.print(block.empty, soft_wrap=True)
        return
    shown = [column for column in block.columns if wide or not column.wide]
    rows = [[column.cell(entry) or "-" for column in shown] for entry in entries]
    _print_grid(console, [[column.title for column in shown], *rows], titled=True)


def _draw_facts(console: "rich.console.Console", block: Facts) -> None:
    _print_grid(console, [[label, text] for label, text in block.pairs], titled=False)


def _draw_message(console: "rich.console.Console", block: Line) -> None:
    from rich.text import Text  # noqa: PLC0415 - see the module's docstring

    text = block.text.lstrip()
    indent = len(block.text) - len(text) + (len(block.label) + _GAP if block.label else 0)
    first, *others = _wrapped(console, text, indent)
    label = Text(block.label, style=_style(block.label))
    console.print(label + f"{'':{indent - len(block.label)}}{first}", soft_wrap=True)
    for line in others:
        console.print(f"{'':{indent}}{line}", soft_wrap=True)


def _wrapped(console: "rich.console.Console", text: str, indent: int) -> list[str]:
    """Return the lines of a text: one where no people look; no word is broken."""
    if not console.is_terminal:
        return [text]
    room = max(_LEAST, console.width - indent)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _print_grid(console: "rich.console.Console", rows: Sequence[Sequence[str]], *, titled: bool) -> None:
    from rich.table import Table as Grid  # noqa: PLC0415 - see the module's docstring
    from rich.text import Text  # noqa: PLC0415 - see the module's docstring

    widths = _widths(rows, console.width - _GAP * len(rows[0]))
    if widths is None:
        _print_entries(console, rows, titled=titled)
        return
    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    for width in widths:
        grid.add_column(width=width)
    for number, row in enumerate(rows):
        head = titled and number == 0
        grid.add_row(*(Text(cell, style="bold" if head else _style(cell)) for cell in row))
    with console.capture() as captured:
        console.print(grid)
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return how wide each column is, so that no word is broken; None when there is no room for that."""
    full = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths = [max(_longest_word(cell) for cell in column) for column in zip(*rows, strict=True)]
    spare = room - sum(widths)
    if spare < 0:
        return None
    # Who needs least is served first; what it leaves is for the others.
    by_need = sorted(range(len(widths)), key=lambda n: full[n] - widths[n])
    for served, n in enumerate(by_need):
        given = min(full[n] - widths[n], spare // (len(widths) - served))
        widths[n] += given
        spare -= given
    return widths


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def _print_entries(console: "rich.console.Console", rows: Sequence[Sequence[str]], *, titled: bool) -> None:
    """Print each cell on a line of its own, behind its title."""
    if not titled:
        for label, text in rows:
            _draw_message(console, Line(label, text))
        return
    titles, *entries = rows
    longest = max(map(len, titles))
    for number, entry in enumerate(entries):
        if number:
            console.print()
        for title, cell in zip(titles, entry, strict=True):
            _draw_message(console, Line(title, f"{'':{longest - len(title)}}{cell}"))


def _style(word: str) -> str:
    return _STYLES.get(word.lower(), "")
