"""The alerts of deploy/components/monitoring as rows of a table."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

_ROOT: Final = Path(__file__).parents[2]
_RULES: Final = _ROOT / "deploy" / "components" / "monitoring" / "alerts.yaml"
_CHOICE: Final = re.compile(r"{{ with \$labels\.(\w+) }}(.*?){{ \. }}{{ else }}.*?{{ end }}")
_LABEL: Final = re.compile(r"{{ \$labels\.(\w+) }}")
_VALUE: Final = re.compile(r"{{ \$value[^}]*}}")


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield name, severity, how long it must last, and what it says, in the order of the file."""
    rules = yaml.safe_load(_RULES.read_text(encoding="utf-8"))
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            yield (
                _linked(rule["alert"]),
                rule["labels"]["severity"],
                rule.get("for", "at once"),
                _readable(rule["annotations"]["summary"]),
            )


def _linked(name: str) -> str:
    page = f"runbooks/{name}.md"
    return f"[{name}]({page})" if (_ROOT / "docs" / page).exists() else name


def _readable(template: str) -> str:
    """Return a text in which what an alert puts in is a word in italics."""
    chosen = _CHOICE.sub(r"\2*\1*", template)
    return _VALUE.sub("*value*", _LABEL.sub(r"*\1*", chosen))
