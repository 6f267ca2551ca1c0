"""The flags of `ipamd install-plugin`; the defaults are the paths of the image and of the DaemonSet."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from ipamd.core import places
from ipamd.flags import declaration, kinds
from ipamd.flags.declaration import flag
from ipamd.installation import plugin

PATHS = "paths"
_HOST = "/host"
"""Where the init container has the node's directories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the plugin comes from and goes to."""

    source: Path = flag(
        PATHS,
        "--source",
        kinds.PATH,
        "directory that the plugin is taken from",
        default=Path(plugin.IN_IMAGE),
    )
    bin_dir: Path = flag(
        PATHS,
        "--bin-dir",
        kinds.PATH,
        "directory in which the runtime of the node looks for CNI plugins",
        default=Path(_HOST + places.CNI_BINARIES),
    )
    trees: Path = flag(
        PATHS,
        "--trees",
        kinds.PATH,
        f"the node's {plugin.TREES}, where earlier releases have put interpreters, which are removed",
        default=Path(f"{_HOST}{plugin.TREES}"),
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a parser."""
    declaration.add_arguments(parser, Settings)
