"""The look at a node before the plugin is put there: whose plugin and whose network are there already.

Only files are read: neither the cloud nor the API server is asked, which may be away when a node starts, and
a roll-out to thousands of nodes costs no call. `ipamctl preflight` looks at all the rest.
"""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from ipamd.core import places
from ipamd.core.cni import conflist
from ipamd.core.preflight import machine
from ipamd.core.preflight.result import Fitness, Judgement


class PreflightMode(Enum):
    """What is done about a problem: the values of --preflight."""

    OFF = "off"
    TELL = "tell"
    REFUSE = "refuse"


def problems(bin_directory: Path, configurations: Path) -> list[str]:
    """Return what is in the way of an installation, one sentence each."""
    found = [one for one in _judged(bin_directory, configurations) if one.fitness is Fitness.PROBLEM]
    return [f"{one.check.code} {one.subject}: {one.text}; {one.next_step}" for one in found]


def _judged(bin_directory: Path, configurations: Path) -> Iterator[Judgement]:
    program = bin_directory / conflist.PLUGIN
    shown = f"{places.CNI_BINARIES}/{conflist.PLUGIN}"
    yield machine.plugin(shown, program.read_bytes() if program.is_file() else None)
    files = configurations.iterdir() if configurations.is_dir() else ()
    read = {file.name: file.read_bytes() for file in files if file.is_file()}
    yield from machine.order(places.CNI_CONFIGURATIONS, places.NETWORK_CONFIGURATION, read)
