"""The bill of materials says what the archive has, and nothing of the machine that wrote it."""

import io
import json
import tarfile

import pytest

from testbed.sbom.inventory import Part, of_archive

PYTHON = b"Package: python3.11\nArchitecture: amd64\nVersion: 3.11.2-6\n"
LIBNFTABLES = b"""\
Package: libnftables1
Architecture: amd64
Version: 1.0.6-2
Description: something
 with a second line: and a colon
"""
LIST = "var/lib/dpkg/status.d"
METADATA = "Metadata-Version: 2.1\nName: Prometheus_Client\nVersion: 0.20.0\n\nName: not this one\n"
SITE = "opt/ipamd/lib/python3.11/site-packages"


def tar(files):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def image(path, *layers):
    config = {"architecture": "amd64", "created": "2026-11-30T10:00:00Z"}
    manifest = [
        {
            "Config": "abc.json",
            "RepoTags": ["example/ipamd:1.2.3"],
            "Layers": [f"{number}.tar" for number, _ in enumerate(layers)],
        }
    ]
    content = {f"{number}.tar": tar(files) for number, files in enumerate(layers)}
    content |= {"abc.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    path.write_bytes(tar(content))
    return path


def test_what_is_in_it_is_listed_in_order_and_once(tmp_path):
    base = {f"{LIST}/python3.11": PYTHON}
    top = {
        f"{LIST}/python3.11": PYTHON,
        f"{LIST}/libnftables1": LIBNFTABLES,
        f"{SITE}/p-0.20.0.dist-info/METADATA": METADATA.encode(),
    }

    found = of_archive(image(tmp_path / "image.tar", base, top))

    assert (found.name, found.architecture, found.digest) == ("example/ipamd:1.2.3", "amd64", "abc")
    assert found.parts == (
        Part("deb", "libnftables1", "1.0.6-2", "amd64"),
        Part("deb", "python3.11", "3.11.2-6", "amd64"),
        Part("pypi", "prometheus-client", "0.20.0"),
    )


def test_an_image_without_packages_of_debian_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not an image of ours"):
        of_archive(image(tmp_path / "image.tar", {"bin/sh": b""}))
