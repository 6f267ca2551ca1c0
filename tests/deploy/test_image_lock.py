"""What the image installs: all that the product needs, as tested, and nothing for developers."""

import configparser
import re

import ipamd
from tests.deploy import manifests

ROOT = manifests.DEPLOY.parent
IMAGE = manifests.DEPLOY / "image/requirements.lock"
PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)


def pinned(path):
    return dict(PINNED.findall(path.read_text()))


def normal(requirement):
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=]", requirement)[0]).lower()


def setup():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_it_pins_what_the_tests_run_with():
    assert pinned(IMAGE).items() <= pinned(ROOT / "requirements.lock").items()


def test_everything_that_the_product_needs_is_in_it():
    config = setup()
    wanted = config["options"]["install_requires"] + config["options.extras_require"]["metrics"]

    assert {normal(entry) for entry in wanted.split()} <= set(pinned(IMAGE))


def test_nothing_for_developers_is_in_it():
    developers = {"pytest", "mypy", "ruff", "hypothesis", "grpcio-tools", "kubernetes"}

    assert developers <= set(pinned(ROOT / "requirements.lock"))
    assert developers.isdisjoint(pinned(IMAGE))


def test_the_image_has_the_version_of_the_release():
    (image,) = [
        entry for entry in manifests.read("kustomization.yaml")["images"] if entry["name"].endswith("/ipamd")
    ]

    assert image["newTag"] == ipamd.__version__
