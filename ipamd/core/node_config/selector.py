"""A label selector of Kubernetes: read, and compared with labels. Pure.

As "Labels and Selectors" of the Kubernetes documentation says; an empty selector matches every node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown

_WITH_VALUES: Final = ("In", "NotIn")
_WITHOUT: Final = ("Exists", "DoesNotExist")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One condition of a selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it."""
        if self.operator in _WITHOUT:
            return (self.key in labels) is (self.operator == "Exists")
        return (labels.get(self.key) in self.values) is (self.operator == "In")


Selector = tuple[Requirement, ...]


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether labels meet all conditions."""
    return all(requirement.fits(labels) for requirement in selector)


def read(selector: object, where: str) -> Selector:
    """Read `matchLabels` and `matchExpressions`. Raises: InvalidInputError."""
    if not isinstance(selector, Mapping):
        raise _refusal(where, selector, "an object with matchLabels or matchExpressions")
    if unknown := sorted(set(selector) - {"matchLabels", "matchExpressions"}):
        raise _refusal(f"{where}.{unknown[0]}", selector[unknown[0]], "matchLabels and matchExpressions")
    equal = selector.get("matchLabels") or {}
    if not isinstance(equal, Mapping) or not all(isinstance(v, str) for v in equal.values()):
        raise _refusal(f"{where}.matchLabels", equal, "labels with their values")
    found = selector.get("matchExpressions") or []
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise _refusal(f"{where}.matchExpressions", found, "a list")
    return (
        *(Requirement(key=key, operator="In", values=(value,)) for key, value in equal.items()),
        *(_requirement(entry, f"{where}.matchExpressions[{index}]") for index, entry in enumerate(found)),
    )


def _requirement(entry: Any, where: str) -> Requirement:
    key = entry.get("key") if isinstance(entry, Mapping) else None
    if not isinstance(key, str) or not key:
        raise _refusal(where, entry, "an object with key, operator and values")
    operator, values = entry.get("operator"), entry.get("values") or []
    if operator not in (*_WITH_VALUES, *_WITHOUT):
        raise _refusal(f"{where}.operator", operator, ", ".join((*_WITH_VALUES, *_WITHOUT)))
    good = isinstance(values, list) and all(isinstance(v, str) for v in values)
    if not good or bool(values) is not (operator in _WITH_VALUES):
        allowed = "one text or more" if operator in _WITH_VALUES else "nothing"
        raise _refusal(f"{where}.values", values, f"{allowed} with operator {operator}")
    return Requirement(key=key, operator=operator, values=tuple(values))


def _refusal(where: str, value: object, allowed: str) -> InvalidInputError:
    return InvalidInputError(f"{where} is {shown(value)}", advice=f"allowed is {allowed}")
