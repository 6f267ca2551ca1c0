"""The CNI plugin of AWS, a peer of ours, built from the Go module proxy.

Like ours it asks a daemon of its node for an address and makes a veth pair with routes and rules. Here a stub
plays the daemon that answers at once (`instant-daemon`), so that what is measured is the plugin.
"""

import hashlib
from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_FOLDER = Path(__file__).parent
_MODULE = "github.com/aws/amazon-vpc-cni-k8s"
VERSION = required_version(_FOLDER, _MODULE)
PLUGIN = "routed-eni-cni-plugin"
DAEMON = "instant-daemon"
# The programs are of this release and of our own stub.
_STUB = hashlib.sha256((_FOLDER / DAEMON / "main.go").read_bytes()).hexdigest()[:8]

AWS_VPC_CNI = GoBuild(
    title=f"AWS VPC CNI {VERSION}",
    module=_FOLDER,
    directory=CACHE / "aws-vpc-cni" / f"{VERSION}-{_STUB}",
    packages={PLUGIN: f"{_MODULE}/cmd/{PLUGIN}", DAEMON: f"tke-eni.invalid/aws-vpc-cni/{DAEMON}"},
    target="aws-vpc-cni",
)
