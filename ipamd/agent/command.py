"""`ipamd agent` as a command: from flags to the process, and to an exit code."""

import argparse
import os
import sys

from ipamd import logs
from ipamd.agent.options import settings
from ipamd.core.errors import InvalidInputError
from ipamd.runtime import collector


def run(arguments: argparse.Namespace) -> int:
    """Run the agent until a signal; return the exit code."""
    # gRPC reads it when it is imported; the daemon never forks, and the support for it costs each call.
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    with collector.kept_off():
        from ipamd.agent import main  # noqa: PLC0415 - gRPC reads the environment when it is imported

    try:
        chosen = settings(arguments, os.environ, sys.argv[1:])
        logs.configure(chosen.log_level, chosen.log_format)
        return main.run(chosen, os.environ)
    except InvalidInputError as e:
        print(f"ipamd agent: {e}", file=sys.stderr)
        return 2
