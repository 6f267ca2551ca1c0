"""Which programs there are and where: given by KUBEBUILDER_ASSETS, built by us, or Debian's.

KUBEBUILDER_ASSETS is the folder that controller-runtime's envtest uses; it holds etcd, kube-apiserver and
kubectl. What is there is taken from there, so that a change can be tried against another release.
"""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

MODULE = Path(__file__).parent

_REQUIRED = re.search(r"^require k8s\.io/kubernetes (v\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
VERSION = _REQUIRED[1] if _REQUIRED else ""
"""Of the programs that are built here."""

PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
_ASSETS = ("etcd", "kube-apiserver", "kubectl")

CACHE = Path(os.environ.get("TKE_ENI_CACHE") or "~/.cache/tke-eni").expanduser() / "kubernetes" / VERSION
"""Where the programs are kept; outside of the work tree, because a build takes minutes."""


class MissingProgramError(RuntimeError):
    """A program is nowhere; the message says what makes it."""


def locate(name: str, environment: Mapping[str, str] = os.environ, *, cache: Path = CACHE) -> Path:
    """Give the path of a program of the cluster; MissingProgramError when there is none."""
    assets = environment.get("KUBEBUILDER_ASSETS")
    if assets and name in _ASSETS and (Path(assets) / name).exists():
        return (Path(assets) / name).absolute()
    if name in PROGRAMS:
        if not (cache / name).exists():
            raise MissingProgramError(f"{cache / name} is missing: run `make kubernetes`")
        return cache / name
    found = shutil.which(name)
    if found is None:
        raise MissingProgramError(f"{name} is not in PATH: `make e2e` installs it")
    return Path(found)
