"""containerd and CNI plugins on a node: Debian's 1.6 and 1.1, or the 2.x and 1.9 of testbed/containerd.

Both pull every image from the registry in the VPC, take CNI plugins and configuration from the usual folders
and keep containers in overlayfs.
"""

import shutil
from pathlib import Path

from testbed.cluster.machine import Machine, installed
from testbed.cluster.parts import ContainerdLine
from testbed.containerd import CONTAINERD, PLUGINS, RUNTIME

PAUSE_IMAGE = "registry.k8s.io/pause:3.10"
SOCKET = "/run/containerd/containerd.sock"

SERVES = (
    "printf '\\0\\0\\0\\0\\0' | curl --silent --http2-prior-knowledge --max-time 2"
    f" --unix-socket {SOCKET} --header 'content-type: application/grpc' --header 'te: trailers'"
    " --data-binary @- --dump-header - --output /dev/null http://cri/runtime.v1.RuntimeService/Version"
    " | grep -q 'grpc-status: 0'"
)
"""Shell condition: containerd answers an empty gRPC call. When only its socket is there, kubelet ends."""

_DEBIANS_PLUGINS = Path("/usr/lib/cni")
_CONFIGURATION = "/etc/containerd/config.toml"
_HOSTS = "/etc/containerd/certs.d"


class Containerd:
    """The container runtime of one machine."""

    def __init__(self, machine: Machine, line: ContainerdLine, *, registry: str) -> None:
        """Write the configuration onto the machine, which is still off; `registry` is HOST:PORT."""
        self._machine = machine
        self._line = line
        machine.write(_CONFIGURATION, _CONTAINERD_1 if line == "1" else _CONTAINERD_2)
        machine.write(f"{_HOSTS}/_default/hosts.toml", _hosts(registry))
        if line == "2":
            for name in RUNTIME:
                machine.install(name, source=CONTAINERD.path(name))
        plugins = machine.path("/opt/cni/bin")
        plugins.mkdir(parents=True)
        machine.path("/etc/cni/net.d").mkdir(parents=True)
        for name in PLUGINS:
            shutil.copy2(CONTAINERD.path(name) if line == "2" else _DEBIANS_PLUGINS / name, plugins / name)

    def start(self) -> None:
        """Start it."""
        self._machine.add("containerd", *self._program(), f"--config={_CONFIGURATION}")

    def _program(self) -> list[str]:
        if self._line == "1":
            return ["containerd"]
        # It looks for its shim in PATH, where Debian's is.
        program = installed("containerd")
        folder = program.rpartition("/")[0]
        return ["/bin/sh", "-c", f'PATH={folder}:$PATH exec {program} "$@"', "containerd"]


def _hosts(registry: str) -> str:
    """Let every image, whatever registry its name says, come from the one in the VPC."""
    url = f"http://{registry}"
    return f'server = "{url}"\n\n[host."{url}"]\n  capabilities = ["pull", "resolve"]\n'


_DISABLED = """\
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
"""

_CONTAINERD_1 = f"""\
version = 2
{_DISABLED}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{_HOSTS}"
"""

_CONTAINERD_2 = f"""\
version = 3
{_DISABLED}
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{PAUSE_IMAGE}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{_HOSTS}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/opt/cni/bin"]
    conf_dir = "/etc/cni/net.d"
"""
