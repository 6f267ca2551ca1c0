"""kube-router, of which the firewall for NetworkPolicies is used here, built from the Go module proxy.

`testbed.cluster.policies` runs it in the cluster, beside our plugin.
"""

from pathlib import Path

from testbed.go_build import CACHE, GoBuild, required_version

_FOLDER = Path(__file__).parent
_MODULE = "github.com/cloudnativelabs/kube-router/v2"
VERSION = required_version(_FOLDER, _MODULE)

KUBE_ROUTER = GoBuild(
    title=f"kube-router {VERSION}",
    module=_FOLDER,
    directory=CACHE / "kube-router" / VERSION,
    packages={"kube-router": f"{_MODULE}/cmd/kube-router"},
    target="kube-router",
)
