"""The image as it was built by `make image`: what it starts, what is in it and what is not."""

import json
import subprocess
import tarfile

import pytest

from tests.deploy import manifests

ARCHIVE = manifests.DEPLOY.parent / "build/image/ipamd.tar"
PACKAGES = "opt/ipamd/lib/python3.11/site-packages"

if not ARCHIVE.exists():
    pytest.skip("no image: make image", allow_module_level=True)


@pytest.fixture(scope="module")
def image():
    """Return the configuration and the names of all files."""
    with tarfile.open(ARCHIVE) as archive:

        def load(name):
            return json.loads(archive.extractfile(name).read())

        (manifest,) = load("manifest.json")
        files = set()
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as content:
                files |= {member.name for member in content if not member.isdir()}
        return {"tags": manifest["RepoTags"], **load(manifest["Config"])}, files


def test_it_has_the_name_that_the_workloads_ask_for(image):
    config, _ = image
    (entry,) = manifests.read("kustomization.yaml")["images"]

    assert config["tags"] == [f"{entry['name']}:{entry['newTag']}"]
    assert config["config"]["Entrypoint"] == ["ipamd"]


def test_it_has_both_commands_and_the_plugin_alone(image):
    _, files = image

    assert {"opt/ipamd/bin/ipamd", "opt/ipamd/bin/ipamctl"} <= files
    assert {name for name in files if name.startswith("opt/tke-eni/")} == {"opt/tke-eni/tke-route-eni"}
    assert not any(name.endswith("/gcc") for name in files)


def test_its_plugin_answers(tmp_path):
    plugin = tmp_path / "tke-route-eni"
    with tarfile.open(ARCHIVE) as archive:
        (manifest,) = json.loads(archive.extractfile("manifest.json").read())
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(layer)) as content:
                if "opt/tke-eni/tke-route-eni" in content.getnames():
                    member = content.getmember("opt/tke-eni/tke-route-eni")
                    plugin.write_bytes(content.extractfile(member).read())
                    plugin.chmod(member.mode)

    done = subprocess.run([plugin], env={"CNI_COMMAND": "VERSION"}, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert "1.1.0" in json.loads(done.stdout)["supportedVersions"]
    assert plugin.stat().st_mode & 0o7777 == 0o755


def test_only_the_product_is_in_it(image):
    _, files = image
    packages = {
        name.removeprefix(f"{PACKAGES}/").split("/")[0] for name in files if name.startswith(PACKAGES)
    }

    assert "ipamd" in packages
    assert packages.isdisjoint({"simulator", "testbed", "tests", "cni_plugin", "kubernetes", "pytest", "pip"})


def test_every_module_is_compiled(image):
    _, files = image
    modules = [name for name in files if name.startswith(f"{PACKAGES}/") and name.endswith(".py")]

    assert len(modules) > 100
    for module in modules:
        directory, _, name = module.rpartition("/")
        assert f"{directory}/__pycache__/{name.removesuffix('.py')}.cpython-311.pyc" in files


def test_nothing_of_the_machine_that_built_it_is_in_it(image):
    config, files = image

    assert files.isdisjoint({"etc/pip.conf", "run/ca.pem"})
    assert {entry.partition("=")[0] for entry in config["config"]["Env"]} == {
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
    }
