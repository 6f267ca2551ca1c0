"""The part of the host's control groups that is all that one machine of the cluster sees.

One directory `<run>/<machine>` in each hierarchy of cgroup v1, or in the one of v2: the root of the
machine's cgroup namespace. Its programs are in the leaf `daemons`; kubelet makes its Pods' groups beside
that. The run's name tells its owner, as those of the simulator's network namespaces do, so that the next run
removes what a killed one left.
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from simulator.fabric import ownership

ROOT = Path("/sys/fs/cgroup")
DAEMONS = "daemons"


class CgroupError(RuntimeError):
    """Control groups cannot be made or removed; the message names the directory."""


def hierarchies() -> list[Path]:
    """Mount points of the hierarchies that kubelet and runc use."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    # Several controllers may share a mount, with links for their names; "unified" has no controllers.
    mounts = [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    return sorted(path for path in mounts if (path / "cgroup.procs").exists())


class MachineGroup:
    """The control groups of one machine. Invariant: everything that runs on the machine is in them."""

    def __init__(self, run_name: str, machine: str) -> None:
        """`run_name` tells the owner (see `simulator.fabric.ownership`)."""
        self._directories = [root / run_name / machine for root in hierarchies()]

    def create(self) -> None:
        """Make the groups, empty, as after a boot."""
        for directory in self._directories:
            (directory / DAEMONS).mkdir(parents=True, exist_ok=True)
            _hand_down(directory)

    @property
    def roots(self) -> list[Path]:
        """Files to which the process writes its id that makes the cgroup namespace."""
        return [directory / "cgroup.procs" for directory in self._directories]

    @property
    def members(self) -> list[Path]:
        """Files to which a process writes its id to become one of the machine's programs."""
        return [directory / DAEMONS / "cgroup.procs" for directory in self._directories]

    def remove(self) -> None:
        """End what is left in the groups and remove them; safe to repeat."""
        for directory in self._directories:
            remove(directory)
            with contextlib.suppress(OSError):
                directory.parent.rmdir()


def sweep() -> None:
    """Remove the groups that killed runs left."""
    for root in hierarchies():
        for directory in root.glob("tkesim-*"):
            if ownership.is_orphan(directory.name):
                remove(directory)


def remove(directory: Path, *, seconds: float = 10.0) -> None:
    """Kill what is in the groups below `directory` and remove them; CgroupError if that does not end."""
    end = time.monotonic() + seconds
    while directory.exists():
        for group in _deepest_first(directory):
            _kill(group)
            # Busy until the last process is gone, which takes a moment after the signal.
            with contextlib.suppress(OSError):
                group.rmdir()
        if time.monotonic() > end:
            raise CgroupError(f"control group {directory} is still in use after {seconds:.0f} s")
        time.sleep(0.02)


def _deepest_first(directory: Path) -> Iterator[Path]:
    for parent, _names, _files in os.walk(directory, topdown=False):
        yield Path(parent)


def _kill(group: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            # 0 is a process that this namespace does not see.
            if pid != "0":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


def _hand_down(directory: Path) -> None:
    """Let the sub-groups use what the hierarchy has: a new cpuset is empty, v2 wants controllers named."""
    if (ROOT / "cgroup.controllers").exists():
        for group in (directory.parent.parent, directory.parent, directory):
            controllers = (group / "cgroup.controllers").read_text().split()
            (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
        return
    for group in (directory.parent, directory, directory / DAEMONS):
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (group / name).exists() and not (group / name).read_text().strip():
                (group / name).write_text((group.parent / name).read_text())
