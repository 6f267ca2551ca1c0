"""What each flag of a program is set to, and by whom: for people who look at a program that runs."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ipamd.flags import declaration
from ipamd.flags.declaration import Flag


class SetBy(Enum):
    """Where a value comes from."""

    DEFAULT = "default"
    FLAG = "flag"
    ENVIRONMENT = "env"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveFlag:
    """One flag with the value that is in effect, as one would write it."""

    name: str
    value: str
    set_by: SetBy
    default: str
    meaning: str


def effective(
    settings: type, arguments: argparse.Namespace, words: Sequence[str], fallbacks: Mapping[str, str]
) -> Iterator[EffectiveFlag]:
    """Yield every flag of a class of settings.

    `words` is the command line that was parsed: a flag that was given its default was given all the same.
    `fallbacks` are texts for flags that were not given.
    """
    for flag in declaration.declared_by(settings):
        yield _effective(flag, getattr(arguments, flag.destination), words, fallbacks.get(flag.name, ""))


def _effective(flag: Flag, parsed: object, words: Sequence[str], fallback: str) -> EffectiveFlag:
    shown = _shown(parsed)
    default = _shown(flag.default) if flag.is_boolean else flag.default_text
    set_by = SetBy.FLAG if shown != default or _is_given(flag, words) else SetBy.DEFAULT
    if not shown and fallback:
        shown, set_by = fallback, SetBy.ENVIRONMENT
    return EffectiveFlag(
        name=flag.name, value=shown, set_by=set_by, default=default or flag.unset, meaning=flag.meaning
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def _is_given(flag: Flag, words: Sequence[str]) -> bool:
    negated = f"--no-{flag.name.removeprefix('--')}"
    return any(word.partition("=")[0] in (flag.name, negated) for word in words)
