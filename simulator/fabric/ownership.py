"""Whose namespace is whose: names that carry their owner, and the sweep of those whose owner is dead.

A name reads `tkesim-<pid>-<start>.<n>-<label>`: process id and start time (clock ticks since boot,
hexadecimal, from /proc/<pid>/stat) say exactly which process made it, even after the id is used again; `n`
counts the fabrics of that process. Nothing but names is looked at: a namespace of anybody else is never
touched.
"""

import itertools
import os
import re
from pathlib import Path

from simulator.fabric import netns

_NAME = re.compile(r"tkesim-(?P<pid>\d+)-(?P<start>[0-9a-f]+)\.\d+-.+")
_count = itertools.count()


def new_prefix() -> str:
    """Give a prefix that no other run of any process has."""
    pid = os.getpid()
    return f"tkesim-{pid}-{_start_time(pid)}.{next(_count)}-"


def sweep() -> list[str]:
    """Delete the namespaces that dead simulators left and give their names."""
    orphans = [name for name in netns.names() if is_orphan(name)]
    for name in orphans:
        netns.delete(name)
    return orphans


def delete_all(prefix: str) -> None:
    """Delete every namespace of one run."""
    for name in netns.names():
        if name.startswith(prefix):
            netns.delete(name)


def is_orphan(name: str) -> bool:
    """Whether the name is one of a run that has ended without removing what it made."""
    match = _NAME.fullmatch(name)
    return match is not None and _start_time(int(match["pid"])) != match["start"]


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The command name, field 2, may hold blanks and brackets; start time is field 22.
    fields = stat.rpartition(")")[2].split()
    return f"{int(fields[19]):x}" if fields[0] not in "ZX" else ""
