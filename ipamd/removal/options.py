"""The flags of `ipamd remove-from-node`; the defaults are the paths in a Pod of `kubectl eni uninstall`."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ipamd.core import places
from ipamd.flags import declaration, kinds
from ipamd.flags.declaration import flag
from ipamd.net.sysctls import PROC_SYS

PATHS: Final = "paths"
_HOST: Final = "/host"
"""Where a Pod of ours has the node's directories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalSettings:
    """Where on the node ours is; the flags that the agent has too are called as there."""

    cni_conf: Path = flag(
        PATHS,
        "--cni-conf",
        kinds.PATH,
        "the runtime's network configuration",
        default=Path(f"{places.CNI_CONFIGURATIONS}/{places.NETWORK_CONFIGURATION}"),
    )
    cni_bin_dir: Path = flag(
        PATHS,
        "--cni-bin-dir",
        kinds.PATH,
        "the node's CNI plugins",
        default=Path(_HOST + places.CNI_BINARIES),
    )
    trees: Path = flag(
        PATHS,
        "--trees",
        kinds.PATH,
        f"the node's {places.PLUGIN_TREES}, where earlier releases have put interpreters",
        default=Path(_HOST + places.PLUGIN_TREES),
    )
    state_dir: Path = flag(
        PATHS, "--state-dir", kinds.PATH, "of the store", default=Path(places.STATE_DIRECTORY)
    )
    socket: Path = flag(
        PATHS, "--socket", kinds.SOCKET, "of the agent, which has to be gone", default=Path(places.SOCKET)
    )
    sysctl_root: Path = flag(
        PATHS, "--sysctl-root", kinds.PATH, "where net/ can be written", default=PROC_SYS
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a parser."""
    declaration.add_arguments(parser, RemovalSettings)
