"""Which programs there are and where: given by KUBEBUILDER_ASSETS, built by us, or Debian's.

KUBEBUILDER_ASSETS is the folder that controller-runtime's envtest uses; it holds etcd, kube-apiserver and
kubectl. What is there is taken from there, so that a change can be tried against another release.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from testbed.go_build import CACHE, GoBuild, MissingProgramError, required_version

_MODULE = Path(__file__).parent

VERSION = required_version(_MODULE, "k8s.io/kubernetes")
"""Of the programs that are built here."""

_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
_ASSETS = ("etcd", "kube-apiserver", "kubectl")


def _stamps(version: str = VERSION) -> dict[str, str]:
    """Stamp the release into the programs as Kubernetes' own build does: versions decide about behaviour."""
    major, minor, _patch = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return {
        f"{package}/version.{name}": value
        for package in ("k8s.io/client-go/pkg", "k8s.io/component-base")
        for name, value in stamps.items()
    }


KUBERNETES = GoBuild(
    title=f"Kubernetes {VERSION}",
    module=_MODULE,
    directory=CACHE / "kubernetes" / VERSION,
    packages={name: f"k8s.io/kubernetes/cmd/{name}" for name in _PROGRAMS},
    variables=_stamps(),
    target="kubernetes",
)

_OLDEST_MODULE = _MODULE / "oldest"
_OLDEST = required_version(_OLDEST_MODULE, "k8s.io/kubernetes")
OLDEST = GoBuild(
    title=f"kube-apiserver {_OLDEST}",
    module=_OLDEST_MODULE,
    directory=CACHE / "kubernetes" / _OLDEST,
    packages={"kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver"},
    variables=_stamps(_OLDEST),
    # Its libraries reach into the runtime in ways that the linker has refused since Go 1.23.
    linker=("-checklinkname=0",),
    target="kubernetes-oldest",
)
"""The oldest API server that the module proxy has whole: before 1.24 a module lacks its generated OpenAPI."""

CONFORMANCE = GoBuild(
    title=f"the end-to-end tests of Kubernetes {VERSION}",
    module=_MODULE,
    directory=CACHE / "conformance" / VERSION,
    packages={
        "ginkgo": "github.com/onsi/ginkgo/v2/ginkgo",
        "agnhost": "k8s.io/kubernetes/test/images/agnhost",
        "regression-issue-74839": "k8s.io/kubernetes/test/images/regression-issue-74839",
    },
    tests={"e2e.test": "k8s.io/kubernetes/test/e2e"},
    variables=_stamps(),
    target="conformance",
)
"""What `make conformance` runs against the cluster, and in it."""


def locate(
    name: str, environment: Mapping[str, str] = os.environ, *, cache: Path = KUBERNETES.directory
) -> Path:
    """Give the path of a program of the cluster; MissingProgramError when there is none."""
    assets = environment.get("KUBEBUILDER_ASSETS")
    if assets and name in _ASSETS and (Path(assets) / name).exists():
        return (Path(assets) / name).absolute()
    if name in _PROGRAMS:
        if not (cache / name).exists():
            raise MissingProgramError(f"{cache / name} is missing: run `make kubernetes`")
        return cache / name
    found = shutil.which(name)
    if found is None:
        raise MissingProgramError(f"{name} is not in PATH: `make e2e` installs it")
    return Path(found)
