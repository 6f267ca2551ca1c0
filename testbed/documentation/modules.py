"""The list of packages and modules of the product, each with the first sentence of its docstring."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_PRODUCT: Final = ("ipamd", "cni_plugin")
_GENERATED: Final = _ROOT / "ipamd" / "rpc"
"""What protoc makes has no docstrings."""


def packages() -> Iterator[tuple[str, str]]:
    """Yield the packages, each with its subject."""
    for package in _packages():
        yield f"`{package.relative_to(_ROOT)}`", _subject(package / "__init__.py")


def listing() -> str:
    """Return all modules by package, as paragraphs of Markdown."""
    return "\n".join(_paragraph(package) for package in _packages())


def _packages() -> Iterator[Path]:
    for root in _PRODUCT:
        for init in sorted((_ROOT / root).rglob("__init__.py")):
            if init.parent != _GENERATED:
                yield init.parent


def _paragraph(package: Path) -> str:
    lines = [f"**`{package.relative_to(_ROOT)}`** {_subject(package / '__init__.py')}\n"]
    modules = [path for path in sorted(package.glob("*.py")) if path.name != "__init__.py"]
    if modules:
        lines += ["| module | subject |", "|---|---|"]
    lines += [f"| `{path.name}` | {_subject(path)} |" for path in modules]
    return "\n".join(lines) + "\n"


def _subject(path: Path) -> str:
    """Return the first paragraph of a module's docstring on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")
