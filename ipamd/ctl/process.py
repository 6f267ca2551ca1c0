"""A command as a process: from the command line to the exit code, whatever happens in between."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.ctl import command_line, completion, output
from ipamd.ctl.exit_codes import ExitCode


def run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Run one command and return how it ended (`ExitCode`).

    What was parsed has `run`, `program`, `watch` and `interval`.
    """
    completion.answer(parser)
    try:
        options = parser.parse_args(arguments)
        command_line.settle(options)
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
        output.say(str(e), program=options.program)
        return ExitCode.USAGE
    except IpamError as e:
        output.say(str(e), program=options.program)
        return ExitCode.FAILED
    return code


def _repeat(options: argparse.Namespace) -> int:
    """Run the command until somebody ends it: also while nobody answers, as somebody may come again."""
    while True:
        output.begin_again(options)
        _once(options)
        sys.stdout.flush()
        time.sleep(options.interval)
