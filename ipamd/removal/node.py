"""Takes all that is ours off a node: configuration, kernel state, plugin, store; in this order.

The configuration goes first, so that the runtime starts no Pod with us any more, and the store last. Each
step may be repeated, and nothing of it is needed by another one: what is cut off goes on with the next call.
What has one of our names and is not ours stays: a configuration of another network, TKE's plugin.
"""

import contextlib
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ipamd.core.cni import conflist
from ipamd.core.errors import IpamError
from ipamd.core.preflight import machine
from ipamd.core.preflight.result import Fitness
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import DataPlaneConfig
from ipamd.removal.options import RemovalSettings
from ipamd.runtime import failpoints

_SECONDS: Final = 2.0


class NodeInUseError(IpamError):
    """An agent serves the node: it would make again what is removed."""


def remove(settings: RemovalSettings) -> Iterator[str]:
    """Remove all; yield what was removed, and what stays, one sentence each.

    Raises: NodeInUseError; IpamError, OSError: what is left goes with the next call.
    """
    _check_nobody_serves(settings.socket)
    yield from _remove_configuration(settings.cni_conf)
    plane = DataPlane(DataPlaneConfig(sysctl_root=settings.sysctl_root, link_wait=0.0))
    with contextlib.closing(plane):
        plane.remove_all()
    yield "no link, rule, route and nft table of ours is in the kernel"
    yield from _remove_plugin(settings.cni_bin_dir / conflist.PLUGIN)
    for directory in (settings.trees, settings.state_dir, settings.socket.parent):
        yield from _empty(directory)


def _check_nobody_serves(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.settimeout(_SECONDS)
        try:
            trial.connect(str(path))
        except OSError:
            return
    raise NodeInUseError(
        f"an agent listens at {path} and would make all of it again",
        advice="end the agent of this node first: kubectl eni uninstall does",
    )


def _remove_configuration(path: Path) -> Iterator[str]:
    for file in (path, path.with_name(f".{path.name}.new"), path.with_name(f"{path.name}.damaged")):
        if not file.exists():
            continue
        if file == path and not _is_our_network(file.read_bytes()):
            yield f"{file} stays: it is not our network"
            continue
        yield _unlink(file)


def _is_our_network(content: bytes) -> bool:
    """Whether it is our list, or so damaged that no runtime can read it."""
    return conflist.is_damaged(content) or json.loads(content).get("name") == conflist.NAME


def _remove_plugin(path: Path) -> Iterator[str]:
    for file in (path, path.with_name(f".{path.name}.new")):
        if not file.exists():
            continue
        if file == path and machine.plugin(str(file), file.read_bytes()).fitness is not Fitness.OK:
            yield f"{file} stays: it is not our plugin"
            continue
        yield _unlink(file)


def _empty(directory: Path) -> Iterator[str]:
    """Remove what is in the directory; itself it stays, as it may be where a volume is mounted."""
    for entry in sorted(directory.iterdir()) if directory.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            with failpoints.failpoint("file.node.remove"):
                shutil.rmtree(entry)
            yield f"{entry} is removed"
        else:
            yield _unlink(entry)


def _unlink(file: Path) -> str:
    with failpoints.failpoint("file.node.remove"):
        file.unlink(missing_ok=True)
    return f"{file} is removed"
