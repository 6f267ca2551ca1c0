"""tke-eni on the cluster: `deploy/` as it is shipped, below an overlay with the settings of this cluster."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

CLUSTER_ID = "cls-e2e00001"
NAMESPACE = "kube-system"
AGENT = "daemonset/tke-eni-agent"
CONTROLLER = "deployment/tke-eni-ipamd"
SETTINGS = "tke-eni-settings"
COMPONENTS = ("own-node-only",)
"""Applied beside deploy/ unless a test says otherwise: every test shows them to be in nobody's way."""
IMAGE = "ccr.ccs.tencentyun.com/tke-eni/ipamd"

_DEPLOY = Path("deploy").absolute()


def version() -> str:
    """Give the version of the image that deploy/ names."""
    found = re.search(r"newTag: (\S+)", (_DEPLOY / "kustomization.yaml").read_text())
    assert found is not None
    return found[1]


def settings(region: Mapping[str, Any]) -> dict[str, str]:
    """Give the settings of a cluster in the simulated region: its id, and where cloud and metadata are."""
    return {
        "CLUSTER_ID": CLUSTER_ID,
        "REGION": region["region"],
        "CLOUD_ENDPOINT": region["fabric"]["cloud"],
        "METADATA_URL": region["fabric"]["metadata"],
    }


def deploy(
    kubectl: Callable[..., str],
    directory: Path,
    values: Mapping[str, str],
    *,
    components: Sequence[str] = COMPONENTS,
    source: Path = _DEPLOY,
    tag: str = "",
) -> None:
    """Write an overlay to `directory`, `kubectl apply -k` it, wait until agents and controller are ready.

    `components` are folders below the components of `source`, the folder deploy of this or another version;
    with `tag` the image has that one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    overlay = _overlay(directory, values, [source, *(source / "components" / name for name in components)])
    if tag:
        overlay["images"] = [{"name": IMAGE, "newTag": tag}]
    (directory / "kustomization.yaml").write_text(json.dumps(overlay, indent=2))
    kubectl("apply", f"--kustomize={directory}")
    for workload in (AGENT, CONTROLLER):
        kubectl("rollout", "status", workload, f"--namespace={NAMESPACE}", "--timeout=120s", seconds=130.0)


def _overlay(directory: Path, values: Mapping[str, str], sources: Sequence[Path]) -> dict[str, object]:
    """Return the kustomization of a base and its components."""
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": SETTINGS, "namespace": NAMESPACE},
        "data": dict(values),
    }
    # kustomize takes no absolute path for a base.
    up = "/".join([".."] * (len(directory.absolute().parts) - 1))
    base, *components = (f"{up}/{source.absolute().relative_to(Path('/'))}" for source in sources)
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "components": components,
        "patches": [{"patch": json.dumps(config_map)}],
    }
