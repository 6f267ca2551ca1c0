"""Pages with places for generated tables."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PLACE: Final = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[a-z ]+); by `make docs` -->\n)"
    r".*?"
    r"(?P<end><!-- end of (?P=name) -->)",
    re.DOTALL,
)


def with_tables(directory: Path) -> tuple[Path, ...]:
    """Return the pages of a directory that have places for tables."""
    found = sorted(directory.glob("*.md"))
    return tuple(page for page in found if _PLACE.search(page.read_text(encoding="utf-8")))


def names(text: str) -> tuple[str, ...]:
    """Return the names of a page's tables, in order."""
    return tuple(found["name"] for found in _PLACE.finditer(text))


def filled(text: str, tables: Mapping[str, str]) -> str:
    """Return the page with each table in its place. Raises: KeyError for a name that no table has."""
    return _PLACE.sub(lambda found: found["begin"] + tables[found["name"]] + found["end"], text)
