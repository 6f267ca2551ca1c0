"""The CNI plugin of AWS, a peer of ours, built from the Go module proxy: its newest release, and one before.

Like ours it asks a daemon of its node for an address and makes a veth pair with routes and rules. Here a stub
plays the daemon that answers at once (`instant-daemon`), so that what is measured is the plugin. The earlier
release is the one that the aims were set by; it moves a finished pair of links between namespaces, for which
the kernel waits, and later ones make each end where it belongs.
"""

import hashlib
from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_FOLDER = Path(__file__).parent
_FOLDER_BEFORE = _FOLDER / "before"
_MODULE = "github.com/aws/amazon-vpc-cni-k8s"
VERSION = required_version(_FOLDER, _MODULE)
VERSION_BEFORE = required_version(_FOLDER_BEFORE, _MODULE)
PLUGIN = "routed-eni-cni-plugin"
DAEMON = "instant-daemon"
_PLUGIN_PACKAGE = f"{_MODULE}/cmd/{PLUGIN}"
# The programs are of this release and of our own stub.
_STUB = hashlib.sha256((_FOLDER / DAEMON / "main.go").read_bytes()).hexdigest()[:8]
_TARGET = "aws-vpc-cni"

AWS_VPC_CNI = GoBuild(
    title=f"AWS VPC CNI {VERSION}",
    module=_FOLDER,
    directory=CACHE / "aws-vpc-cni" / f"{VERSION}-{_STUB}",
    packages={PLUGIN: _PLUGIN_PACKAGE, DAEMON: f"tke-eni.invalid/aws-vpc-cni/{DAEMON}"},
    target=_TARGET,
)
AWS_VPC_CNI_BEFORE = GoBuild(
    title=f"AWS VPC CNI {VERSION_BEFORE}",
    module=_FOLDER_BEFORE,
    directory=CACHE / "aws-vpc-cni" / VERSION_BEFORE,
    packages={PLUGIN: _PLUGIN_PACKAGE},
    target=_TARGET,
)
