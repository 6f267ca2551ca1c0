"""The bill of materials says what the archive has, and nothing of the machine that wrote it."""

import io
import json
import tarfile

import pytest

from testbed.sbom.inventory import Part, of_archive

DPKG = """\
Package: python3.11
Status: install ok installed
Architecture: amd64
Version: 3.11.2-6

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: libnftables1
Status: install ok installed
Architecture: amd64
Version: 1.0.6-2
Description: something
 with a second line: and a colon
"""
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


def test_what_is_installed_is_listed_in_order_and_once(tmp_path):
    base = {
        "var/lib/dpkg/status": b"Package: old\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n"
    }
    top = {"var/lib/dpkg/status": DPKG.encode(), f"{SITE}/p-0.20.0.dist-info/METADATA": METADATA.encode()}

    found = of_archive(image(tmp_path / "image.tar", base, top))

    assert (found.name, found.architecture, found.digest) == ("example/ipamd:1.2.3", "amd64", "abc")
    assert found.parts == (
        Part("deb", "libnftables1", "1.0.6-2", "amd64"),
        Part("deb", "python3.11", "3.11.2-6", "amd64"),
        Part("pypi", "prometheus-client", "0.20.0"),
    )


def test_an_image_without_dpkg_s_list_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not an image of Debian"):
        of_archive(image(tmp_path / "image.tar", {"bin/sh": b""}))
