"""CoreDNS with the plugins that a cluster's DNS server needs, built from the Go module proxy.

`main.go` names the plugins; `testbed.cluster.dns` runs it in the cluster.
"""

import hashlib
from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_FOLDER = Path(__file__).parent
VERSION = required_version(_FOLDER, "github.com/coredns/coredns")
# The program is of this release and of our own choice of plugins.
_CHOICE = hashlib.sha256((_FOLDER / "main.go").read_bytes()).hexdigest()[:8]

COREDNS = GoBuild(
    title=f"CoreDNS {VERSION}",
    module=_FOLDER,
    directory=CACHE / "coredns" / f"{VERSION}-{_CHOICE}",
    packages={"coredns": "tke-eni.invalid/coredns"},
    target="coredns",
)
