"""Images made here by buildah, and those that the cluster itself needs, made of Debian's static busybox.

An archive is made once and kept in the cache; it is made again when its Dockerfile or what goes into it has
changed.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.cluster.runtime import PAUSE_IMAGE
from testbed.go_build import CACHE

_FOLDER = Path(__file__).with_name("images")
_BUSYBOX = Path("/bin/busybox")
_KEPT = CACHE / "images"
_BLOCK = 1 << 20
_LEFT_OUT = ("doc", "man", "info", "locale", "lintian")


class ImageError(RuntimeError):
    """An image cannot be built; the message has what buildah said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by its full name, and the archive that has it."""

    name: str
    archive: Path
    """A docker archive, or an OCI archive when its name says so (`.oci`)."""

    @property
    def source(self) -> str:
        """The archive as skopeo names it."""
        kind = "oci-archive" if self.archive.suffix == ".oci" else "docker-archive"
        return f"{kind}:{self.archive}"


def base_images() -> list[Image]:
    """Give the pause and the busybox image."""
    return [
        Image(name=PAUSE_IMAGE, archive=pause()),
        Image(name="docker.io/library/busybox:latest", archive=busybox()),
    ]


def pause() -> Path:
    """Give the archive of what holds a Pod's namespaces."""
    return build(_FOLDER / "pause" / "Dockerfile", inputs=[_BUSYBOX], lay_out=_lay_out_busybox)


def busybox() -> Path:
    """Give the archive of Debian's busybox with all its applets."""
    return build(_FOLDER / "busybox" / "Dockerfile", inputs=[_BUSYBOX], lay_out=_lay_out_busybox)


def build(dockerfile: Path, *, inputs: Sequence[Path], lay_out: Callable[[Path], None]) -> Path:
    """Give the archive of a Dockerfile, which is named like its folder.

    `lay_out` fills the build's context, out of nothing but `inputs` and what its own code says: give that
    code as an input too when it is more than a copy.
    """
    name = dockerfile.parent.name
    archive = _KEPT / f"{name}-{_digest([dockerfile, *inputs])[:12]}.oci"
    if archive.exists():
        return archive
    _KEPT.mkdir(parents=True, exist_ok=True)
    for old in _KEPT.glob(f"{name}-*.oci"):
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=_KEPT) as scratch:
        context = Path(scratch) / "context"
        context.mkdir()
        lay_out(context)
        _buildah(dockerfile, context, archive, Path(scratch))
    return archive


def put(file: Path, folder: Path) -> None:
    """Copy a file into a folder of the context, under its own name."""
    shutil.copy2(file, folder / file.name)


def debian_root(target: Path, packages: Sequence[str]) -> None:
    """Write a root of Debian's essential packages and these, without documentation, as a tar."""
    run(
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--aptopt=Acquire::Languages none",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
        "bookworm",
        str(target),
    )


def run(*command: str) -> str:
    """Give what a program printed; ImageError when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def _buildah(dockerfile: Path, context: Path, archive: Path, scratch: Path) -> None:
    # A storage of our own: nothing is left in the host's.
    places = ["--root", str(scratch / "root"), "--runroot", str(scratch / "run")]
    buildah = ["buildah", *places, "--storage-driver", "overlay"]
    tag = f"localhost/{dockerfile.parent.name}:built"
    run(*buildah, "build", "--isolation", "chroot", "--tag", tag, "--file", str(dockerfile), str(context))
    partial = scratch / archive.name
    # Compressed here, once, and not at each push to a registry.
    run(*buildah, "push", tag, f"oci-archive:{partial}:{tag}")
    partial.replace(archive)


def _lay_out_busybox(context: Path) -> None:
    (context / "bin").mkdir(parents=True)
    (context / "etc").mkdir()
    (context / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    shutil.copy2(_BUSYBOX, context / "bin/busybox")
    for applet in run(str(_BUSYBOX), "--list").split():
        if applet != "busybox":
            (context / "bin" / applet).symlink_to("busybox")
