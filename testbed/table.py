"""Tables and progress lines that a person likes to read on a terminal."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO


def render(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, numbers to the right, a rule under the head."""
    widths = [max(len(cell) for cell in column) for column in zip(headers, *rows, strict=True)]
    numeric = [bool(rows) and all(_is_number(row[index]) for row in rows) for index in range(len(headers))]

    def line(cells: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join(
        [line(headers), "  ".join("-" * width for width in widths), *(line(row) for row in rows)]
    )


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace(",", "").isdigit()


class Progress:
    """Steps with their duration; on a terminal a running step is shown before it ends."""

    def __init__(self, *, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()

    def say(self, text: str = "") -> None:
        """One line of text."""
        print(text, file=self._out, flush=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `title` while the block runs, and its seconds (or that it failed) at the end."""
        start = time.monotonic()
        if self._live:
            print(f"  … {title}", end="", file=self._out, flush=True)
        try:
            yield
        except BaseException:
            self._finish("✗", title, start)
            raise
        self._finish("✓", title, start)

    def _finish(self, mark: str, title: str, start: float) -> None:
        lead = "\r\033[K" if self._live else ""
        print(f"{lead}  {mark} {title} ({time.monotonic() - start:.1f} s)", file=self._out, flush=True)
