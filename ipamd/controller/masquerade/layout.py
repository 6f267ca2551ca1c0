"""Where a list stands in a text of YAML or JSON, and how its entries are changed without touching the rest.

The parser says where each node begins and ends; only entries are cut out and put in between. What is added
looks like what stands beside it: its indentation, quotes, separators and line ends.
"""

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import yaml

_DASH = re.compile(r" *-[ \t]+")


class LayoutError(Exception):
    """A layout in which the list cannot be changed alone; the text says why."""


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


def with_entries(text: str, root: yaml.Node | None, field: str, entries: Sequence[str]) -> str:
    """Return the text with these entries in the field's list: those that stand there stay in their places.

    `root` is the text's node, None when it has none. Raises: LayoutError.
    """
    if not isinstance(root, yaml.MappingNode):
        return _with_first_field(text, root, field, entries)
    found = [(key, value) for key, value in root.value if key.value == field]
    if not found:
        add = _in_flow_mapping if root.flow_style else _in_block_mapping
        return _edited(text, [add(text, root, field, entries)])
    (key, value), *_ = found
    start, end = value.start_mark.index, value.end_mark.index
    if start < key.end_mark.index or text[start : start + 1] in ("&", "!"):
        raise LayoutError("it is an alias, or has an anchor or a tag")
    if isinstance(value, yaml.SequenceNode) and value.value and not value.flow_style:
        changed = _edited(text, _in_block_list(text, key, value.value, entries))
        return changed if text.endswith("\n") else changed.removesuffix(_eol(text))
    if isinstance(value, yaml.SequenceNode) and value.value:
        return _edited(text, [_in_flow_list(text, value.value, entries)])
    if start == end and not root.flow_style:
        added = _lines(entries, " " * (_margin(root) + _offset(root)))
        return _edited(text, [_after_line(text, start, added)])
    space = " " if start == end else ""
    return _edited(text, [_Edit(start, end, space + _flow_list(entries, '"', ", "))])


def _with_first_field(text: str, root: yaml.Node | None, field: str, entries: Sequence[str]) -> str:
    """Change a text without any field."""
    if root is not None and root.start_mark.index < root.end_mark.index:  # null, spelled out
        whole = f'{{"{field}":{_flow_list(entries, chr(34), ",")}}}'
        return _edited(text, [_Edit(root.start_mark.index, root.end_mark.index, whole)])
    if re.search(r"^\.\.\.", text, re.MULTILINE):
        raise LayoutError("a document without fields ends in ...")
    added = [f"{field}:", *_lines(entries)]
    return _edited(text, [_after_line(text, len(text), added)])


def _in_block_list(
    text: str, key: yaml.Node, items: Sequence[yaml.Node], entries: Sequence[str]
) -> list[_Edit]:
    """Change a list with a line and a dash for each entry."""
    lines = [_line_of(text, item) for item in items]
    kept = [item.value in entries for item in items]
    added = _added(items, entries)
    edits = [_Edit(start, end, "") for (start, end), keep in zip(lines, kept, strict=True) if not keep]
    if not any(kept) and not added:
        colon = text.index(":", key.end_mark.index) + 1
        return [_Edit(colon, colon, " []"), *edits]
    if not added:
        return edits
    *_, (start, _) = lines
    *_, final = items
    dash = text[start : final.start_mark.index]
    new = [dash + _written(entry, _quote_of(text, final)) for entry in added]
    if any(kept):
        last = max(index for index, keep in enumerate(kept) if keep)
        return [*edits, _after_line(text, items[last].end_mark.index, new)]
    (first, _), *_ = lines
    eol = _eol(text)
    return [_Edit(first, first, eol.join(new) + eol), *edits]


def _in_flow_list(text: str, items: Sequence[yaml.Node], entries: Sequence[str]) -> _Edit:
    """Change a list in brackets: each entry that stays keeps what stands before it."""
    first, *_ = items
    *_, last = items
    raw = [text[item.start_mark.index : item.end_mark.index] for item in items]
    between = [
        text[item.end_mark.index : following.start_mark.index]
        for item, following in itertools.pairwise(items)
    ]
    opening = text.rindex("[", 0, first.start_mark.index) + 1
    lead = text[opening : first.start_mark.index]
    plain = ", " if ", " in text else ","
    default = between[-1] if between else f",{lead}" if "\n" in lead else plain
    if "#" in default:
        default = plain
    result = ""
    for index, item in enumerate(items):
        if item.value in entries:
            result += (between[index - 1] if index and result else default if result else "") + raw[index]
    for entry in _added(items, entries):
        result += (default if result else "") + _written(entry, _quote_of(text, last))
    return _Edit(first.start_mark.index, last.end_mark.index, result)


def _in_flow_mapping(text: str, root: yaml.MappingNode, field: str, entries: Sequence[str]) -> _Edit:
    """Add the field behind the last one of a mapping in braces."""
    if not root.value:
        inside = root.start_mark.index + 1
        return _Edit(inside, inside, f'"{field}":{_flow_list(entries, chr(34), ",")}')
    *others, (key, value) = root.value
    end = _end_of(value)
    colon = text[key.end_mark.index : value.start_mark.index]
    comma = ", " if colon.endswith(" ") else ","
    opening = root.start_mark.index + 1
    if others:
        *_, (_, previous) = others
        before = text[_end_of(previous) : key.start_mark.index]
    else:
        lead = text[opening : key.start_mark.index]
        before = f",{lead}" if "\n" in lead else comma
    if "#" in before:
        before = comma
    quote = _quote_of(text, key)
    return _Edit(
        end,
        end,
        f"{before}{quote}{field}{quote}{colon.strip()}"
        f"{' ' if comma == ', ' else ''}{_flow_list(entries, quote or chr(34), comma)}",
    )


def _in_block_mapping(text: str, root: yaml.MappingNode, field: str, entries: Sequence[str]) -> _Edit:
    """Add the field behind the last one of a mapping with a line for each field."""
    margin = " " * _margin(root)
    added = [f"{margin}{field}:", *_lines(entries, margin + " " * _offset(root))]
    return _after_line(text, _end_of(root), added)


def _added(items: Iterable[yaml.Node], entries: Iterable[str]) -> list[str]:
    there = {item.value for item in items}
    return [entry for entry in entries if entry not in there]


def _line_of(text: str, item: yaml.Node) -> tuple[int, int]:
    """Return where the line of an entry begins and ends, its line end included."""
    start = text.rfind("\n", 0, item.start_mark.index) + 1
    if not _DASH.fullmatch(text[start : item.start_mark.index]):
        raise LayoutError(f"entry {str(item.value)[:40]!r} has no line of its own")
    end = text.find("\n", item.end_mark.index)
    return start, len(text) if end < 0 else end + 1


def _lines(entries: Iterable[str], margin: str = "") -> list[str]:
    return [f"{margin}- {entry}" for entry in entries]


def _after_line(text: str, position: int, added: Sequence[str]) -> _Edit:
    """Put lines behind the line in which a position is, or at the position if a line begins there."""
    eol = _eol(text)
    if position == 0 or text[position - 1] == "\n":
        return _Edit(position, position, "".join(line + eol for line in added))
    end = text.find("\n", position)
    if end < 0:  # the last line has no end, and gets none
        return _Edit(len(text), len(text), "".join(eol + line for line in added))
    return _Edit(end + 1, end + 1, "".join(line + eol for line in added))


def _end_of(node: yaml.Node) -> int:
    """Return where the text of a node ends: a mapping or list without brackets ends with its last entry."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    *_, last = node.value
    if isinstance(node, yaml.MappingNode):
        _, last = last
    return _end_of(last)


def _margin(root: yaml.MappingNode) -> int:
    (first, _), *_ = root.value
    return int(first.start_mark.column)


def _offset(root: yaml.MappingNode) -> int:
    """Return how far the first list of the mapping stands right of its name."""
    for key, value in root.value:
        if isinstance(value, yaml.SequenceNode) and not value.flow_style:
            return int(value.start_mark.column - key.start_mark.column)
    return 0


def _flow_list(entries: Iterable[str], quote: str, comma: str) -> str:
    return "[" + comma.join(_written(entry, quote) for entry in entries) + "]"


def _written(entry: str, quote: str) -> str:
    return json.dumps(entry) if quote == '"' else f"{quote}{entry}{quote}"


def _quote_of(text: str, node: yaml.Node) -> str:
    first = text[node.start_mark.index]
    return first if first in "\"'" else ""


def _eol(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text
