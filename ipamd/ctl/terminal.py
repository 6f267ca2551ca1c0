"""Draws shapes as text, by rich: colour on a terminal unless NO_COLOR is set, none elsewhere.

On a terminal a cell that does not fit is folded; elsewhere lines are as long as they have to be, so that
programs find whole words in them. rich is imported when something is drawn, because programs that read JSON
should not wait for it.
"""

import sys
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
        else:
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

    label = Text(block.label, style=_style(block.label))
    console.print(Text("  ").join([label, Text(block.text)]) if block.label else block.text, soft_wrap=True)


def _print_grid(console: "rich.console.Console", rows: Sequence[Sequence[str]], *, titled: bool) -> None:
    from rich.table import Table as Grid  # noqa: PLC0415 - see the module's docstring
    from rich.text import Text  # noqa: PLC0415 - see the module's docstring

    grid = Grid(box=None, show_header=False, pad_edge=False, padding=(0, _GAP, 0, 0))
    for _ in rows[0]:
        grid.add_column(overflow="fold", no_wrap=not console.is_terminal)
    for number, row in enumerate(rows):
        head = titled and number == 0
        grid.add_row(*(Text(cell, style="bold" if head else _style(cell)) for cell in row))
    with console.capture() as captured:
        console.print(grid)
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def _style(word: str) -> str:
    return _STYLES.get(word.lower(), "")
