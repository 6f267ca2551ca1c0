"""Label and field selectors: parse what a client wrote, decide whether an object matches.

Pure. Label selectors: "Labels and Selectors" in the Kubernetes documentation (equality- and set-based,
`!key`). Field selectors: `=`, `==`, `!=` joined by commas; which fields exist depends on the kind.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.kube import names, status

_TOKEN = re.compile(r"\s*(?:(?P<symbol>==|!=|[=!,()<>])|(?P<word>[^\s=!,()<>]+))\s*")
_SYMBOLS = frozenset({"=", "==", "!=", "!", ",", "(", ")", "<", ">"})


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector; `values` is empty for exists and absent."""

    key: str
    operator: str
    values: frozenset[str]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether an object with these labels fulfils the term."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "absent":
                return value is None
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case comparison:
                return value is not None and _compares(value, comparison, next(iter(self.values)))


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed pair of label and field selector."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[tuple[str, bool, str], ...] = ()
    """(field, whether it must be equal, value)"""

    @property
    def empty(self) -> bool:
        """Whether everything matches."""
        return not self.labels and not self.fields

    def exact(self, field: str) -> str:
        """Return the value that the selector demands of a field, or ""."""
        return next((value for name, equal, value in self.fields if equal and name == field), "")

    def matches(self, labels: Mapping[str, str], field: Callable[[str], str]) -> bool:
        """Say whether an object matches, given its labels and a look-up of its fields."""
        return all(term.matches(labels) for term in self.labels) and all(
            (field(name) == value) is equal for name, equal, value in self.fields
        )


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Read a labelSelector parameter. Raises ApiError 400."""
    return _LabelParser(text).parse()


def parse_fields(text: str) -> tuple[tuple[str, bool, str], ...]:
    """Read a fieldSelector parameter. Raises ApiError 400. Which fields are known is for the kind to say."""
    terms = []
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        match = re.match(r"(?P<field>[^=!]+)(?P<operator>!=|==|=)(?P<value>.*)", term, re.DOTALL)
        if match is None:
            raise status.bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        value = re.sub(r"\\([\\,=])", r"\1", match["value"])
        terms.append((match["field"], match["operator"] != "!=", value))
    return tuple(terms)


def _compares(value: str, operator: str, bound: str) -> bool:
    try:
        return int(value) > int(bound) if operator == "gt" else int(value) < int(bound)
    except ValueError:
        return False


class _LabelParser:
    """Recursive descent over the tokens of one label selector."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position = 0
        stripped = text.strip()
        while position < len(stripped):
            match = _TOKEN.match(stripped, position)
            if match is None or match.end() == position:
                raise self._error(f"found '{stripped[position:]}'")
            self._tokens.append(match["symbol"] or match["word"])
            position = match.end()

    def parse(self) -> tuple[Requirement, ...]:
        requirements: list[Requirement] = []
        while self._tokens:
            requirements.append(self._requirement())
            if self._tokens:
                self._expect(",")
                if self._peek() in ("", ","):
                    raise status.bad_request(f"found '{self._peek()}', expected: identifier after ','")
        return tuple(requirements)

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._take()
            return self._checked(self._word(), "absent", [])
        key = self._word()
        if self._peek() in ("", ","):
            return self._checked(key, "exists", [])
        operator = self._take()
        if operator in ("=", "=="):
            return self._checked(key, "in", [self._value()])
        if operator == "!=":
            return self._checked(key, "notin", [self._value()])
        if operator in ("in", "notin"):
            return self._checked(key, operator, self._set())
        if operator in ("<", ">"):
            return self._checked(key, "gt" if operator == ">" else "lt", [self._value()])
        raise self._error(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def _set(self) -> list[str]:
        if self._peek() != "(":
            raise self._error(f"found '{self._peek()}' expected: '('")
        values: list[str] = []
        while not values or self._peek() == ",":
            self._take()
            values.append(self._value())
        if self._take() != ")":
            raise self._error("found '', expected: ',' or ')'")
        return values

    def _value(self) -> str:
        return "" if self._peek() in ("", ",", ")") else self._word()

    def _word(self) -> str:
        token = self._take()
        if not token or token in _SYMBOLS:
            raise self._error(f"found '{token}', expected: identifier")
        return token

    def _expect(self, symbol: str) -> None:
        token = self._take()
        if token != symbol:
            raise self._error(f"found '{token}', expected: '{symbol}'")

    def _peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def _take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def _checked(self, key: str, operator: str, values: list[str]) -> Requirement:
        for text, rule in [(key, names.qualified_name), *((value, names.label_value) for value in values)]:
            for problem in rule(text):
                raise self._error(f'<nil>: Invalid value: "{text}": {problem}')
        return Requirement(key, operator, frozenset(values))

    def _error(self, problem: str) -> status.ApiError:
        return status.bad_request(f"unable to parse requirement: {problem}")
