"""A mount that only one thread and what it starts can see: for programs that know one path of their files."""

import ctypes
import os
import threading
from pathlib import Path

_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
"""From linux/sched.h and linux/mount.h."""
_libc = ctypes.CDLL(None, use_errno=True)


def show_at(directory: Path, place: Path) -> None:
    """Show `directory` at `place`, to the calling thread and to the processes that it starts from now on.

    The thread has to end afterwards: it has left the machine's own mount namespace for good.
    Raises: OSError; RuntimeError for the main thread, where the process lives.
    """
    if threading.current_thread() is threading.main_thread():
        raise RuntimeError("the main thread must not leave the machine's mount namespace")
    if _libc.unshare(_CLONE_NEWNS):
        raise _error("a mount namespace cannot be made")
    _mount(b"none", b"/", _MS_REC | _MS_PRIVATE)
    _mount(os.fsencode(directory), os.fsencode(place), _MS_BIND)


def _mount(source: bytes, target: bytes, flags: int) -> None:
    if _libc.mount(source, target, None, ctypes.c_ulong(flags), None):
        raise _error(f"{os.fsdecode(source)} cannot be mounted at {os.fsdecode(target)}")


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
