"""The flags of `ipamd install-plugin`; the defaults are the paths of the image and of the DaemonSet."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from ipamd.core import places
from ipamd.flags import declaration, kinds
from ipamd.flags.declaration import flag
from ipamd.installation import plugin
from ipamd.installation.preflight import PreflightMode

PATHS = "paths"
CHECKS = "checks"
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
    preflight: PreflightMode = flag(
        CHECKS,
        "--preflight",
        kinds.one_of(PreflightMode),
        "what to do when somebody else's network or plugin is in the way: nothing, tell it in the log, or "
        "install nothing until it is gone",
        default=PreflightMode.TELL,
        see="install.md#pre-flight",
    )
    conf_dir: Path = flag(
        PATHS,
        "--conf-dir",
        kinds.PATH,
        "directory in which the runtime of the node looks for networks, for --preflight",
        default=Path(_HOST + places.CNI_CONFIGURATIONS),
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
