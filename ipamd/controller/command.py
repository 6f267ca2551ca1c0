"""`ipamd controller` as a command: from flags to the daemon, and to an exit code."""

import argparse
import os
import sys

from ipamd import logs
from ipamd.controller import main
from ipamd.controller.options import settings
from ipamd.core.errors import InvalidInputError


def run(arguments: argparse.Namespace) -> int:
    """Run the controller until a signal or the loss of the Lease; return the exit code."""
    try:
        chosen = settings(arguments, os.environ)
        logs.configure(chosen.log_level, chosen.log_format)
        return main.run(chosen, os.environ)
    except InvalidInputError as e:
        print(f"ipamd controller: {e}", file=sys.stderr)
        return 2
