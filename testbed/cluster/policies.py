"""NetworkPolicies in the cluster: kube-router's firewall alone, beside our plugin and kube-proxy.

The flags and rights are those that docs/network-policies.md tells users of.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from testbed.cluster import images
from testbed.kube_router import KUBE_ROUTER, VERSION

MANIFEST = Path(__file__).parents[2] / "docs" / "examples" / "kube-router.yaml"
"""As users get it."""
_IMAGE = f"docker.io/cloudnativelabs/kube-router:{VERSION}"
_DOCKERFILE = Path(__file__).parent / "images" / "kube-router" / "Dockerfile"
_PACKAGES = ("ipset", "iptables", "kmod", "conntrack", "procps")


def image() -> images.Image:
    """Give the image that `deploy` runs: kube-router on Debian's iptables and ipset."""
    program = KUBE_ROUTER.path("kube-router")

    def lay_out(context: Path) -> None:
        images.put(program, context)
        images.debian_root(context / "root.tar", _PACKAGES)

    archive = images.build(_DOCKERFILE, inputs=[program, Path(__file__)], lay_out=lay_out)
    return images.Image(name=_IMAGE, archive=archive)


def deploy(kubectl: Callable[..., str], directory: Path) -> None:
    """Run it on each node and wait until it does; the manifest is written to `directory`."""
    objects = list(yaml.safe_load_all(MANIFEST.read_text()))
    for obj in objects:
        if obj["kind"] == "DaemonSet":
            _of_this_cluster(obj)
    manifest = directory / "kube-router.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    kubectl("apply", f"--filename={manifest}")
    status = ("rollout", "status", "daemonset/kube-router", "--namespace=kube-system", "--timeout=120s")
    kubectl(*status, seconds=130.0)


def _of_this_cluster(daemon_set: dict[str, Any]) -> None:
    [container] = daemon_set["spec"]["template"]["spec"]["containers"]
    container["image"] = _IMAGE
