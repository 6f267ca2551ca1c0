"""Helm and the chart, as tests use them."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from testbed.helm import HELM
from testbed.kubernetes import locate

CHART = Path(__file__).resolve().parents[2] / "deploy" / "chart"
CLUSTER = "--set=settings.CLUSTER_ID=cls-abcd1234"
Key = tuple[str, str]
Objects = Mapping[Key, dict[str, Any]]


def run(*arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm; what it keeps for itself is out of the way."""
    home = {
        "HELM_CACHE_HOME": "/nonexistent",
        "HELM_CONFIG_HOME": "/nonexistent",
        "HELM_DATA_HOME": "/nonexistent",
    }
    environment = {**os.environ, **home, "KUBECONFIG": str(kubeconfig or "/nonexistent")}
    command = [str(HELM.path("helm")), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def helm(*arguments: str, kubeconfig: Path | None = None) -> str:
    """Return what Helm prints when all is well."""
    done = run(*arguments, kubeconfig=kubeconfig)
    assert done.returncode == 0, done.stderr
    return done.stdout


def template(*options: str) -> Objects:
    """Return the objects that the chart makes."""
    return objects(helm("template", "tke-eni", str(CHART), "--namespace=kube-system", CLUSTER, *options))


def kustomize(directory: Path) -> Objects:
    """Return the objects that a kustomization makes."""
    command = [str(locate("kubectl")), "kustomize", "--load-restrictor=LoadRestrictionsNone", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


def objects(text: str) -> Objects:
    """Return the objects of a stream of YAML by kind and name."""
    found = [obj for obj in yaml.safe_load_all(text) if obj]
    made = {(obj["kind"], obj["metadata"]["name"]): obj for obj in found}
    assert len(made) == len({(*key, obj["metadata"].get("namespace")) for key, obj in made.items()})
    assert len(made) == len(found), "an object twice"
    return made
