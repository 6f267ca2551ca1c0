"""The text of ip-masq-agent's configuration: read, changed in one place, and written as it was otherwise.

TKE writes JSON, others write YAML; ip-masq-agent takes both. JSON keeps its order and is compact or indented
as before; YAML keeps its comments and quotes too (ruamel.yaml's round trip). A name that stands twice is an
error rather than a loss of one of the two values.
"""

import io
import json
import re
from collections.abc import MutableMapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from ipamd.core.eip.masquerade import ADVICE, KEY, TITLE
from ipamd.core.errors import InvalidInputError

_ANY_WIDTH = 1 << 20
"""Characters of a line; YAML is not wrapped anew."""


class ConfigText:
    """One configuration. Not thread-safe."""

    def __init__(self, text: str) -> None:
        """Read it. InvalidInputError names what is wrong with it."""
        self._indent = re.search(r"\n( +)\S", text)
        self._end = "\n" if text.endswith("\n") else ""
        self._yaml = YAML(typ="rt")
        self._yaml.preserve_quotes = True
        self._yaml.width = _ANY_WIDTH
        self._is_json = True
        document: Any
        try:
            document = json.loads(text, object_pairs_hook=_without_repeats)
        except json.JSONDecodeError:
            self._is_json = False
            document = self._read_yaml(text)
        except (ValueError, RecursionError) as e:
            raise _unreadable(str(e)) from e
        if document is None:
            document = CommentedMap()
        if not isinstance(document, MutableMapping):
            raise _unreadable(f"it is a {type(document).__name__}, not an object of fields")
        self.fields: MutableMapping[str, Any] = document

    def write(self) -> str:
        """Return the text with `fields` as they are now."""
        if not self._is_json:
            stream = io.StringIO()
            self._yaml.dump(self.fields, stream)
            return stream.getvalue()
        if self._indent:
            text = json.dumps(self.fields, indent=len(self._indent[1]), ensure_ascii=False)
        else:
            text = json.dumps(self.fields, separators=(",", ":"), ensure_ascii=False)
        return text + self._end

    def _read_yaml(self, text: str) -> Any:
        try:
            return self._yaml.load(text)
        except (YAMLError, ValueError, RecursionError) as e:
            mark = getattr(e, "problem_mark", None)
            where = f" in line {mark.line + 1}" if mark else ""
            problem = getattr(e, "problem", None) or str(e)
            raise _unreadable(f"{problem}{where}") from e


def _unreadable(why: str) -> InvalidInputError:
    return InvalidInputError(f"{TITLE}: {KEY} is neither JSON nor YAML of fields: {why[:200]}", advice=ADVICE)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        repeated = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
        raise ValueError(f"{', '.join(repeated)} stands there more than once")
    return fields
