"""What is in an image, as its layers say: Debian's packages by dpkg's list, Python's by their metadata."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

_DPKG = "var/lib/dpkg/status"
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
    """Read a docker archive, as `make image` makes it. Raises: ValueError for one without dpkg's list."""
    with tarfile.open(path) as archive:
        (manifest,) = json.loads(_text(archive, "manifest.json"))
        config = json.loads(_text(archive, manifest["Config"]))
        files: dict[str, str] = {}
        for layer in manifest["Layers"]:
            opened = archive.extractfile(layer)
            assert opened is not None
            with tarfile.open(fileobj=opened) as content:
                files |= {name: _text(content, name) for name in content.getnames() if _is_read(name)}
    if _DPKG not in files:
        raise ValueError(f"{path} has no {_DPKG}: it is not an image of Debian")
    parts = {*_debian(files[_DPKG]), *(_python(text) for name, text in files.items() if name != _DPKG)}
    return Inventory(
        name=manifest["RepoTags"][0],
        architecture=config["architecture"],
        created=config["created"],
        digest=manifest["Config"].removesuffix(".json"),
        parts=tuple(sorted(parts)),
    )


def _is_read(name: str) -> bool:
    return name == _DPKG or name.endswith(_METADATA)


def _text(archive: tarfile.TarFile, name: str) -> str:
    opened = archive.extractfile(name)
    assert opened is not None
    return opened.read().decode(errors="replace")


def _debian(status: str) -> Iterator[Part]:
    for paragraph in status.strip().split("\n\n"):
        fields = HeaderParser().parsestr(paragraph)
        if "installed" in fields.get("Status", "").split():
            yield Part("deb", fields["Package"], fields["Version"], fields["Architecture"])


def _python(metadata: str) -> Part:
    fields = HeaderParser().parsestr(metadata)
    return Part("pypi", fields["Name"].lower().replace("_", "-"), fields["Version"])
