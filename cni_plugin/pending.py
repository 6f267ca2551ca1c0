"""The queue of DELs that the agent could not take: one file each, drained by the agent when it starts.

It is on disk; a DEL that the disk does not take is queued in memory (/run), by the same rules. A reboot
empties that and needs none of it: all sandboxes are gone with it, which the agent knows by the boot's id.

A file `<sha256 of container id, "/", interface>.del` holds the serialized CniRequest. The order is: connect
fails, take the lock, connect again, write; the agent drains while it holds the lock, so that no DEL slips in
between its last look and its first connection. Loaded only when the agent does not answer.
"""

import fcntl
import posix
import time
from _sha256 import sha256  # type: ignore[import-not-found]  # hashlib would load OpenSSL

LARGEST_QUEUE = 512
"""Files: twice the Pods that a node may have."""

LARGEST_REQUEST = 131072
"""Octets of one file, so that the queue never holds more than 64 MiB."""

_LOCK_GRACE = 3.0
"""Seconds for the lock, even when the call has used up its own time."""

_LOCK_RETRY = 0.01
_CREATE = posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW


class QueueError(Exception):
    """The DEL could not be written down; `message` says why, `advice` what to do.

    `unusable` says whether the directory or its disk is at fault, so that another may do.
    """

    def __init__(self, message: str, advice: str, *, unusable: bool = False) -> None:
        super().__init__(message, advice)
        self.message = message
        self.advice = advice
        self.unusable = unusable


class Queue:
    """The directory, as a context manager that holds its lock.

    Invariant: a `.del` file is whole and on disk, or it is not there; only the holder of the lock changes the
    directory, so a `.tmp` file that it finds was left by a process that died. Raises QueueError.
    """

    def __init__(self, directory: bytes, deadline: float) -> None:
        """Take the directory, made when missing, and until when (`time.monotonic`) to wait for its lock."""
        self._directory = directory
        self._deadline = deadline
        self._lock = -1

    def __enter__(self) -> "Queue":  # noqa: PYI034 - typing.Self would double the process
        try:
            _make_directories(self._directory)
            self._lock = posix.open(self._directory + b"/lock", posix.O_RDWR | _CREATE, 0o600)
            self._wait_for_lock()
        except OSError as error:
            self.__exit__()
            raise self._unusable(error) from None
        except QueueError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._lock >= 0:
            posix.close(self._lock)
            self._lock = -1

    def add(self, container_id: bytes, ifname: bytes, request: bytes) -> None:
        """Put a DEL on disk; one of the same container and interface is replaced."""
        if len(request) > LARGEST_REQUEST:
            raise QueueError(
                f"a DEL of {len(request)} octets is too large for the queue, which takes {LARGEST_REQUEST}",
                "make the network configuration smaller or start the agent",
            )
        name = sha256(container_id + b"/" + ifname).hexdigest().encode() + b".del"
        try:
            self._check_room(name)
            self._write(name, request)
        except OSError as error:
            raise self._unusable(error) from None

    def _wait_for_lock(self) -> None:
        # flock() itself knows no time-out, and the agent may hold the lock as long as it drains.
        until = max(self._deadline, time.monotonic() + _LOCK_GRACE)
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise QueueError(
                        f"the queue {_shown(self._directory)} stayed locked",
                        "the agent may be draining it: see its log",
                    ) from None
                time.sleep(_LOCK_RETRY)
            else:
                return

    def _check_room(self, name: bytes) -> None:
        """Remove what dead processes left half written, then count."""
        names = posix.listdir(self._directory)
        for leftover in names:
            if leftover.endswith(b".tmp"):
                posix.unlink(self._directory + b"/" + leftover)
        waiting = [entry for entry in names if entry.endswith(b".del")]
        if len(waiting) >= LARGEST_QUEUE and name not in waiting:
            raise QueueError(
                f"the queue {_shown(self._directory)} is full: {len(waiting)} DELs wait for the agent",
                "start the agent, which drains it",
            )

    def _write(self, name: bytes, request: bytes) -> None:
        temporary = self._directory + b"/" + name + b".tmp"
        fd = posix.open(temporary, posix.O_WRONLY | posix.O_EXCL | _CREATE, 0o600)
        try:
            while request:
                request = request[posix.write(fd, request) :]
            posix.fsync(fd)
            posix.rename(temporary, self._directory + b"/" + name)
        except OSError:
            posix.unlink(temporary)
            raise
        finally:
            posix.close(fd)
        _sync_directory(self._directory)

    def _unusable(self, error: OSError) -> QueueError:
        return QueueError(
            f"the queue {_shown(self._directory)} cannot be written: {error.strerror}",
            "mend the directory or start the agent",
            unusable=True,
        )


def _make_directories(path: bytes) -> None:
    """Make `path` and its missing parents, each on disk before its child."""
    missing = []
    while path not in (b"", b"/") and not _is_there(path):
        missing.append(path)
        path = path.rpartition(b"/")[0]
    for directory in reversed(missing):
        try:
            posix.mkdir(directory, 0o700)
        except FileExistsError:
            continue  # another DEL was faster
        _sync_directory(directory.rpartition(b"/")[0] or b"/")


def _is_there(path: bytes) -> bool:
    try:
        posix.stat(path)
    except FileNotFoundError:
        return False
    return True


def _sync_directory(path: bytes) -> None:
    fd = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        posix.fsync(fd)
    finally:
        posix.close(fd)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "replace")
