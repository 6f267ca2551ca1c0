"""`ipamd install-plugin` as a command: from flags to an exit code."""

import argparse
import sys

from ipamd import boot, logs
from ipamd.core.errors import InvalidInputError
from ipamd.flags import declaration
from ipamd.installation import plugin
from ipamd.installation.options import Settings


def run(arguments: argparse.Namespace) -> int:
    """Install; return the exit code."""
    logs.configure("info", "text")
    try:
        chosen = declaration.read(Settings, arguments)
        now = plugin.Moment(boot.boot_id(), boot.clock())
        plugin.install(chosen.source, bin_directory=chosen.bin_dir, trees=chosen.trees, now=now)
    except InvalidInputError as e:
        print(f"ipamd install-plugin: {e}", file=sys.stderr)
        return 2
    return 0
