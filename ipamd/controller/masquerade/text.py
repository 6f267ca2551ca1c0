"""The text of ip-masq-agent's configuration: read, and changed in one list; every other character stays.

TKE writes JSON, others write YAML; ip-masq-agent takes both. A name that stands twice is an error rather than
a loss of one of the two values. What is to be written is read again first: a layout in which the list cannot
be changed alone is an error too.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from ipamd.controller.masquerade import layout
from ipamd.core.eip.masquerade import ADVICE, KEY, TITLE
from ipamd.core.errors import InvalidInputError


class ConfigText:
    """One configuration. Immutable."""

    def __init__(self, text: str) -> None:
        """Read it. InvalidInputError names what is wrong with it."""
        self._text = text
        self._root, self.fields = _read(text)

    def with_entries(self, field: str, entries: Sequence[str]) -> str:
        """Return the text with these entries in the list of the field, in which they stand in their order.

        Raises: InvalidInputError for a layout that is not understood.
        """
        try:
            changed = layout.with_entries(self._text, self._root, field, entries)
            _, fields = _read(changed)
        except (layout.LayoutError, InvalidInputError) as e:
            raise _layout_not_understood(field, str(e)) from e
        if fields != {**self.fields, field: list(entries)}:
            raise _layout_not_understood(field, "a change of it would change more")
        return changed


def _read(text: str) -> tuple[yaml.Node | None, Mapping[Any, Any]]:
    """Return the nodes of the text with their places, and the fields that they mean."""
    try:
        is_json, fields = True, json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError:
        is_json, fields = False, None
    except (ValueError, RecursionError) as e:
        raise _unreadable(str(e)) from e
    try:
        # YAML, of which JSON is a part, takes no tabs between its tokens; in JSON they stand nowhere else.
        loader = yaml.SafeLoader(text.replace("\t", " ") if is_json else text)
        root = loader.get_single_node()
        _check_repeats(root)
        if not is_json:
            fields = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as e:
        where = f" in line {e.problem_mark.line + 1}" if e.problem_mark else ""
        raise _unreadable(f"{e.problem or e.context}{where}") from e
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise _unreadable(str(e)) from e
    if fields is None:
        fields = {}
    if not isinstance(fields, Mapping):
        raise _unreadable(f"it is a {type(fields).__name__}, not an object of fields")
    return root, fields


def _check_repeats(node: yaml.Node | None) -> None:
    """Raise ValueError for a name that stands twice in a mapping, or for a mapping that is merged."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_repeats(item)
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        _refuse_repeats(names)
        if "<<" in names:
            raise ValueError("it merges mappings (<<)")
        for _, value in node.value:
            _check_repeats(value)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeats([name for name, _ in pairs])
    return dict(pairs)


def _refuse_repeats(names: list[str]) -> None:
    if len(set(names)) != len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{', '.join(repeated)} stands there more than once")


def _unreadable(why: str) -> InvalidInputError:
    return InvalidInputError(f"{TITLE}: {KEY} is neither JSON nor YAML of fields: {why[:200]}", advice=ADVICE)


def _layout_not_understood(field: str, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{TITLE}: {field} in {KEY} cannot be changed without touching the rest: {why[:200]}",
        advice="write it as a plain list, each entry on a line of its own; until then its entries for Pods "
        "with EIP stay as they are",
    )
