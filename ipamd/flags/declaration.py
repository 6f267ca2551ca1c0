"""Declare a program's flags as the fields of its settings, add them to a parser, and read the settings back.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Settings:
        ip_cooldown: float = flag("IP pool", "--ip-cooldown", kinds.duration(), "before …", default=30.0)
        targets: Targets = composed(Targets, min_warm=part("IP pool", "--ip-min-warm-target", …))

A field of one flag has its default in the declaration; the flags of a composed field take theirs from the
parameters of what is composed. A field without a flag is given by the program.
"""

import argparse
import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from ipamd.core.errors import InvalidInputError
from ipamd.flags import kinds
from ipamd.flags.kinds import Kind

T = TypeVar("T")
S = TypeVar("S")

_FLAG: Final = "flag"
_COMPOSITION: Final = "composition"
_ABSENT: Final = object()
"""Instead of a default: there is none, and the empty text is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag as people see it."""

    group: str
    name: str
    kind: Kind[Any]
    meaning: str
    default: Any = _ABSENT
    unset: str = ""
    """What counts without the flag, in words, where the default does not tell: "required", "$NODE_NAME"."""
    see: str = ""
    """Page of docs/ that says more, perhaps with an anchor."""

    @property
    def destination(self) -> str:
        """The name of the parsed text in argparse's namespace."""
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def default_text(self) -> str:
        """The default as one would write it; empty: none."""
        return "" if self.default is _ABSENT else str(self.kind.show(self.default))

    @property
    def help(self) -> str:
        """What --help says."""
        default = self.unset or ("" if self.is_boolean else self.default_text)
        words = self.meaning
        words += f"; {self.kind.allowed}" if self.kind.allowed else ""
        words += f" (default: {default})" if default and default != "required" else ""
        words += " (required)" if default == "required" else ""
        words += f"; see docs/{self.see}" if self.see else ""
        return words.replace("%", "%%")

    @property
    def is_boolean(self) -> bool:
        """Whether it takes no value."""
        return self.kind is kinds.SWITCH or self.kind is kinds.TOGGLE

    def add_to(self, group: "argparse._ArgumentGroup") -> None:
        """Add the flag to a group of a parser."""
        if self.kind is kinds.SWITCH:
            group.add_argument(self.name, action="store_true", help=self.help)
        elif self.kind is kinds.TOGGLE:
            action = argparse.BooleanOptionalAction
            group.add_argument(self.name, action=action, default=self.default, help=self.help)
        else:
            group.add_argument(
                self.name,
                default=self.default_text,
                metavar=self.kind.metavar or None,
                choices=self.kind.choices or None,
                help=self.help,
            )

    def read(self, arguments: argparse.Namespace, fallbacks: Mapping[str, str]) -> Any:
        """Return the value that was given, or what counts without. Raises: InvalidInputError."""
        text = getattr(arguments, self.destination)
        if self.is_boolean:
            return text
        return self.kind.read(self.name, text or fallbacks.get(self.name, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Composition:
    build: Callable[..., Any]
    flags: Mapping[str, Flag]
    advice: str

    def read(self, arguments: argparse.Namespace, fallbacks: Mapping[str, str]) -> Any:
        values = {name: flag.read(arguments, fallbacks) for name, flag in self.flags.items()}
        try:
            return self.build(**values)
        except ValueError as e:
            names = ", ".join(flag.name for flag in self.flags.values())
            raise InvalidInputError(f"{names} do not fit together", advice=self.advice) from e


def flag(  # noqa: PLR0913 - each says one thing of the flag
    group: str,
    name: str,
    kind: Kind[T],
    meaning: str,
    *,
    default: T | Any = _ABSENT,
    unset: str = "",
    see: str = "",
) -> T:
    """Return a dataclass field that one flag sets; `default` in the field's own terms."""
    made = Flag(group=group, name=name, kind=kind, meaning=meaning, default=default, unset=unset, see=see)
    if default is _ABSENT:
        return cast("T", dataclasses.field(metadata={_FLAG: made}))
    return cast("T", dataclasses.field(default=default, metadata={_FLAG: made}))


def part(group: str, name: str, kind: Kind[Any], meaning: str, *, unset: str = "", see: str = "") -> Flag:
    """Return one flag of several that make a field with `composed`."""
    return Flag(group=group, name=name, kind=kind, meaning=meaning, unset=unset, see=see)


def composed(build: Callable[..., T], *, advice: str = "", **flags: Flag) -> T:
    """Return a dataclass field that `build` makes of several flags.

    The defaults are those of the parameters of `build`; `advice` says what to do when it raises ValueError.
    """
    defaults = inspect.signature(build).parameters
    declared = {
        name: dataclasses.replace(each, default=defaults[name].default) for name, each in flags.items()
    }
    composition = _Composition(build=build, flags=declared, advice=advice)
    return dataclasses.field(default_factory=build, metadata={_COMPOSITION: composition})


def declared_by(settings: type) -> Iterator[Flag]:
    """Yield the flags of a class of settings, in order."""
    for field in dataclasses.fields(settings):
        if _FLAG in field.metadata:
            yield field.metadata[_FLAG]
        elif _COMPOSITION in field.metadata:
            yield from field.metadata[_COMPOSITION].flags.values()


def add_arguments(parser: argparse.ArgumentParser, settings: type) -> None:
    """Add the flags to a parser, those of one group together."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for each in declared_by(settings):
        if each.group not in groups:
            groups[each.group] = parser.add_argument_group(each.group)
        each.add_to(groups[each.group])


def read(
    settings: type[S],
    arguments: argparse.Namespace,
    *,
    fallbacks: Mapping[str, str] | None = None,
    **given: Any,
) -> S:
    """Return the settings that parsed flags make.

    `fallbacks` are texts for flags that were not given, by the flag's name; `given` the fields without flags.

    Raises:
        InvalidInputError: names the flag that is wrong, its value and what is allowed.
    """
    values = dict(given)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type] # any class of settings is a dataclass
        of_field = field.metadata.get(_FLAG) or field.metadata.get(_COMPOSITION)
        if of_field is not None:
            values[field.name] = of_field.read(arguments, fallbacks or {})
    return settings(**values)
