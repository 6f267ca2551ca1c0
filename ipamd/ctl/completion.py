"""`ipamctl completion bash|zsh`: what a shell needs to complete commands, flags and names, by argcomplete.

kubectl completes a plugin by a program of its own; `kubectl eni completion` prints it. argcomplete is only
imported for that, and when a shell asks.
"""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ipamd.core import places
from ipamd.ctl import command_line
from ipamd.ctl.exit_codes import ExitCode

if TYPE_CHECKING:
    from ipamd.ctl.command_line import Subparsers

SECONDS: Final = 1.0
"""How long a shell waits for names that the agent knows."""
_ASKED: Final = "_ARGCOMPLETE"
"""In the environment when a shell asks."""
_SHELLS: Final = ("bash", "zsh")
_PLUGIN: Final = "kubectl_complete-eni"
_PLUGIN_HELP: Final = f"print the program {_PLUGIN}, by which kubectl completes this plugin"
_PLUGIN_SCRIPT: Final = """#!/bin/sh
# kubectl runs it with the words behind `kubectl eni`; the last one is to be completed.
line=kubectl-eni
for word; do line="$line $word"; done
words=$(_ARGCOMPLETE=1 _ARGCOMPLETE_IFS='
' _ARGCOMPLETE_SUPPRESS_SPACE=1 COMP_LINE="$line" COMP_POINT=${#line} COMP_TYPE=9 \\
  kubectl-eni 8>&1 9>/dev/null >/dev/null 2>&1)
[ -z "$words" ] || printf '%s\\n' "$words"
echo :4  # no files: ShellCompDirectiveNoFileComp of cobra
"""
_HELP: Final = "print what bash or zsh needs to complete commands, flags and names"


def add_command(commands: "Subparsers") -> None:
    """Add the command."""
    added = command_line.add(commands, "completion", _HELP, _run, asks_agent=False, shows=False)
    added.epilog = 'bash: source <(ipamctl completion bash); zsh: eval "$(ipamctl completion zsh)"'
    added.add_argument("shell", choices=_SHELLS, metavar="SHELL", help="bash or zsh")


def add_plugin_command(commands: "Subparsers") -> None:
    """Add the command of the kubectl plugin."""
    added = command_line.add(
        commands, "completion", _PLUGIN_HELP, _print_plugin, asks_agent=False, shows=False
    )
    added.epilog = (
        f"as the file {_PLUGIN} in the path, executable; kubectl's own completion (1.26 or later) runs it"
    )


def complete(argument: argparse.Action, names: Callable[[str], list[str]]) -> None:
    """Let an argument be completed by what `names` returns for the agent's socket; nothing when it fails."""

    def known(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
        try:
            return names(getattr(parsed_args, "socket", places.SOCKET))
        except Exception:  # noqa: BLE001 - whatever fails, a shell that completes must not be disturbed
            return []

    argument.completer = known  # type: ignore[attr-defined] # where argcomplete looks


def answer(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks, and end the process; return at once if none does."""
    if _ASKED in os.environ:
        import argcomplete  # noqa: PLC0415 - see the module's docstring

        argcomplete.autocomplete(parser)


def _run(options: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - see the module's docstring

    script = shellcode([options.program], shell=options.shell)
    # The first line is for zsh's own search of functions, whatever shell it is made for.
    print(script if options.shell == "zsh" else script.removeprefix(f"#compdef {options.program}").lstrip())
    return ExitCode.OK


def _print_plugin(_options: argparse.Namespace) -> int:
    print(_PLUGIN_SCRIPT, end="")
    return ExitCode.OK
