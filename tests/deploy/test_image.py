"""The image as `make image` or `make images` built it: what it starts, what is in it and what is not."""

import json
import platform
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testbed import arm64
from tests.deploy import manifests

DIRECTORY = manifests.DEPLOY.parent / "build/image"
IMAGES = ("ipamd", "ipamd-amd64", "ipamd-arm64")
PACKAGES = "opt/ipamd/lib/python3.11/site-packages"
PLUGIN = "opt/tke-eni/tke-route-eni"
EVERY_MODULE = """
import importlib, ipamd, pkgutil
for module in pkgutil.walk_packages(ipamd.__path__, "ipamd."):
    if not module.name.endswith("__main__"):
        print(importlib.import_module(module.name).__name__)
"""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """An archive, unpacked."""

    tags: list[str]
    config: dict[str, Any]
    root: Path
    files: set[str]

    @property
    def architecture(self) -> str:
        return str(self.config["architecture"])

    def run(self, *command, **environment):
        """Run a program in the image's own root, with nothing of this machine; emulated if need be."""
        interpreter = []
        if self.architecture != ARCHITECTURES[platform.machine()]:
            if not arm64.is_ready():
                pytest.skip("no emulator: make shim-arm64")
            shutil.copy(arm64.EMULATOR.path("qemu-aarch64-static"), self.root / "emulator")
            interpreter = ["/emulator"]
        done = subprocess.run(
            ["/usr/sbin/chroot", self.root, *interpreter, *command],
            env={"PATH": "/nonexistent", **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


# It is looked for late: an image may be built while workers of pytest agree on which tests there are.
@pytest.fixture(scope="module", params=IMAGES)
def image(request, tmp_path_factory):
    path = DIRECTORY / f"{request.param}.tar"
    if not path.exists():
        pytest.skip("no image: make image")
    root = tmp_path_factory.mktemp("root")
    with tarfile.open(path) as archive:

        def load(name):
            return json.loads(archive.extractfile(name).read())

        (manifest,) = load("manifest.json")
        files = set()
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as content:
                files |= {member.name for member in content if not member.isdir()}
                content.extractall(root)
        return Image(manifest["RepoTags"], load(manifest["Config"]), root, files)


def test_it_has_the_name_that_the_workloads_ask_for(image):
    (entry,) = manifests.read("kustomization.yaml")["images"]

    assert image.tags == [f"{entry['name']}:{entry['newTag']}"]
    assert image.config["config"]["Entrypoint"] == ["ipamd"]


def test_it_has_both_commands_and_the_plugin_alone(image):
    files = image.files

    assert {"opt/ipamd/bin/ipamd", "opt/ipamd/bin/ipamctl"} <= files
    assert {name for name in files if name.startswith("opt/tke-eni/")} == {PLUGIN}


def test_no_shell_and_no_program_but_python_is_in_it(image):
    programs = {name for name in image.files if name.startswith(("bin/", "sbin/", "usr/bin/", "usr/sbin/"))}

    assert programs == {"usr/bin/python3.11"}


def test_it_runs_with_nothing_but_itself(image):
    python = "/opt/ipamd/bin/python"

    help_of_the_agent = image.run(python, "/opt/ipamd/bin/ipamd", "agent", "--help")
    image.run(python, "-c", "import ctypes, sqlite3, ssl; ctypes.CDLL('libnftables.so.1')")
    imported = image.run(python, "-c", EVERY_MODULE)

    assert help_of_the_agent.startswith("usage: ipamd agent")
    assert "ipamd.ctl.preflight" in imported.split()


def test_runtimes_name_namespaces_below_var_run(image):
    assert (image.root / "var/run").readlink() == Path("/run")


def test_compiled_parts_are_all_of_its_architecture(image):
    machine = {"amd64": 62, "arm64": 183}[image.architecture]  # elf.h
    found = {}
    for name in image.files:
        path = image.root / name
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                head = file.read(20)
            if head.startswith(b"\x7fELF"):
                found[name] = int.from_bytes(head[18:20], "little")

    assert len(found) > 50
    assert {name for name, of in found.items() if of != machine} <= {"emulator"}


def test_its_plugin_answers(image):
    answer = image.run(f"/{PLUGIN}", CNI_COMMAND="VERSION")

    assert "1.1.0" in json.loads(answer)["supportedVersions"]
    assert (image.root / PLUGIN).stat().st_mode & 0o7777 == 0o755


def test_only_the_product_is_in_it(image):
    files = image.files
    packages = {
        name.removeprefix(f"{PACKAGES}/").split("/")[0] for name in files if name.startswith(PACKAGES)
    }

    assert "ipamd" in packages
    assert packages.isdisjoint({"simulator", "testbed", "tests", "cni_plugin", "kubernetes", "pytest", "pip"})


def test_every_module_is_compiled(image):
    files = image.files
    modules = [name for name in files if name.startswith(f"{PACKAGES}/") and name.endswith(".py")]

    assert len(modules) > 100
    for module in modules:
        directory, _, name = module.rpartition("/")
        assert f"{directory}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc" in files


def test_nothing_of_the_machine_that_built_it_is_in_it(image):
    assert image.files.isdisjoint({"etc/pip.conf", "run/ca.pem"})
    assert {entry.partition("=")[0] for entry in image.config["config"]["Env"]} == {
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
    }
