"""This boot of the machine: its id and its clock, both the kernel's (proc(5), clock_gettime(2))."""

import time
from pathlib import Path

from ipamd.core.timing.boottime import Boottime

_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the id that the kernel has drawn for this boot; no other boot has it."""
    return _ID.read_text().strip()


def clock() -> Boottime:
    """Return how long ago the machine was booted: the clock of everything that the store dates."""
    return Boottime(time.clock_gettime(time.CLOCK_BOOTTIME))
