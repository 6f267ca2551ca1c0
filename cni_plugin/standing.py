"""What STATUS says of a node whose agent does not answer. Loaded for STATUS only.

A runtime that gets an error from STATUS reports its network as not ready; the Node is then NotReady at once,
its Pods leave their Services and are evicted some minutes later. So the agent's last answer stands while it
is away: for ever on a node whose Pods run, since they do without the agent; for some minutes on an empty one,
which then had better get no Pods. What was refused because an empty node had no address says nothing any more
once Pods run: they have one. Since the node booted the agent must have answered once: before, there is
nothing to stand (docs/adr/0010).

The answer is kept in one file beside the agent's socket, which as a rule is in memory (/run): a full disk is
no reason to forget it.
"""

import posix
import time
from _socket import if_nameindex

_BOOT_ID = b"/proc/sys/kernel/random/boot_id"
_FILE = b"/last-status"
_SERVED, _REFUSED, _REFUSED_EMPTY = b"served", b"refused", b"refused-empty"
_LARGEST = 256
_CREATE = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
_LINK_PREFIX, _LINK_LENGTH = "eni", 14
"""Of the host's end of a Pod's link: `eni` and eleven hexadecimal digits (`ipamd.core.names`)."""


class LastAnswer:
    """The last answer of the agent to STATUS since the node booted.

    The file holds a word, the boot's id, and the time of the answer in seconds of CLOCK_MONOTONIC, which all
    processes of a boot share. Invariant: it is whole or it is not there.
    """

    def __init__(self, socket: bytes) -> None:
        """Take the path of the agent's socket."""
        self._file = socket.rpartition(b"/")[0] + _FILE

    def keep(self, *, served: bool) -> None:
        """Write down what the agent has answered just now; a file that cannot be written fails nothing."""
        word = _SERVED if served else _REFUSED if _pods_run() else _REFUSED_EMPTY
        temporary = self._file + b".%d" % posix.getpid()
        try:
            record = b"%s %s %d\n" % (word, _boot_id(), time.monotonic())
            fd = posix.open(
                temporary, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW, 0o600
            )
            try:
                posix.write(fd, record)
            finally:
                posix.close(fd)
            posix.rename(temporary, self._file)
        except OSError:
            _remove(temporary)

    def objection(self, patience: float) -> str:
        """Say why the last answer does not stand (any more); empty: it does.

        On a node without Pods it stands for `patience` seconds.
        """
        word, seconds = self._read()
        pods_run = _pods_run()
        if word == _REFUSED or (word == _REFUSED_EMPTY and not pods_run):
            return "the last thing that it said was that the node cannot take Pods"
        if pods_run:
            return ""
        if word != _SERVED:
            return "it has not answered since the node booted, and no Pod of this node runs"
        if seconds > patience:
            return f"it has been away for {seconds:.0f} s, and no Pod of this node runs"
        return ""

    def _read(self) -> tuple[bytes, float]:
        """Return what was answered since the node booted, and how many seconds ago; b"" for nothing."""
        try:
            word, boot_id, at = _content(self._file).split()
            if boot_id == _boot_id():
                return word, time.monotonic() - int(at)
        except (OSError, ValueError):
            pass  # the agent has never answered, or somebody else has written the file
        return b"", 0.0


def _pods_run() -> bool:
    """Whether the node has links of Pods: the agent makes them, none outlives the boot or its Pod."""
    return any(name.startswith(_LINK_PREFIX) and len(name) == _LINK_LENGTH for _, name in if_nameindex())


def _boot_id() -> bytes:
    return _content(_BOOT_ID).strip()


def _content(path: bytes) -> bytes:
    fd = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    try:
        return posix.read(fd, _LARGEST)
    finally:
        posix.close(fd)


def _remove(path: bytes) -> None:
    try:
        posix.unlink(path)
    except OSError:
        return
