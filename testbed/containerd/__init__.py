"""containerd 2.x, built from the Go module proxy, for nodes that do not take Debian's 1.6.

`make containerd` builds it; `testbed.cluster.runtime` configures it.
"""

from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_MODULE = "github.com/containerd/containerd/v2"
_VERSION = required_version(Path(__file__).parent, _MODULE)

CONTAINERD = GoBuild(
    title=f"containerd {_VERSION}",
    module=Path(__file__).parent,
    directory=CACHE / "containerd" / _VERSION,
    packages={name: f"{_MODULE}/cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2")},
    variables={f"{_MODULE}/version.Version": _VERSION},
    # Needs a C library.
    tags="no_btrfs",
    target="containerd",
)
