"""Which entries of a listing are wanted: those that -n and the names on the command line say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ipamd.core.errors import IpamError
from ipamd.ctl.shape import Plain


class NoSuchEntryError(IpamError):
    """A name on the command line is the name of nothing here."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line chooses of a listing."""

    namespace: str
    names: Sequence[str]
    """NAME or NAMESPACE/NAME of an object of Kubernetes, or the id of one of the cloud."""

    def of(
        self, entries: Sequence[dict[str, Any]], keys: Callable[[Plain], Sequence[str]], kind: str
    ) -> list[dict[str, Any]]:
        """Return what is chosen of `entries`; `keys` are all the names that one has.

        Raises: NoSuchEntryError for a name that none has.
        """
        inside = [entry for entry in entries if self.namespace in ("", entry.get("namespace", ""))]
        if not self.names:
            return inside
        for name in self.names:
            if not any(name in keys(entry) for entry in inside):
                where = f" in namespace {self.namespace}" if self.namespace else ""
                raise NoSuchEntryError(
                    f"this node has no {kind} {name!r}{where}",
                    advice=f"it has {_some([keys(entry)[0] for entry in inside])}",
                )
        return [entry for entry in inside if not set(self.names).isdisjoint(keys(entry))]


def object_keys(entry: Plain) -> tuple[str, ...]:
    """Return the names of an object in a namespace, the full one first."""
    return f"{entry['namespace']}/{entry['name']}", entry["name"]


_SHOWN = 5


def _some(names: Sequence[str]) -> str:
    """Return names for a sentence, and how many more there are."""
    if not names:
        return "none at all"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
