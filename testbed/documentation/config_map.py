"""The keys of the ConfigMap tke-eni-settings, from deploy/settings.yaml and its comments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SETTINGS: Final = Path(__file__).parents[2] / "deploy" / "settings.yaml"


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield the keys of tke-eni-defaults with the comment above each, for the manual."""
    for key, default, meaning in declared():
        yield f"`{key}`", f"`{default}`" if default else "", meaning


def declared() -> Iterator[tuple[str, str, str]]:
    """Yield key, default and meaning of each."""
    comment: list[str] = []
    inside = False
    for line in _SETTINGS.read_text(encoding="utf-8").splitlines():
        words = line.strip()
        if words == "data:":
            inside = True
        elif inside and words.startswith("#"):
            comment.append(words.removeprefix("# "))
        elif inside and ":" in words:
            key, _, value = words.partition(": ")
            yield key, "" if value == '""' else value, " ".join(comment)
            comment = []
