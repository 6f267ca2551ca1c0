"""Kernel settings of the network namespace that the calling thread is in, as files under /proc/sys/net."""

import errno
import os
from pathlib import Path
from typing import Final

from ipamd.core import errors
from ipamd.net import rtnl
from ipamd.runtime import failpoints

PROC_SYS: Final = Path("/proc/sys")


class Sysctls:
    """Reads and writes settings of `net`, by names with slashes: an interface's name may hold dots.

    Which namespace a file speaks of is decided when it is opened, by the thread that opens it (net_ctl_root
    of the kernel): so a bind mount of the node's /proc/sys/net serves as well, for a container whose own
    /proc/sys is read-only. Thread safety: any thread may call any method.
    """

    def __init__(self, root: Path = PROC_SYS) -> None:
        """Take where the directory `net` is found."""
        self._net = str(root / "net")

    def read(self, name: str) -> str:
        """Return a setting such as ("ipv4/ip_forward"); empty when this kernel does not have it."""
        try:
            descriptor = os.open(f"{self._net}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        try:
            return os.read(descriptor, 128).decode().strip()
        finally:
            os.close(descriptor)

    def write(self, name: str, value: str) -> bool:
        """Set it; return False when this kernel does not have it (IPv6 is off); KernelError when refused."""
        try:
            descriptor = os.open(f"{self._net}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                with failpoints.failpoint(f"sysctl.{name.rpartition('/')[2]}"), rtnl.TURN:
                    os.write(descriptor, value.encode())
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return False
        except OSError as e:
            advice = ""
            if e.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
                advice = (
                    f"{self._net} has to be writable: mount the node's /proc/sys/net into the agent's "
                    "container and name the place with --sysctl-root, as deploy/daemonset.yaml does"
                )
            raise errors.KernelError(
                f"could not set net/{name} to {value}: {os.strerror(e.errno or 0)}",
                errno=e.errno or 0,
                advice=advice,
            ) from e
        return True

    def ensure(self, name: str, value: str) -> bool:
        """Set it unless it has the value already; return whether it was set."""
        return self.read(name) != value and self.write(name, value)
