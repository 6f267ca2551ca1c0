"""Waits until something in a directory changes, by inotify(7), which Python's standard library does not have.

Three calls of the C library, so no package for them. A node may have no inotify instance left
(fs.inotify.max_user_instances): then this waits its time and its caller looks anyway.
"""

import contextlib
import ctypes
import logging
import os
import select
from collections.abc import Sequence
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE = 0x8, 0x40, 0x80, 0x200
_EVENTS: Final = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
"""Files that were written and closed, came, or went; not each write: half a file is nobody's business."""
_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Invariant: `_inotify` is -1 or an open descriptor, `_wake` is open until `close`.

    Thread safety: one thread waits; `wake` may be called from any.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        """Take the directories; one that does not exist is watched from the next `wait` after it does."""
        self._directories = directories
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._inotify = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._inotify < 0:
            reason = os.strerror(ctypes.get_errno())
            log.warning("changes of %s are only found at intervals: %s", directories[0], reason)
        self._watch()

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._wake)
        if self._inotify >= 0:
            os.close(self._inotify)

    def wait(self, seconds: float) -> None:
        """Return when something has changed since the last `drain`, after `wake`, or after the time."""
        self._watch()
        poller = select.poll()
        for descriptor in (self._wake, self._inotify):
            if descriptor >= 0:
                poller.register(descriptor, select.POLLIN)
        poller.poll(seconds * 1000)

    def drain(self) -> None:
        """Forget what has changed until now."""
        with contextlib.suppress(BlockingIOError):
            while self._inotify >= 0 and os.read(self._inotify, 65536):
                pass

    def wake(self) -> None:
        """Let whoever waits go on, now and from now on."""
        os.eventfd_write(self._wake, 1)

    def _watch(self) -> None:
        """Watch each directory that exists; again for one that is watched already changes nothing."""
        if self._inotify >= 0:
            for directory in self._directories:
                _libc.inotify_add_watch(self._inotify, os.fsencode(directory), _EVENTS)
