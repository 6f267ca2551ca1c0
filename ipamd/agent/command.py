"""`ipamd agent` as a command: from flags to the process, and to an exit code."""

import argparse
import os
import sys

from ipamd import logs
from ipamd.agent import memory
from ipamd.agent.options import settings
from ipamd.core.errors import InvalidInputError
from ipamd.runtime import collector


def run(arguments: argparse.Namespace) -> int:
    """Run the agent until a signal; return the exit code."""
    with collector.kept_off(), memory.without_detector():
        from ipamd.agent import main  # noqa: PLC0415 - not for --help, and with as little as it needs

    try:
        chosen = settings(arguments, os.environ, sys.argv[1:])
        logs.configure(chosen.log_level, chosen.log_format)
        return main.run(chosen, os.environ)
    except InvalidInputError as e:
        print(f"ipamd agent: {e}", file=sys.stderr)
        return 2
