"""The fields of one part of a kubeconfig, with their types, and with names for what is wrong in them."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from ipamd.core.errors import InvalidInputError
from ipamd.core.text.quoting import shown

T = TypeVar("T")


class Fields:
    """One mapping of the file. A field that is null counts as absent. All errors are InvalidInputError."""

    def __init__(self, title: str, value: object) -> None:
        """Take how errors call it, and what stands there."""
        if not isinstance(value, Mapping):
            raise InvalidInputError(f"{title} is no mapping of fields", advice="correct the kubeconfig")
        self._title = title
        self._values: Mapping[Any, Any] = value

    def title(self, name: str = "") -> str:
        """Return how errors call a field, or the whole."""
        if not name:
            return self._title
        return f"{self._title} {name}" if self._title.endswith(":") else f"{self._title}.{name}"

    def wrong(self, name: str, why: str, advice: str) -> InvalidInputError:
        """Return the error about a field; `why` is a predicate that repeats no credential."""
        return InvalidInputError(f"{self.title(name)} {why}", advice=advice)

    def check_known(self, known: Collection[str], refused: Mapping[str, str] | None = None) -> None:
        """Do nothing if all fields are known; `refused` says of others what to use in their place."""
        for name in self._values:
            if name not in known and self._values[name] is not None:
                advice = (refused or {}).get(name, f"known are {', '.join(known)}; correct or remove it")
                raise InvalidInputError(
                    f"{self._title} has the field {shown(name)}, which is not taken", advice=advice
                )

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return self._values.get(name) is not None

    def names(self) -> list[str]:
        """Return the names of all fields."""
        found = list(self._values)
        if not all(isinstance(name, str) for name in found):
            raise InvalidInputError(f"{self._title} has a name that is no text", advice="put it into quotes")
        return [self._readable("", name) for name in found]

    def raw(self, name: str) -> Any:
        """Return what stands there."""
        return self._values.get(name)

    def text(self, name: str, *, needed: bool = False) -> str:
        """Return a text, empty if it is absent and not needed."""
        value = self._values.get(name)
        if needed and value in (None, ""):
            raise self.wrong(name, "is not set", "set it, or give another kubeconfig")
        return self._readable(name, self._typed(name, "" if value is None else value, str, "a text"))

    def flag(self, name: str) -> bool:
        """Return true or false, false if it is absent."""
        value = self._values.get(name)
        return self._typed(name, False if value is None else value, bool, "true or false")

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty if it is absent."""
        listed = self._typed(name, self._values.get(name) or [], list, "a list")
        if not all(isinstance(entry, str) for entry in listed):
            raise self.wrong(name, "has an entry that is no text", "put it into quotes")
        return [self._readable(name, entry) for entry in listed]

    def section(self, name: str) -> "Fields":
        """Return the fields of a mapping."""
        return Fields(self.title(name), self._values.get(name))

    def sections(self, name: str) -> list["Fields"]:
        """Return the mappings of a list, none if it is absent."""
        listed = self._typed(name, self._values.get(name) or [], list, "a list")
        return [Fields(f"{self.title(name)}[{number}]", entry) for number, entry in enumerate(listed)]

    def named(self, collection: str, name: str, kind: str) -> "Fields":
        """Return what the one entry with this name has under `kind`."""
        found = [entry for entry in self.sections(collection) if entry.text("name") == name]
        if len(found) != 1:
            why = f"has {'no' if not found else 'more than one'} entry with the name {shown(name)}"
            raise self.wrong(collection, why, f"correct the name, or what names the {kind}")
        return Fields(f"{self.title(collection)}[{shown(name)}]", found[0].raw(kind) or {})

    def _readable(self, name: str, text: str) -> str:
        """Return a text if it can be a path, an argument or bytes of UTF-8 at all."""
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            raise InvalidInputError(
                f"{self.title(name)} has a character that no text has: NUL, or half of another",
                advice="correct it",
            )
        return text

    def _typed(self, name: str, value: object, kind: type[T], words: str) -> T:
        if not isinstance(value, kind):
            raise self.wrong(name, f"is not {words}", "correct it")
        return value
