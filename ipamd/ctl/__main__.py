"""`ipamctl`: what an operator types.

`status`, `pods`, `enis` and `eips` ask the agent of this node, `trace` has it look, `check` and `repair`
compare and mend, `bundle` collects all of it; `eip cleanup` asks the cloud, from anywhere.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.ctl import bundle, command_line, completion, diagnosis, eip, maintenance, node, output
from ipamd.ctl.exit_codes import ExitCode

_NAME = "ipamctl"


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it parsed has `run`."""
    made = command_line.program(_NAME, "Show what the agent of this node knows; give back EIPs of a cluster.")
    made.set_defaults(program=_NAME)
    commands = command_line.commands_of(made)
    node.add_commands(commands)
    diagnosis.add_commands(commands)
    maintenance.add_commands(commands)
    bundle.add_command(commands)
    eip.add_commands(commands)
    completion.add_command(commands)
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return how it ended (`ExitCode`)."""
    made = parser()
    completion.answer(made)
    try:
        options = made.parse_args(arguments)
        code = _repeat(options) if options.watch else _once(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has no reader either: the interpreter must not try to write it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.CLOSED_PIPE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return code


def _once(options: argparse.Namespace) -> int:
    try:
        code: int = options.run(options)
    except InvalidInputError as e:
        output.say(str(e))
        return ExitCode.USAGE
    except IpamError as e:
        output.say(str(e))
        return ExitCode.FAILED
    return code


def _repeat(options: argparse.Namespace) -> int:
    """Run the command until somebody ends it: also while no agent answers, as one may come again."""
    while True:
        output.begin_again(options)
        _once(options)
        sys.stdout.flush()
        time.sleep(options.interval)


if __name__ == "__main__":
    sys.exit(main())
