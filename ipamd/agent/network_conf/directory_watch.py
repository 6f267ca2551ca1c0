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

_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_ONLYDIR: Final = 0x1000000
_GOES: Final = _DELETE_SELF | _MOVE_SELF
_EVENTS: Final = _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE | _GOES
"""Files that were written and closed, came, went, or got another mode; the directory itself, too. Not each
write: half a file is nobody's business."""
_ARRIVALS: Final = _CREATE | _MOVED_TO | _GOES
"""Of a directory in which one that is not there may come."""
_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryWatch:
    """Watches directories by their names, and those above them.

    Invariant: `_inotify` is -1 or an open descriptor, `_wake` is open until `close`; `_watched` are the
    watches that there are, by number. What has another name by now is watched no longer.
    Thread safety: one thread waits; `wake` may be called from any.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        """Take the directories; of one that does not exist its coming is waited for."""
        self._directories = directories
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._inotify = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._inotify < 0:
            reason = os.strerror(ctypes.get_errno())
            log.warning("changes of %s are only found at intervals: %s", directories[0], reason)
        self._watched: set[int] = set()
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
        """Watch everything by its name; again for what is watched already changes nothing."""
        if self._inotify < 0:
            return
        is_settled = False
        while not is_settled:
            events = self._wanted()
            added = [
                _libc.inotify_add_watch(self._inotify, os.fsencode(path), mask | _ONLYDIR)
                for path, mask in events.items()
            ]
            # One may have come before its coming was waited for.
            is_settled = events == self._wanted()
        watched = {number for number in added if number >= 0}
        for number in self._watched - watched:
            _libc.inotify_rm_watch(self._inotify, number)
        self._watched = watched

    def _wanted(self) -> dict[Path, int]:
        """Return what is to be heard of which directory: of ours, of those above, and where one may come."""
        events: dict[Path, int] = {}
        for directory in self._directories:
            events[directory] = events.get(directory, 0) | _EVENTS
            for parent in directory.parents:
                events[parent] = events.get(parent, 0) | _GOES
            if not directory.is_dir():
                nearest = next(parent for parent in directory.parents if parent.is_dir())
                events[nearest] |= _ARRIVALS
        return events
