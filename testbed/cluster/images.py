"""The images that the cluster itself needs, made here from Debian's static busybox by buildah.

An archive is made once and kept in build/; it is made again when its Dockerfile or busybox has changed.
"""

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from testbed.cluster.worker import PAUSE_IMAGE

_FOLDER = Path(__file__).with_name("images")
_BUSYBOX = Path("/bin/busybox")


class ImageError(RuntimeError):
    """An image cannot be built; the message has what buildah said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image by its full name, and the docker archive that has it."""

    name: str
    archive: Path


def base_images(directory: Path) -> list[Image]:
    """Give the pause and the busybox image, built into `directory` unless they are there."""
    names = {"pause": PAUSE_IMAGE, "busybox": "docker.io/library/busybox:latest"}
    return [_image(folder, name, directory) for folder, name in names.items()]


def _image(folder: str, name: str, directory: Path) -> Image:
    dockerfile = _FOLDER / folder / "Dockerfile"
    content = hashlib.sha256(dockerfile.read_bytes() + _BUSYBOX.read_bytes()).hexdigest()
    archive = directory.absolute() / f"{folder}-{content[:12]}.tar"
    if not archive.exists():
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.glob(f"{folder}-*.tar"):
            old.unlink()
        with tempfile.TemporaryDirectory(prefix="tke-eni-image-") as scratch:
            _build(dockerfile, name, archive, Path(scratch))
    return Image(name=name, archive=archive)


def _build(dockerfile: Path, name: str, archive: Path, scratch: Path) -> None:
    context = scratch / "context"
    _lay_out(context)
    # A storage of our own: nothing is left in the host's.
    places = ["--root", str(scratch / "root"), "--runroot", str(scratch / "run")]
    buildah = ["buildah", *places, "--storage-driver", "overlay"]
    _run(*buildah, "build", "--isolation", "chroot", "--tag", name, "--file", str(dockerfile), str(context))
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _run(*buildah, "push", name, f"docker-archive:{partial}:{name}")
    partial.replace(archive)


def _lay_out(context: Path) -> None:
    (context / "bin").mkdir(parents=True)
    (context / "etc").mkdir()
    (context / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    shutil.copy2(_BUSYBOX, context / "bin/busybox")
    for applet in _run(str(_BUSYBOX), "--list").split():
        if applet != "busybox":
            (context / "bin" / applet).symlink_to("busybox")


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout
