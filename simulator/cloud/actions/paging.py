"""Offset and Limit, ids and Filters of the Describe actions.

Every product words its refusals in its own codes, so the codes of one are gathered in a `QueryRules`. A
filter is a function from an object to the texts that it has under the filter's name; an object passes when
one of them is among the filter's values, and it must pass every filter (document "Filter", 215/15824). Pure.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from simulator.cloud import situations
from simulator.cloud.situations import ApiError

T = TypeVar("T")

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
MAX_IDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRules:
    """How one product refuses a query."""

    out_of_range: Callable[[str, object, int, int], ApiError]
    """From parameter name, value, lowest and highest allowed."""
    filter_unknown: Callable[[str], ApiError]
    too_many: Callable[[str, int, int], ApiError]
    """From what there is too much of, how many, and the limit."""
    max_values: int = 100


EIP_RULES = QueryRules(
    out_of_range=lambda name, value, low, high: situations.EIP_LIMIT.error(
        name=name, value=value, low=low, high=high
    ),
    filter_unknown=lambda name: situations.EIP_FILTER_UNKNOWN.error(name=name),
    too_many=lambda _what, count, limit: situations.EIP_FILTERS_MANY.error(count=count, limit=limit),
)
VPC_RULES = QueryRules(
    out_of_range=lambda name, value, low, high: situations.VPC_RANGE.error(
        name=name, value=value, allowed=f"{low} to {high}"
    ),
    filter_unknown=lambda name: situations.VPC_FILTER_UNKNOWN.error(name=name),
    too_many=lambda what, count, limit: situations.VPC_LIMIT.error(name=what, value=count, limit=limit),
)
CVM_RULES = QueryRules(
    out_of_range=lambda name, value, low, high: situations.CVM_LIMIT.error(
        name=name, value=value, low=low, high=high
    ),
    filter_unknown=lambda name: situations.CVM_FILTER_UNKNOWN.error(name=name),
    too_many=lambda what, count, limit: situations.CVM_FILTERS_MANY.error(
        what=what, count=count, limit=limit
    ),
    max_values=5,
)

Filter = Callable[[T], Iterable[str]]


def page(items: Sequence[T], params: Mapping[str, Any], rules: QueryRules) -> list[T]:
    """Cut the page that Offset and Limit ask for; both may be integers or, for some actions, text."""
    offset = _number(params, "Offset", 0, rules)
    limit = _number(params, "Limit", DEFAULT_LIMIT, rules)
    if offset < 0:
        raise rules.out_of_range("Offset", offset, 0, 2**31)
    if not 1 <= limit <= MAX_LIMIT:
        raise rules.out_of_range("Limit", limit, 1, MAX_LIMIT)
    return list(items[offset : offset + limit])


def _number(params: Mapping[str, Any], name: str, default: int, rules: QueryRules) -> int:
    value = params.get(name, default)
    text = str(value)
    if not text.removeprefix("-").isdecimal():
        raise rules.out_of_range(name, value, 0, MAX_LIMIT)
    return int(text)


def filter_values(params: Mapping[str, Any], rules: QueryRules) -> dict[str, list[str]]:
    """Give the values of each filter by name, after checking how many there are."""
    filters = params.get("Filters", [])
    if len(filters) > 10:
        raise rules.too_many("Filters", len(filters), 10)
    for entry in filters:
        if len(entry["Values"]) > rules.max_values:
            raise rules.too_many("Filter.Values", len(entry["Values"]), rules.max_values)
    return {entry["Name"]: entry["Values"] for entry in filters}


def matching(
    items: Iterable[T], wanted: Mapping[str, Sequence[str]], known: Mapping[str, Filter[T]], rules: QueryRules
) -> list[T]:
    """Give the items that pass every filter; `tag:<key>` is known where `known` has `tag:`.

    The filter under `tag:` gives texts of the form key=value.
    """
    tests: list[tuple[Filter[T], frozenset[str]]] = []
    for name, values in wanted.items():
        if name.startswith("tag:") and "tag:" in known:
            key = name.removeprefix("tag:")
            tests.append((known["tag:"], frozenset(f"{key}={value}" for value in values)))
        elif name in known and name != "tag:":
            tests.append((known[name], frozenset(values)))
        else:
            raise rules.filter_unknown(name)
    return [item for item in items if all(values.intersection(test(item)) for test, values in tests)]


def tag_pairs(tags: Mapping[str, str]) -> list[str]:
    """Give tags as the filter `tag:` wants them."""
    return [f"{key}={value}" for key, value in tags.items()]


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as the API shows them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def truth(*, value: bool) -> list[str]:
    """Give both ways in which a filter may spell a boolean."""
    return ["true", "TRUE", "True"] if value else ["false", "FALSE", "False"]
