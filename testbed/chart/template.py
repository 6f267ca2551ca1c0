"""Objects of Kubernetes with places that Helm fills in, and how they are written as a template. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

_STEP: Final = "  "
_WIDE: Final = 1_000_000
Node = Any
"""What YAML has, and the places below."""


@dataclass(frozen=True, slots=True)
class When:
    """An item of a list, or the value of a key: there only if a condition of Helm's language holds."""

    condition: str
    value: Node


@dataclass(frozen=True, slots=True)
class Expression:
    """A scalar that Helm computes."""

    text: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A whole value of the chart, put in as it is."""

    value: str
    """Its path below .Values."""


@dataclass(frozen=True, slots=True)
class Items:
    """The entries of a value of the chart, as further items of a list."""

    value: str


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a value of the chart that are not empty, as a mapping of texts."""

    value: str


def written(node: Mapping[str, Node]) -> str:
    """Return the template of one object. Raises: ValueError for a text that Helm would take for its own."""
    return "".join(f"{line}\n" for line in _mapping(node, ""))


def _mapping(node: Mapping[str, Node], indent: str) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, When):
            yield f"{indent}{{{{- if {value.condition} }}}}"
            yield from _entry(_scalar(key), value.value, indent)
            yield f"{indent}{{{{- end }}}}"
        else:
            yield from _entry(_scalar(key), value, indent)


def _entry(key: str, value: Node, indent: str) -> Iterator[str]:
    inner = indent + _STEP
    if isinstance(value, Filled):
        yield f"{indent}{key}: {{{{- toYaml .Values.{value.value} | nindent {len(inner)} }}}}"
    elif isinstance(value, Entries):
        yield f"{indent}{key}:"
        yield f"{inner}{{{{- range $key, $value := .Values.{value.value} }}}}"
        yield f"{inner}{{{{- with $value }}}}"
        yield f"{inner}{{{{ $key }}}}: {{{{ . | quote }}}}"
        yield f"{inner}{{{{- end }}}}"
        yield f"{inner}{{{{- end }}}}"
    elif isinstance(value, Mapping) and value:
        yield f"{indent}{key}:"
        yield from _mapping(value, inner)
    elif isinstance(value, list) and value:
        yield f"{indent}{key}:"
        yield from _sequence(value, inner)
    elif isinstance(value, str) and "\n" in value.strip("\n"):
        yield f"{indent}{key}: {_literal(value)}"
        yield from (f"{inner}{line}" if line else "" for line in _plain(value).rstrip("\n").split("\n"))
    else:
        yield f"{indent}{key}: {_scalar(value)}"


def _sequence(items: Sequence[Node], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Items):
            yield f"{indent}{{{{- range .Values.{item.value} }}}}"
            yield f"{indent}- {{{{ . | quote }}}}"
            yield f"{indent}{{{{- end }}}}"
        elif isinstance(item, When):
            yield f"{indent}{{{{- if {item.condition} }}}}"
            yield from _item(item.value, indent)
            yield f"{indent}{{{{- end }}}}"
        else:
            yield from _item(item, indent)


def _item(item: Node, indent: str) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield f"{indent}- {_scalar(item)}"
        return
    first, *rest = _mapping(item, indent + _STEP)
    yield f"{indent}- {first.lstrip()}"
    yield from rest


def _literal(text: str) -> str:
    return "|" if text.endswith("\n") else "|-"


def _scalar(value: Node) -> str:
    if isinstance(value, Expression):
        return f"{{{{ {value.text} }}}}"
    shown = yaml.safe_dump(
        _plain(value) if isinstance(value, str) else value,
        default_flow_style=True,
        width=_WIDE,
        allow_unicode=True,
    )
    return shown.removesuffix("\n").removesuffix("\n...")


def _plain(text: str) -> str:
    if "{{" in text:
        raise ValueError(f"{text[:60]!r} is a template of another program: give it to the chart as a file")
    return text
