"""The command line of `ipamctl`: flags of every command may stand before or behind its name.

A flag that stands behind wins. That is why the commands' own parsers have no defaults for these flags: the
default of the program holds until one is given.
"""

import argparse
import difflib
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

import ipamd
from ipamd.core import places
from ipamd.ctl import output
from ipamd.ctl.exit_codes import ExitCode

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name

Run = Callable[[argparse.Namespace], int]
"""Does what a command line says, and returns the exit code."""

SECONDS: Final = 5.0
"""How long an answer of the agent may take, unless --timeout says otherwise."""
_INTERVAL: Final = 2.0
_GLOBAL: Final = "flags of every command"


class CommandParser(argparse.ArgumentParser):
    """Refuses a command line on one line, with the word that was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end the process."""
        print(f"{self.prog}: {message}; `{self.prog} --help` tells more", file=sys.stderr)
        sys.exit(ExitCode.USAGE)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as e:
            choices = [str(one) for one in action.choices or ()]
            close = difflib.get_close_matches(str(value), choices, n=1)
            if close:
                msg = f"{value!r} is unknown, perhaps {close[0]!r} is meant"
            elif len(choices) == 1:
                msg = f"{value!r} is unknown, perhaps `{self.prog} {choices[0]} {value}` is meant"
            else:
                raise
            raise argparse.ArgumentError(action, msg) from e


def program(name: str, description: str, *, asks_agent: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the flags of every command, before its commands are added."""
    made = CommandParser(prog=name, description=description)
    made.add_argument("--version", action="version", version=f"{name} {ipamd.__version__}")
    if asks_agent:
        _add_agent_flags(made, default=True)
    _add_output_flags(made, default=True)
    made.set_defaults(program=name, watch=False, interval=_INTERVAL)
    return made


def commands_of(parser: argparse.ArgumentParser, metavar: str = "COMMAND") -> "Subparsers":
    """Return to what commands are added."""
    return parser.add_subparsers(dest=metavar.lower(), required=True, metavar=metavar)


def add(  # noqa: PLR0913 - what a command can be
    commands: "Subparsers",
    name: str,
    text: str,
    run: Run,
    *,
    asks_agent: bool = True,
    shows: bool = True,
    repeats: bool = False,
    seconds: float = SECONDS,
) -> argparse.ArgumentParser:
    """Add a command: its name, what it does in a line, and who does it.

    asks_agent: it takes --socket and --timeout. shows: it takes -o and -n. repeats: it takes --watch.
    seconds: how long it may take without --timeout.
    """
    added = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    if repeats:
        added.add_argument("-w", "--watch", action="store_true", help="show it again and again, until Ctrl-C")
        added.add_argument(
            "--interval",
            type=positive_seconds,
            default=_INTERVAL,
            metavar="SECONDS",
            help="seconds between two looks of --watch (default: %(default)s)",
        )
    everywhere = added.add_argument_group(_GLOBAL)
    if shows:
        _add_output_flags(everywhere, default=False)
    if asks_agent:
        _add_agent_flags(everywhere, default=False)
    added.set_defaults(run=run, seconds=seconds)
    return added


def settle(options: argparse.Namespace) -> None:
    """Give what was parsed the time that its command may take, where no --timeout says it."""
    if getattr(options, "timeout", 0.0) is None:
        options.timeout = options.seconds


def positive_seconds(text: str) -> float:
    """Return a number of seconds above zero. Raises: ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        msg = f"{text!r} is no number of seconds above 0"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _add_output_flags(parser: Any, *, default: bool) -> None:
    parser.add_argument(
        "-o",
        output.FLAG,
        choices=output.FORMATS,
        default=output.Format.TABLE.value if default else argparse.SUPPRESS,
        help=f"{output.HELP} (default: {output.Format.TABLE})",
    )
    parser.add_argument(
        "-n",
        "--namespace",
        default="" if default else argparse.SUPPRESS,
        help="only Pods and claims of this namespace (default: all of them)",
    )


def _add_agent_flags(parser: Any, *, default: bool) -> None:
    parser.add_argument(
        "--socket",
        default=places.SOCKET if default else argparse.SUPPRESS,
        help=f"the agent's socket (default: {places.SOCKET})",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=None if default else argparse.SUPPRESS,
        metavar="SECONDS",
        help=f"seconds to wait at most (default: {SECONDS}, more where a command has more to do)",
    )
