"""What is in an image, as its layers say: Debian's packages by their list, Python's by their metadata."""

import json
import tarfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

_DEBIAN = "var/lib/dpkg/status.d/"
"""A file for each package, as images without dpkg have it."""
_METADATA = ".dist-info/METADATA"


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One package."""

    kind: str
    """Its purl type: deb or pypi."""
    name: str
    version: str
    architecture: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """An image by name, with what it is made of."""

    name: str
    architecture: str
    created: str
    digest: str
    """sha256 of its configuration, which names all layers."""
    parts: tuple[Part, ...]


def of_archive(path: Path) -> Inventory:
    """Read a docker archive of `make image`. Raises: ValueError for one without Debian's packages."""
    with tarfile.open(path) as archive:
        (manifest,) = json.loads(_text(archive, "manifest.json"))
        config = json.loads(_text(archive, manifest["Config"]))
        files: dict[str, str] = {}
        for layer in manifest["Layers"]:
            opened = archive.extractfile(layer)
            assert opened is not None
            with tarfile.open(fileobj=opened) as content:
                files |= {name: _text(content, name) for name in content.getnames() if _is_read(name)}
    debian = {_debian(text) for name, text in files.items() if name.startswith(_DEBIAN)}
    if not debian:
        raise ValueError(f"{path} has nothing below {_DEBIAN}: it is not an image of ours")
    python = {_python(text) for name, text in files.items() if name.endswith(_METADATA)}
    return Inventory(
        name=manifest["RepoTags"][0],
        architecture=config["architecture"],
        created=config["created"],
        digest=manifest["Config"].removesuffix(".json"),
        parts=tuple(sorted(debian | python)),
    )


def _is_read(name: str) -> bool:
    return name.endswith(_METADATA) or (name.startswith(_DEBIAN) and name != _DEBIAN)


def _text(archive: tarfile.TarFile, name: str) -> str:
    opened = archive.extractfile(name)
    assert opened is not None
    return opened.read().decode(errors="replace")


def _debian(control: str) -> Part:
    fields = HeaderParser().parsestr(control)
    return Part("deb", fields["Package"], fields["Version"], fields["Architecture"])


def _python(metadata: str) -> Part:
    fields = HeaderParser().parsestr(metadata)
    return Part("pypi", fields["Name"].lower().replace("_", "-"), fields["Version"])
