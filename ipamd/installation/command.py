"""`ipamd install-plugin` as a command: from flags to an exit code."""

import argparse
import logging
import sys

from ipamd import boot, logs
from ipamd.core.errors import InvalidInputError
from ipamd.flags import declaration
from ipamd.installation import plugin, preflight
from ipamd.installation.options import Settings
from ipamd.installation.preflight import PreflightMode

log = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> int:
    """Install; return the exit code."""
    logs.configure("info", "text")
    try:
        chosen = declaration.read(Settings, arguments)
        if not _is_clear(chosen):
            return 1
        now = plugin.Moment(boot.boot_id(), boot.clock())
        plugin.install(chosen.source, bin_directory=chosen.bin_dir, trees=chosen.trees, now=now)
    except InvalidInputError as e:
        print(f"ipamd install-plugin: {e}", file=sys.stderr)
        return 2
    return 0


def _is_clear(chosen: Settings) -> bool:
    """Whether to install; tells what is in the way."""
    if chosen.preflight is PreflightMode.OFF:
        return True
    found = preflight.problems(chosen.bin_dir, chosen.conf_dir)
    for sentence in found:
        log.warning("preflight: %s", sentence)
    if not found or chosen.preflight is PreflightMode.TELL:
        return True
    log.error("nothing is installed: --preflight=refuse, and %d things are in the way", len(found))
    return False
