"""The flags of `ipamd install-plugin`; the defaults are the paths of the image and of the DaemonSet."""

import argparse

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
