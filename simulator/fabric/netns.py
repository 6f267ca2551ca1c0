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
from pathlib import Path
from typing import TypeVar

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


def listening_socket(name: str, address: str, port: int) -> socket.socket:
    """Make a TCP socket that listens inside the namespace; any thread may accept from it."""

    def listen() -> socket.socket:
        return socket.create_server((address, port), backlog=128)

    return run_in(name, listen)


def write_sysctls(values: Mapping[str, str]) -> None:
    """Write keys such as "net.ipv4.ip_forward" in the namespace of the calling thread.

    /proc/sys/net shows each thread the values of its own namespace, so this belongs inside `run_in`.
    """
    if threading.current_thread() is threading.main_thread():
        raise FabricError("the main thread must not write sysctls: they would be the machine's own")
    for key, value in values.items():
        path = Path("/proc/sys") / key.replace(".", "/")
        try:
            path.write_text(value, encoding="ascii")
        except OSError as e:
            raise FabricError(f"sysctl {key} cannot be set to {value}: {e.strerror}") from e


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FabricError(f"ip {' '.join(arguments)} failed: {done.stderr.strip()}")
