"""Kernel settings of the network namespace that the calling thread is in, as files under /proc/sys/net."""

import errno
import os

from ipamd import steps
from ipamd.core import errors


def read(name: str) -> str:
    """Return a setting such as ("ipv4/ip_forward"); empty when this kernel does not have it."""
    try:
        descriptor = os.open(_path(name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        return os.read(descriptor, 128).decode().strip()
    finally:
        os.close(descriptor)


def write(name: str, value: str) -> bool:
    """Set it; return False when this kernel does not have it (IPv6 is off); KernelError when refused."""
    try:
        descriptor = os.open(_path(name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            with steps.step(f"sysctl.{name.rpartition('/')[2]}"):
                os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return False
    except OSError as e:
        advice = ""
        if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            advice = "the agent's container has to be privileged, so that /proc/sys is writable"
        raise errors.KernelError(
            f"could not set net/{name} to {value}: {os.strerror(e.errno or 0)}",
            errno=e.errno or 0,
            advice=advice,
        ) from e
    return True


def ensure(name: str, value: str) -> None:
    """Set it unless it has the value already."""
    if read(name) != value:
        write(name, value)


def _path(name: str) -> str:
    # An interface name may hold dots, so the parts are separated by slashes here.
    return f"/proc/sys/net/{name}"
