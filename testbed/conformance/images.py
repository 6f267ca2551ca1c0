"""The images that Kubernetes' end-to-end tests of the network ask for, under the names that they ask for."""

from pathlib import Path

from testbed.cluster import images
from testbed.cluster.images import Image, ImageError
from testbed.kubernetes.programs import CONFORMANCE

_FOLDER = Path(__file__).with_name("images")
_TESTS = "registry.k8s.io/e2e-test-images"
_PACKAGES = ("bash", "curl", "wget", "netcat-openbsd", "bind9-dnsutils", "iproute2", "conntrack")
"""What the tests run in agnhost's image beside agnhost; /bin/sh is dash."""


def conformance_images() -> list[Image]:
    """Give them, built unless they are in the cache."""
    listed = images.run(str(CONFORMANCE.path("e2e.test")), "--list-images")
    agnhost = _agnhost()
    archives = {
        f"{_TESTS}/agnhost": agnhost,
        f"{_TESTS}/busybox": images.busybox(),
        f"{_TESTS}/regression-issue-74839": _regression(),
        "registry.k8s.io/pause": images.pause(),
        # A root with a shell and the kernel's list of connections: the test looks at nothing else of it.
        "registry.k8s.io/build-image/distroless-iptables": agnhost,
    }
    return [
        Image(name=name, archive=archive)
        for repository, archive in archives.items()
        for name in names_of(listed, repository)
    ]


def names_of(listed: str, repository: str) -> list[str]:
    """Give the names with a tag that a list has of a repository, which may be several; ImageError if none."""
    names = sorted(name for name in listed.split() if name.rpartition(":")[0] == repository)
    if not names:
        raise ImageError(f"the tests want no {repository}: conformance_images is of another release")
    return names


def _agnhost() -> Path:
    program = CONFORMANCE.path("agnhost")
    sources = images.run("go", "list", "-C", str(CONFORMANCE.module), "-f", "{{.Dir}}", _PORTER).strip()
    certificates = [Path(sources) / name for name in ("localhost.crt", "localhost.key")]

    def lay_out(context: Path) -> None:
        for file in (program, *certificates):
            images.put(file, context)
        images.debian_root(context / "root.tar", _PACKAGES)

    dockerfile = _FOLDER / "agnhost" / "Dockerfile"
    return images.build(dockerfile, inputs=[program, *certificates, Path(__file__)], lay_out=lay_out)


_PORTER = "k8s.io/kubernetes/test/images/agnhost/porter"


def _regression() -> Path:
    program = CONFORMANCE.path("regression-issue-74839")
    dockerfile = _FOLDER / "regression-issue-74839" / "Dockerfile"
    return images.build(dockerfile, inputs=[program], lay_out=lambda context: images.put(program, context))
