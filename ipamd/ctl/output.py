"""How every command shows what it found: for people as a table, for programs as JSON, YAML or names."""

import argparse
import json
import sys
import time
from enum import StrEnum
from typing import Final

from ipamd.ctl.shape import Plain, Shape


class Format(StrEnum):
    """The values of `-o`."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


FLAG: Final = "--output"
FORMATS: Final = tuple(one.value for one in Format)
HELP: Final = "how it is shown: table, wide (more columns), json, yaml, or name (one name a line)"


def show(options: argparse.Namespace, answer: Plain, shape: Shape) -> None:
    """Print an answer as `-o` says. Raises: BrokenPipeError when the reader has gone."""
    chosen = Format(options.output)
    if chosen is Format.JSON:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    elif chosen is Format.YAML:
        print(yaml_of(answer), end="")
    elif chosen is Format.NAME:
        sys.stdout.writelines(f"{name}\n" for name in shape.names(answer))
    else:
        from ipamd.ctl import terminal  # noqa: PLC0415 - what reads JSON need not wait for what draws

        terminal.draw(shape.blocks(answer, time.time()), wide=chosen is Format.WIDE)


def begin_again(options: argparse.Namespace) -> None:
    """Make room for the next look of --watch, where people look and not programs."""
    if sys.stdout.isatty() and options.output in (Format.TABLE, Format.WIDE):
        from ipamd.ctl import terminal  # noqa: PLC0415 - likewise

        terminal.clear()


def say(text: str, *, program: str = "ipamctl") -> None:
    """Tell the operator what is no part of the output."""
    print(f"{program}: {text}", file=sys.stderr)


def yaml_of(answer: Plain) -> str:
    """Return an answer as a YAML document."""
    import yaml  # noqa: PLC0415 - likewise

    return str(yaml.safe_dump(dict(answer), sort_keys=False, allow_unicode=True, explicit_start=True))
