"""What nft shows of a table, as its JSON has it: chains, the elements of maps, and if all is there. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

Entry = dict[str, Any]
"""One command or one entry of a listing: {"chain": {...}}, {"rule": {...}}."""
_KEEPS: Final = ("map", "set")


def chains(listing: Sequence[Entry]) -> list[str]:
    """Return the names of the chains in a listing."""
    return [entry["chain"]["name"] for entry in listing if "chain" in entry]


def fixed(listing: Sequence[Entry], changing: Collection[str]) -> list[Entry]:
    """Return a listing without the elements of the maps and sets that change with Pods."""
    return [
        {kind: {name: value for name, value in entry.items() if name != "elem"}}
        if entry.get("name") in changing
        else {kind: entry}
        for command in listing
        for kind, entry in command.items()
        if kind != "metainfo"
    ]


def is_whole(listing: Sequence[Entry], commands: Sequence[Entry]) -> bool:
    """Whether a listing has every rule that the commands added, in its order, and no map or set emptied."""
    made = [added for command in commands for kind, added in command.items() if kind == "add"]
    elements = {
        entry["name"]: entry.get("elem")
        for found in listing
        for kind, entry in found.items()
        if kind in _KEEPS
    }
    filled = {added["element"]["name"] for added in made if "element" in added}
    listed = _comments(listing)
    return all(listed.get(chain) == rules for chain, rules in _comments(made).items()) and all(
        elements.get(name) for name in filled
    )


def _comments(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Return the comments of the rules of each chain that has rules."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        if "rule" in entry:
            found.setdefault(entry["rule"]["chain"], []).append(entry["rule"].get("comment", ""))
    return found


def elements(listing: Sequence[Entry], name: str) -> Iterator[tuple[Any, Entry]]:
    """Yield key and verdict of each element of a map."""
    for entry in listing:
        found = entry.get("map", {})
        if found.get("name") == name:
            yield from found.get("elem", [])


def target(verdict: Entry) -> str:
    """Return the chain that a verdict leads to, as nft lists it: {"goto": {"target": …}}."""
    return next((str(to["target"]) for to in verdict.values() if to), "")
