"""Named network namespaces, as `ip netns` keeps them under /run/netns.

A namespace belongs to a thread: `run_in` starts a fresh thread, moves only that one and lets it end there, so
that no other thread ever leaves the machine's own namespace. pyroute2's NetNS and IPRoute(netns=) are not
used: they fork, which a process with threads must not do. All functions are thread-safe.
"""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from simulator.fabric.api import FabricError

DIRECTORY = Path("/run/netns")
CLONE_NEWNET = 0x40000000
"""From linux/sched.h; setns takes it as the expected type of the descriptor."""

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def create(name: str) -> None:
    """Make a namespace with its loopback device up."""
    _ip("netns", "add", name)
    _ip("-netns", name, "link", "set", "lo", "up")


def delete(name: str) -> None:
    """Remove the name; the kernel destroys the namespace with its links once nothing runs in it."""
    if (DIRECTORY / name).exists():
        try:
            _ip("netns", "delete", name)
        except FabricError:
            if (DIRECTORY / name).exists():
                raise


def names() -> list[str]:
    """All names on this machine."""
    return sorted(path.name for path in DIRECTORY.iterdir()) if DIRECTORY.exists() else []


def enter(name: str) -> None:
    """Move the calling thread into the namespace, for good; refused to the main thread."""
    if threading.current_thread() is threading.main_thread():
        raise FabricError(f"the main thread must not enter network namespace {name}: the process lives there")
    try:
        descriptor = os.open(DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as e:
        raise FabricError(f"network namespace {name} cannot be opened: {e.strerror}") from e
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise FabricError(
                f"network namespace {name} cannot be entered: {os.strerror(ctypes.get_errno())}"
            )
    finally:
        os.close(descriptor)


def run_in(name: str, call: Callable[[], T]) -> T:
    """Give the result of `call` (or raise its exception), made on a fresh thread inside the namespace."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            enter(name)
            results.append(call())
        except BaseException as e:  # noqa: BLE001 - handed to the caller's thread, whatever it is
            errors.append(e)

    thread = threading.Thread(target=body, name=f"in-{name}")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class Resident:
    """One thread that lives in a namespace and does there what other threads ask, one thing after the other.

    It is a daemon thread, so it still works while the interpreter's exit handlers run. Invariant: after close
    it has ended.
    """

    def __init__(self, name: str) -> None:
        """Start the thread and wait until it is inside; raises FabricError when it cannot get in."""
        self._name = name
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"in-{name}", daemon=True)
        self._thread.start()
        try:
            self.call(lambda: enter(name))
        except BaseException:
            self.close()
            raise

    def call(self, call: Callable[[], T]) -> T:
        """Give the result of `call`, or raise its exception, made on the thread."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise FabricError(f"the fabric's thread in {self._name} is closed")
            self._work.put((future, call))
        return future.result()

    def close(self) -> None:
        """End the thread after what was asked before; safe to repeat."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, call = item
            try:
                future.set_result(call())
            except BaseException as e:  # noqa: BLE001 - handed to the caller's thread, whatever it is
                future.set_exception(e)


def listening_socket(name: str, address: str, port: int) -> socket.socket:
    """Make a TCP socket that listens inside the namespace; any thread may accept from it."""

    def listen() -> socket.socket:
        return socket.create_server((address, port), backlog=128)

    return run_in(name, listen)


def write_sysctls(values: Mapping[str, str]) -> None:
    """Write keys such as "net.ipv4.ip_forward" in the namespace of the calling thread.

    /proc/sys/net shows each thread the values of its own namespace, so this belongs inside `run_in`. Keys of
    IPv6 are skipped on a machine that was booted without it.
    """
    if threading.current_thread() is threading.main_thread():
        raise FabricError("the main thread must not write sysctls: they would be the machine's own")
    for key, value in values.items():
        if key.startswith("net.ipv6.") and not Path("/proc/sys/net/ipv6").exists():
            continue
        path = Path("/proc/sys") / key.replace(".", "/")
        try:
            path.write_text(value, encoding="ascii")
        except OSError as e:
            raise FabricError(f"sysctl {key} cannot be set to {value}: {e.strerror}") from e


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FabricError(f"ip {' '.join(arguments)} failed: {done.stderr.strip()}")
