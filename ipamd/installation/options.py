"""The flags of `ipamd install-plugin`; the defaults are the paths of the image and of the DaemonSet."""

import argparse
import sys
import time
from pathlib import Path

from ipamd import logs
from ipamd.core.errors import InvalidInputError
from ipamd.installation import plugin

_SOURCE = "/opt/tke-eni"
_BIN_DIRECTORY = "/host/opt/cni/bin"
_TREES = "/host/opt/tke-eni"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a parser."""
    for flag, default, text in (
        ("--source", _SOURCE, "where the plugin and the interpreter trees are taken from"),
        ("--bin-dir", _BIN_DIRECTORY, "directory in which the runtime of the node looks for CNI plugins"),
        ("--trees", _TREES, f"the node's {plugin.TREES}, where the interpreter belongs"),
    ):
        parser.add_argument(flag, default=default, metavar="PATH", help=f"{text} (default %(default)s)")


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
