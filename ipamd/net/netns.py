"""The network namespace of a Pod, named by a path that a stranger gave.

`opened` opens the path without trusting it (it may be a FIFO, a device, another kind of namespace, or the
node's own namespace), and `run_inside` runs a function there: setns moves the calling thread and no other
one. No thread of the daemon is left in a Pod: one that could not come back, for which there is no known
reason, would take the process with it. No process is forked.

A fresh thread for each ADD, which ends with the work, cost 0.3 ms of CPU and made all others take turns for
the interpreter. Where the work takes long, or a namespace is made, a thread does it (`visit`, `run_apart`).
"""

import contextlib
import contextvars
import ctypes
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from ipamd.core import errors

log = logging.getLogger(__name__)

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = (Path("/proc/thread-self/ns/net"), Path("/proc/self/ns/net"))
"""Where the calling thread is, and the process; the same in the daemon."""
_libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
_Result = TypeVar("_Result")


@contextlib.contextmanager
def opened(path: str) -> Iterator[int]:
    """Give a descriptor of the namespace at a path for the time of the block; NetnsError says what is wrong.

    Opened with O_PATH first, because opening alone can have effects or block for ever when the path is a
    device or a FIFO. All namespaces live on one file system (nsfs), which tells them from everything else.
    """
    if not path.startswith("/") or "\0" in path:
        raise _refused(path, "it is not an absolute path")
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError) as e:  # ValueError: a lone surrogate
        reason = (os.strerror(e.errno or 0) if isinstance(e, OSError) else str(e)).lower()
        raise _refused(path, f"it cannot be opened ({reason})") from e
    try:
        found, own = os.fstat(handle), [path.stat() for path in _OWN]
        if found.st_dev != own[0].st_dev:
            raise _refused(path, "it is not a namespace")
        if found.st_ino in (place.st_ino for place in own):
            raise _refused(path, "it is the node's own network namespace")
        namespace = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)
    try:
        yield namespace
    finally:
        os.close(namespace)


def number_of(path: str) -> int | None:
    """Return the inode number that tells a network namespace from all others, None for a path without one."""
    try:
        with opened(path) as namespace:
            return os.fstat(namespace).st_ino
    except errors.NetnsError:
        return None


def run_inside(namespace: int, work: Callable[[], _Result]) -> _Result:
    """Run the function in the namespace, on the calling thread, and return or raise what it does.

    The function must not start threads, and must not wait for anybody but the kernel.
    """
    own = os.open(_OWN[0], os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(namespace)
        try:
            return work()
        finally:
            _come_back(own)
    finally:
        os.close(own)


def visit(places: Iterable[tuple[str, Callable[[], _Result]]]) -> list[_Result | errors.IpamError]:
    """Run each function in the namespace at its path, all in one thread; return what came of each, in order.

    That is what the function returns, or the error of this one place, as a NetnsError where there is no
    namespace. For many Pods: a thread for each costs as much as the look.
    """

    def go_round() -> list[_Result | errors.IpamError]:
        found: list[_Result | errors.IpamError] = []
        own = os.open(_OWN[0], os.O_RDONLY | os.O_CLOEXEC)
        try:
            for path, work in places:
                # From where the caller is: `opened` tells a Pod's namespace from that one.
                _enter(own)
                try:
                    with opened(path) as namespace:
                        _enter(namespace)
                        found.append(work())
                except errors.IpamError as e:
                    found.append(e)
        finally:
            os.close(own)
        return found

    return _in_a_thread(go_round)


def run_apart(work: Callable[[], _Result]) -> _Result:
    """Run the function in a new network namespace, which ends with it; return or raise what it does.

    NetnsError when the process may not make one.
    """

    def leave_and_work() -> _Result:
        if _libc.unshare(_CLONE_NEWNET):
            raise errors.NetnsError(
                f"no network namespace can be made: {os.strerror(ctypes.get_errno())}",
                advice="it needs CAP_SYS_ADMIN",
            )
        return work()

    return _in_a_thread(leave_and_work)


def _in_a_thread(work: Callable[[], _Result]) -> _Result:
    """Run the function in a thread that ends with it; return or raise what it does."""
    outcome: list[_Result] = []
    failure: list[BaseException] = []

    def enter_and_work() -> None:
        try:
            outcome.append(work())
        except BaseException as e:  # noqa: BLE001 - handed to the caller, whatever it is
            failure.append(e)

    # What it logs is about the same as what its caller logs.
    inherited = contextvars.copy_context()
    thread = threading.Thread(target=inherited.run, args=(enter_and_work,), name="pod-netns", daemon=True)
    try:
        thread.start()
    except RuntimeError as e:
        raise errors.TryAgainError(
            f"no thread could be started to enter a Pod's namespace: {e}",
            advice="the agent's cgroup (pids.max) or the node has no room for more threads",
        ) from e
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def _come_back(own: int) -> None:
    """Bring the thread back to where it was, or end the process: whatever it did next would be in a Pod."""
    if _libc.setns(own, _CLONE_NEWNET):
        log.critical("a thread cannot leave a Pod's namespace: %s", os.strerror(ctypes.get_errno()))
        os.abort()


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):
        raise errors.NetnsError(
            f"CNI_NETNS cannot be entered: {os.strerror(ctypes.get_errno())}",
            advice="it must be a network namespace, and the agent needs CAP_SYS_ADMIN",
        )


def _refused(path: str, reason: str) -> errors.NetnsError:
    return errors.NetnsError(
        f"CNI_NETNS {path[:256]!a} is refused: {reason}",
        advice="the runtime has to pass the path of the sandbox's network namespace, and that path has to be "
        "visible in the agent's mount namespace (mountPropagation: HostToContainer for /run/netns)",
    )
