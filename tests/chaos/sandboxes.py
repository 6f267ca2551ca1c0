"""Pod sandboxes as a runtime in this process makes them: a container id and a named network namespace.

Made by system calls instead of `ip netns`, which takes twenty times as long; thousands are needed. The names
begin like that of the node's namespace, so that the next region sweeps away what a killed test leaves.
"""

import ctypes
import os
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from simulator.fabric import netns

_MS_BIND = 0x1000
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(eq=False)
class Sandbox:
    """One sandbox of a Pod; its namespace lives until `remove`."""

    namespace: str
    name: str
    uid: str
    netns: str
    """Name under /run/netns; empty when it is gone."""
    container_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    other_netns: str = ""
    """Name of a namespace that a confused runtime gives in place of its own; empty before `other_path`."""

    @classmethod
    def of(cls, pod, node):
        """Make a sandbox for a Pod object on a node."""
        metadata = pod["metadata"]
        name = f"{node.netns}-{uuid.uuid4().hex[:10]}"
        _make_namespace(netns.DIRECTORY / name)
        return cls(metadata["namespace"], metadata["name"], metadata["uid"], name)

    @property
    def netns_path(self):
        return str(netns.DIRECTORY / self.netns) if self.netns else ""

    @property
    def other_path(self):
        """The path of a second namespace, made when it is asked for."""
        if not self.other_netns:
            self.other_netns = f"{self.netns}-b"
            _make_namespace(netns.DIRECTORY / self.other_netns)
        return str(netns.DIRECTORY / self.other_netns)

    def environment(self):
        """What the plugin gets for it."""
        arguments = {
            "IgnoreUnknown": "1",
            "K8S_POD_NAMESPACE": self.namespace,
            "K8S_POD_NAME": self.name,
            "K8S_POD_UID": self.uid,
            "K8S_POD_INFRA_CONTAINER_ID": self.container_id,
        }
        return {
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": self.netns_path,
            "CNI_IFNAME": "eth0",
            "CNI_PATH": "/opt/cni/bin",
            "CNI_ARGS": ";".join(f"{key}={value}" for key, value in arguments.items()),
        }

    def run(self, work):
        """Run a function inside, on a thread of its own."""
        return netns.run_in(self.netns, work)

    def remove(self):
        """Remove its namespaces, as the runtime does after DEL; a second time does nothing."""
        names, self.netns, self.other_netns = (self.netns, self.other_netns), "", ""
        for name in filter(None, names):
            path = netns.DIRECTORY / name
            _libc.umount2(os.fsencode(path), _MNT_DETACH)
            path.unlink()


def _make_namespace(path: Path) -> None:
    failures = []

    def unshare():
        if _libc.unshare(netns.CLONE_NEWNET) or _libc.mount(
            b"/proc/thread-self/ns/net", os.fsencode(path), None, _MS_BIND, None
        ):
            failures.append(OSError(ctypes.get_errno(), f"{path} could not be made"))

    path.touch()
    thread = threading.Thread(target=unshare)
    thread.start()
    thread.join()
    if failures:
        path.unlink()
        raise failures[0]
