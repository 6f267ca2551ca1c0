"""The plugin with an interpreter tree of its own, in a root file system that has nothing but these two."""

import json
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest

from tests.shim.conftest import CONFIG, Agent, make_tree

TREES = "opt/tke-eni"
PLUGIN = "opt/cni/bin/tke-route-eni"


def contents(tree: Path) -> dict[str, bytes]:
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture
def bare_root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / TREES / made.name)
    (tmp_path / PLUGIN).parent.mkdir(parents=True)
    shutil.copy(made.parent / "tke-route-eni", tmp_path / PLUGIN)
    return tmp_path


def run(root: Path, verb: str, **extra: str) -> subprocess.CompletedProcess[bytes]:
    variables = {"CNI_CONTAINERID": "c0ffee", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/x", **extra}
    return subprocess.run(
        ["/usr/sbin/chroot", root, f"/{PLUGIN}"],
        input=CONFIG,
        env={"CNI_COMMAND": verb, **variables},
        capture_output=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("locale", ["", "C", "POSIX", "zh_CN.GBK", "en_US.ISO-8859-1"])
def test_it_runs_where_there_is_no_python_no_c_library_and_no_locale(bare_root: Path, locale: str):
    outcome = run(bare_root, "VERSION", LC_ALL=locale)

    assert (outcome.returncode, outcome.stderr) == (0, b"")
    assert "1.0.0" in json.loads(outcome.stdout)["supportedVersions"]


def test_what_the_runtime_was_started_with_does_not_divert_it(bare_root: Path):
    diverted = {"LD_LIBRARY_PATH": "/nowhere", "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"}

    assert run(bare_root, "VERSION", **diverted).returncode == 0


def test_it_calls_the_agent(bare_root: Path):
    socket = bare_root / "run/a.sock"
    socket.parent.mkdir()
    agent = Agent(socket, grpc.Compression.NoCompression)
    try:
        agent.reply_with(b'{"cniVersion": "1.0.0"}')
        outcome = run(bare_root, "ADD", TKE_ENI_SOCKET="/run/a.sock")
    finally:
        agent.close()

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b'{"cniVersion": "1.0.0"}', b"")


def test_it_queues_a_del_while_the_agent_is_away(bare_root: Path):
    (bare_root / "var/lib").mkdir(parents=True)

    outcome = run(bare_root, "DEL")

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b"", b"")
    assert len(list((bare_root / "var/lib/tke-eni/pending-deletes").glob("*.del"))) == 1


def test_the_same_build_has_the_same_name_and_bytes(made: Path, tmp_path: Path):
    again = make_tree(tmp_path)

    assert again.name == made.name
    assert contents(again) == contents(made)
    assert (again.parent / "tke-route-eni").read_bytes() == (made.parent / "tke-route-eni").read_bytes()


def test_another_version_has_another_name(made: Path, tmp_path: Path):
    assert make_tree(tmp_path, "1.2.4").name != made.name


def test_a_version_that_does_not_fit_into_the_interpreter_line_is_refused(tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make_tree(tmp_path, "1.2.3-with-a-long-suffix")

    assert b"--version" in str(refused.value.stderr).encode()
