"""The DELs that came while no agent ran: the plugin's queue on disk, worked off under its lock.

A file `*.del` is a serialized CniRequest. The plugin writes one when it cannot connect, holding the lock of
the directory and after a second look at the socket; so the agent drains before it serves, and once more when
it does. Oldest first. A file goes away when its DEL succeeded, or when it can never succeed.
Thread safety: the lock also keeps two drains apart.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from ipamd.agent.cni.delete import Delete
from ipamd.core import model
from ipamd.core.cni import requests
from ipamd.core.cni.errors import CniError
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.timing.deadline import Deadline
from ipamd.rpc import cni_pb2
from ipamd.runtime import failpoints

log = logging.getLogger(__name__)

_LARGEST = 131072
"""Bytes of a file, as the plugin writes it."""
_LOCK_SECONDS = 5.0
_DELETE_SECONDS = 10.0


def in_memory(socket: Path) -> Path:
    """Return where the plugin queues what the disk does not take: beside the agent's socket."""
    return socket.parent / "pending-deletes"


class PendingDeletes:
    """The plugin's queue: on disk, and in memory for what the disk did not take."""

    def __init__(self, directories: Iterable[Path], deleting: Delete) -> None:
        """Take the directories, which are made when missing, and who serves a DEL."""
        self._queues = [_Queue(directory, deleting) for directory in dict.fromkeys(directories)]

    def drain(self) -> int:
        """Work the queue off and return how many DELs are left; what fails stays for the next drain."""
        return sum(queue.drain() for queue in self._queues)

    def supersede(self, key: model.SandboxKey) -> None:
        """Drop a queued DEL of a sandbox that is being added now: it was about an earlier life of the name.

        Raises: TryAgainError when the queue cannot be changed, as the DEL would end the new sandbox later.
        """
        for queue in self._queues:
            queue.supersede(key)


class _Queue:
    """The part of the queue that is in one directory."""

    def __init__(self, directory: Path, deleting: Delete) -> None:
        self._directory = directory
        self._deleting = deleting

    def drain(self) -> int:
        try:
            with self._locked():
                files = sorted(self._directory.glob("*.del"), key=_age)
                left = [file for file in files if not self._done(file)]
        except OSError as e:
            log.error(  # noqa: TRY400 - the reason says it all
                "queued DELs in %s cannot be worked off: %s; check the directory", self._directory, e
            )
            return 0
        if files:
            log.info("worked off %d of %d queued DELs", len(files) - len(left), len(files))
        return len(left)

    def supersede(self, key: model.SandboxKey) -> None:
        file = self._directory / _name_of(key)
        if not file.exists():
            return
        try:
            with self._locked():
                _remove(file)
        except OSError as e:
            raise TryAgainError(
                f"a queued DEL of sandbox {key.container_id:.13} cannot be dropped: {e}",
                advice=f"check the directory {self._directory}",
            ) from e
        log.info("a queued DEL of sandbox %.13s is dropped: it is added again", key.container_id)

    def _done(self, file: Path) -> bool:
        """Serve one file; return whether it is done with."""
        try:
            request = _read(file)
        except (CniError, DecodeError, ValueError) as e:
            log.warning("queued DEL %s is not valid and is dropped: %s", file.name, e)
            _remove(file)
            return True
        try:
            self._deleting.delete(request, Deadline.after(_DELETE_SECONDS, time.monotonic))
        except IpamError as e:
            log.warning("queued DEL %s stays: %s", file.name, e)
            return False
        _remove(file)
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(descriptor)
            yield
        finally:
            os.close(descriptor)


def _remove(file: Path) -> None:
    with failpoints.failpoint("file.queued_del.remove"):
        file.unlink(missing_ok=True)


def _name_of(key: model.SandboxKey) -> str:
    """Return the name of a DEL's file, as the plugin makes it."""
    return f"{hashlib.sha256(f'{key.container_id}/{key.ifname}'.encode()).hexdigest()}.del"


def _take(descriptor: int) -> None:
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.02)
        else:
            return


def _read(file: Path) -> requests.DelRequest:
    """Return the DEL in a file, which is bounded, not followed through links, and taken as hostile."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it has more than {_LARGEST} bytes")
    message = cni_pb2.CniRequest.FromString(content)
    return requests.parse_del(message.environment, message.stdin)


def _age(file: Path) -> float:
    """Return what the oldest have the least of. It only says who comes first, so any clock will do."""
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
