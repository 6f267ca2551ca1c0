"""What nft shows of a table, as its JSON has it: chains, the elements of maps, and if all is there. Pure."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from ipamd.core.findings.codes import FindingCode
from ipamd.core.kernel.difference import Difference

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


def differences(
    table: str, right: Sequence[Entry], found: Sequence[Entry] | None, family: str = "ip"
) -> list[Difference]:
    """Return what differs from how a table was listed when it was right; None: it does not exist."""
    if found is None:
        text = f"table {family} {table} does not exist"
        return [Difference(code=FindingCode.NFT_TABLE, subject=f"table/{family} {table}", text=text)]
    if list(found) == list(right):
        return []
    wanted, there = _by_object(right), _by_object(found)
    changed = [
        Difference(
            code=FindingCode.NFT_CHAIN if kind == _CHAIN else FindingCode.NFT_SET,
            subject=f"{kind}/{family} {table} {name}",
            text=f"{kind} {name} of table {family} {table} {_change(was, there.get((kind, name)))}",
        )
        for (kind, name), was in wanted.items()
        if there.get((kind, name)) != was
    ] + [
        Difference(
            code=FindingCode.NFT_CHAIN if kind == _CHAIN else FindingCode.NFT_SET,
            subject=f"{kind}/{family} {table} {name}",
            text=f"{kind} {name} of table {family} {table} is not ours",
        )
        for kind, name in there
        if (kind, name) not in wanted
    ]
    text = f"table {family} {table} is in another order"
    other = Difference(code=FindingCode.NFT_TABLE, subject=f"table/{family} {table}", text=text)
    return changed or [other]


_CHAIN: Final = "chain"
_HOLDERS: Final = (_CHAIN, *_KEEPS)


def _by_object(listing: Sequence[Entry]) -> dict[tuple[str, str], tuple[Entry, list[Any]]]:
    """Return for each chain, map and set what it is and, apart, what it holds."""
    found: dict[tuple[str, str], tuple[Entry, list[Any]]] = {}
    for kind, entry in ((kind, entry) for command in listing for kind, entry in command.items()):
        if kind in _HOLDERS:
            itself = {name: value for name, value in entry.items() if name != "elem"}
            found[kind, entry["name"]] = itself, list(entry.get("elem", []))
    for command in listing:
        rule = command.get("rule")
        if rule is not None and (_CHAIN, rule["chain"]) in found:
            found[_CHAIN, rule["chain"]][1].append(rule)
    return found


def _change(was: tuple[Entry, list[Any]], found: tuple[Entry, list[Any]] | None) -> str:
    if found is None:
        return "is gone"
    if not found[1] and was[1]:
        return "is empty"
    if len(found[1]) != len(was[1]):
        return f"has {len(found[1])} entries, not {len(was[1])}"
    return "was changed"


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
