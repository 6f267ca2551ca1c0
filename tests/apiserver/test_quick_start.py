"""The quick start, as a reader copies it: a real kubectl builds it, and a real API server takes it."""

import re
import shutil
import subprocess

import pytest
import yaml

from ipamd.core.kubernetes import cluster_settings
from testbed.kubernetes import locate
from tests.docs.project import DOCS, ROOT

PAGES = (ROOT / "README.md", DOCS / "install.md")
SAMPLE = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def sample(page):
    """Return the first kustomization that the page shows."""
    indent, text = next(found for found in SAMPLE.findall(page.read_text()) if "resources:\n" in found[1])
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def further_patches():
    """Return the patches that the page of the installation shows by themselves."""
    samples = [yaml.safe_load(text) for _, text in SAMPLE.findall((DOCS / "install.md").read_text())]
    return [patch for found in samples if [*found] == ["patches"] for patch in found["patches"]]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def copied(request, tmp_path):
    """A folder with the checkout and the kustomization, as the page says."""
    shutil.copytree(ROOT / "deploy", tmp_path / "tke-eni" / "deploy")
    (tmp_path / "kustomization.yaml").write_text(sample(request.param))
    return tmp_path


def build(folder):
    argv = [str(locate("kubectl")), "kustomize", str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def built(copied):
    """What kubectl makes of it."""
    return build(copied)


def objects(text):
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in yaml.safe_load_all(text)}


def test_it_names_the_cluster_and_the_image(built):
    found = objects(built)

    settings = found["ConfigMap", cluster_settings.CONFIG_MAP]
    assert cluster_settings.cluster_id(settings) == "cls-abcd1234"
    for kind, name in (("DaemonSet", "tke-eni-agent"), ("Deployment", "tke-eni-ipamd")):
        pod = found[kind, name]["spec"]["template"]["spec"]
        images = {c["image"] for c in (*pod.get("initContainers", ()), *pod["containers"])}
        assert images == {"registry.example.com/tke-eni/ipamd:0.1.0"}


def test_the_patches_of_flags_registry_and_keys_reach_both_daemons(copied):
    path = copied / "kustomization.yaml"
    chosen = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**chosen, "patches": [*chosen["patches"], *further_patches()]}))

    found = objects(build(copied))

    flags = {
        ("DaemonSet", "tke-eni-agent"): {"--direct-eni"},
        ("Deployment", "tke-eni-ipamd"): {"--claim-expired-duration=1h", "--enable-ownerref"},
    }
    for daemon, wanted in flags.items():
        pod = found[daemon]["spec"]["template"]["spec"]
        assert wanted <= {*pod["containers"][0]["args"]}
        assert pod["imagePullSecrets"] == [{"name": "registry"}]
        assert {"secretRef": {"name": "tke-eni-keys"}} in pod["containers"][0]["envFrom"]


def test_a_real_api_server_takes_all_of_it(built, cluster, tmp_path):
    path = tmp_path / "built.yaml"
    path.write_text(built)

    said = cluster.kubectl("apply", "--dry-run=server", f"--filename={path}")

    assert "daemonset.apps/tke-eni-agent" in said
    assert "deployment.apps/tke-eni-ipamd" in said
