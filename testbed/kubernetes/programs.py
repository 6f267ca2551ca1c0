"""Which programs there are and where: given by KUBEBUILDER_ASSETS, built by us, or Debian's.

KUBEBUILDER_ASSETS is the folder that controller-runtime's envtest uses; it holds etcd, kube-apiserver and
kubectl. What is there is taken from there, so that a change can be tried against another release; our own
folders of other releases have the controller manager, too.
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
_SERVER = ("kube-apiserver", "kube-controller-manager")
_ASSETS = ("etcd", "kubectl", *_SERVER)


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


def _other_release(age: str, *, linker: tuple[str, ...] = ()) -> GoBuild:
    """An API server with its controllers, of the release in a folder below this one."""
    module = _MODULE / age
    version = required_version(module, "k8s.io/kubernetes")
    return GoBuild(
        title=f"the API server of Kubernetes {version}",
        module=module,
        directory=CACHE / "kubernetes" / version,
        packages={name: f"k8s.io/kubernetes/cmd/{name}" for name in _SERVER},
        variables=_stamps(version),
        linker=linker,
        target=f"kubernetes-{age}",
    )


# Its libraries reach into the runtime in ways that the linker has refused since Go 1.23.
OLDEST = _other_release("oldest", linker=("-checklinkname=0",))
"""The oldest that the module proxy has whole: before 1.24 a module lacks its generated OpenAPI."""
NEWEST = _other_release("newest")
"""The newest release that the module proxy has."""

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
