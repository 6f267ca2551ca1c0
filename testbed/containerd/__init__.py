"""containerd 2.x and the CNI plugins of its time, from the Go module proxy, for nodes without Debian's 1.6.

`make containerd` builds them; `testbed.cluster.runtime` configures them. Debian's plugins know no CNI 1.1,
and a runtime asks a list of plugins only for what all of them know: never for STATUS.
"""

from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_MODULE = "github.com/containerd/containerd/v2"
_VERSION = required_version(Path(__file__).parent, _MODULE)
_PLUGINS = "github.com/containernetworking/plugins"
_PLUGINS_VERSION = required_version(Path(__file__).parent, _PLUGINS)

RUNTIME = ("containerd", "containerd-shim-runc-v2")
PLUGINS = {
    "loopback": "main/loopback",
    "ptp": "main/ptp",
    "host-local": "ipam/host-local",
    "portmap": "meta/portmap",
}
"""Plugins that every node has, by name, with their folder in their project; containerd needs loopback."""

CONTAINERD = GoBuild(
    title=f"containerd {_VERSION} and CNI plugins {_PLUGINS_VERSION}",
    module=Path(__file__).parent,
    directory=CACHE / "containerd" / f"{_VERSION}-{_PLUGINS_VERSION}",
    packages={
        **{name: f"{_MODULE}/cmd/{name}" for name in RUNTIME},
        **{name: f"{_PLUGINS}/plugins/{path}" for name, path in PLUGINS.items()},
    },
    variables={f"{_MODULE}/version.Version": _VERSION},
    # Needs a C library.
    tags="no_btrfs",
    target="containerd",
)
