"""What `ipamctl preflight` looks at on the node itself. Needs no agent and changes nothing of the node."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ipamd.core import places
from ipamd.core.cni import conflist
from ipamd.core.errors import IpamError, NetnsError
from ipamd.core.preflight import machine
from ipamd.core.preflight.result import Judgement
from ipamd.net import trial

_LARGEST: Final = 64 * 1024 * 1024


def look(*, bin_dir: Path, conf_dir: Path, sysctl_root: Path, containerd: Path) -> Iterator[Judgement]:
    """Yield what is found on the node."""
    yield machine.kernel(os.uname().release)
    yield _features(sysctl_root)
    yield machine.plugin(f"{places.CNI_BINARIES}/{conflist.PLUGIN}", _read(bin_dir / conflist.PLUGIN))
    yield from machine.order(
        places.CNI_CONFIGURATIONS, places.NETWORK_CONFIGURATION, _configurations(conf_dir)
    )
    yield machine.runtime(
        str(containerd), _toml(containerd), (places.CNI_BINARIES, places.CNI_CONFIGURATIONS)
    )


def _features(sysctl_root: Path) -> Judgement:
    try:
        trial.run(sysctl_root)
    except NetnsError as e:
        return machine.features_untried(e.message)
    except IpamError as e:
        return machine.features(e.message, e.advice)
    return machine.features("", "")


def _configurations(directory: Path) -> dict[str, bytes]:
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError:
        return {}
    return {name: _read(directory / name) or b"" for name in names}


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as opened:
            return opened.read(_LARGEST)
    except OSError:
        return None


def _toml(path: Path) -> dict[str, Any] | None:
    text = _read(path)
    try:
        return None if text is None else tomllib.loads(text.decode())
    except ValueError:
        return None
