"""Kinds of flags: how a flag's text is read and checked, and what its help says may be given."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Generic, TypeVar

from ipamd.core.errors import InvalidInputError
from ipamd.core.timing import durations
from ipamd.flags import checks

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_LONGEST_SOCKET_PATH: Final = 107
"""sun_path of unix(7), without its NUL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """What texts a flag takes; `read` gets flag and text, and raises InvalidInputError that names both."""

    read: Callable[[str, str], T]
    show: Callable[[T], str] = str
    """Returns a text that `read` takes for the value."""
    metavar: str = ""
    allowed: str = ""
    """The bounds, in words; empty: none that need saying."""
    choices: tuple[str, ...] = ()


def _as_it_is(_flag: str, text: str) -> str:
    return text


TEXT: Final = Kind(read=_as_it_is)
URL: Final = Kind(read=_as_it_is, metavar="URL")


def matching(pattern: re.Pattern[str], what: str, *, optional: bool = False) -> Kind[str]:
    """Return the kind of texts that match as a whole; `what` says what to give."""

    def read(flag: str, text: str) -> str:
        return checks.matching(flag, text, pattern, what, optional=optional)

    return Kind(read=read)


def duration(*, least: float = 0, most: float = 86400) -> Kind[float]:
    """Return the kind of durations in these bounds, in seconds."""

    def read(flag: str, text: str) -> float:
        return checks.duration(flag, text, least=least, most=most)

    return Kind(read=read, show=durations.text_of, metavar="DURATION", allowed=_between(least, most))


def optional_duration(*, least: float, most: float) -> Kind[float | None]:
    """Return the kind of durations in these bounds, in seconds; None stands for the empty text."""

    def read(flag: str, text: str) -> float | None:
        return checks.duration(flag, text, least=least, most=most) if text else None

    def show(seconds: float | None) -> str:
        return "" if seconds is None else durations.text_of(seconds)

    return Kind(read=read, show=show, metavar="DURATION", allowed=_between(least, most))


def _between(least: float, most: float) -> str:
    return f"{durations.text_of(least)} to {durations.text_of(most)}"


def whole(*, least: int | None = None, most: int | None = None) -> Kind[int]:
    """Return the kind of whole numbers in these bounds."""
    allowed = f"{least} to {most}" if most is not None else f"{least} or more" if least is not None else ""

    def read(flag: str, text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise InvalidInputError(f"{flag} is {text[:80]!r}", advice="give a whole number") from None
        if (least is not None and number < least) or (most is not None and number > most):
            raise InvalidInputError(f"{flag} is {number}", advice=f"allowed are {allowed}")
        return number

    return Kind(read=read, metavar="N", allowed=allowed)


def _read_rate(flag: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 < rate < float("inf"):
        raise InvalidInputError(f"{flag} is {text[:80]}", advice="give a number above 0")
    return rate


RATE: Final = Kind(read=_read_rate, show=lambda rate: f"{rate:g}", metavar="N", allowed="above 0")


def choice(*texts: str) -> Kind[str]:
    """Return the kind that takes one of these texts."""
    return Kind(read=_as_it_is, choices=texts)


def one_of(values: type[E]) -> Kind[E]:
    """Return the kind that takes the value of a member of an enumeration of texts."""
    return Kind(
        read=lambda _flag, text: values(text),
        show=lambda member: str(member.value),
        choices=tuple(str(member.value) for member in values),
    )


def _read_path(flag: str, text: str) -> Path:
    if not text.startswith("/"):
        raise InvalidInputError(f"{flag} is {text[:80]!r}", advice="give an absolute path")
    return Path(text)


def _read_socket(flag: str, text: str) -> Path:
    path = _read_path(flag, text)
    if len(text.encode()) > _LONGEST_SOCKET_PATH:
        raise InvalidInputError(
            f"{flag} has {len(text.encode())} bytes", advice=f"at most {_LONGEST_SOCKET_PATH} are allowed"
        )
    return path


PATH: Final = Kind(read=_read_path, metavar="PATH")
SOCKET: Final = Kind(read=_read_socket, metavar="PATH")
OPTIONAL_PATH: Final[Kind[Path | None]] = Kind(
    read=lambda flag, text: _read_path(flag, text) if text else None,
    show=lambda path: str(path or ""),
    metavar="PATH",
)


def _show_address(address: tuple[str, int] | None) -> str:
    return f"{address[0]}:{address[1]}" if address else ""


ADDRESS: Final = Kind(read=checks.address, show=_show_address, metavar="ADDRESS:PORT")


def listed(pattern: re.Pattern[str], form: str, metavar: str) -> Kind[tuple[str, ...]]:
    """Return the kind of lists of ids, separated by commas; `form` shows one."""

    def check(flag: str, part: str) -> None:
        if not pattern.fullmatch(part):
            raise InvalidInputError(
                f"{flag} contains {part[:80]!r}", advice=f"give ids like {form}, separated by commas"
            )

    return _list(check, metavar)


def _check_cidr(flag: str, part: str) -> None:
    try:
        ipaddress.IPv4Network(part)
    except ValueError as e:
        raise InvalidInputError(
            f"{flag} contains {part[:80]!r}: {e}",
            advice="give IPv4 CIDRs like 10.8.0.0/16, separated by commas",
        ) from e


def _list(check: Callable[[str, str], None], metavar: str) -> Kind[tuple[str, ...]]:
    def read(flag: str, text: str) -> tuple[str, ...]:
        parts = tuple(filter(None, (part.strip() for part in text.split(","))))
        for part in parts:
            check(flag, part)
        return parts

    return Kind(read=read, show=",".join, metavar=f"{metavar},...")


CIDRS: Final = _list(_check_cidr, "CIDR")

SWITCH: Final[Kind[bool]] = Kind(read=lambda _flag, text: text == "True")
"""A flag without a value, which turns on what is off by default."""
TOGGLE: Final[Kind[bool]] = Kind(read=lambda _flag, text: text == "True")
"""A flag without a value, beside which there is a --no- form."""
