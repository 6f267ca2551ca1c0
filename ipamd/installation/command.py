"""`ipamd install-plugin` as a command: from flags to an exit code."""

import argparse
import sys
import time
from pathlib import Path

from ipamd import logs
from ipamd.core.errors import InvalidInputError
from ipamd.installation import plugin


def run(arguments: argparse.Namespace) -> int:
    """Install; return the exit code."""
    logs.configure("info", "text")
    try:
        plugin.install(
            Path(arguments.source),
            bin_directory=Path(arguments.bin_dir),
            trees=Path(arguments.trees),
            now=time.time(),
        )
    except InvalidInputError as e:
        print(f"ipamd install-plugin: {e}", file=sys.stderr)
        return 2
    return 0
