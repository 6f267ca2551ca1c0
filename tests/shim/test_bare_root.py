"""The plugin in a root file system that has nothing but it, and what it opens there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest

from tests.shim.conftest import CONFIG, Agent, Plugin

PLUGIN = "opt/cni/bin/tke-route-eni"


@pytest.fixture
def bare_root(plugin_file: Path, tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / PLUGIN).parent.mkdir(parents=True)
    shutil.copy(plugin_file, root / PLUGIN)
    return root


def run(root: Path, verb: str, *before: str, **extra: str) -> subprocess.CompletedProcess[bytes]:
    variables = {"CNI_CONTAINERID": "c0ffee", "CNI_IFNAME": "eth0", "CNI_NETNS": "/run/netns/x", **extra}
    return subprocess.run(
        [*before, "/usr/sbin/chroot", root, f"/{PLUGIN}"],
        input=CONFIG,
        env={"CNI_COMMAND": verb, **variables},
        capture_output=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("locale", ["", "C", "POSIX", "zh_CN.GBK", "en_US.ISO-8859-1"])
def test_it_runs_where_there_is_no_library_no_proc_and_no_locale(bare_root: Path, locale: str):
    outcome = run(bare_root, "VERSION", LC_ALL=locale)

    assert (outcome.returncode, outcome.stderr) == (0, b"")
    assert "1.0.0" in json.loads(outcome.stdout)["supportedVersions"]


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_it_calls_the_agent(bare_root: Path, verb: str):
    socket = bare_root / "run/a.sock"
    socket.parent.mkdir()
    agent = Agent(socket, grpc.Compression.NoCompression)
    try:
        agent.reply_with(b'{"cniVersion": "1.0.0"}')
        outcome = run(bare_root, verb, TKE_ENI_SOCKET="/run/a.sock")
    finally:
        agent.close()

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b'{"cniVersion": "1.0.0"}', b"")


def test_it_queues_a_del_while_the_agent_is_away(bare_root: Path):
    (bare_root / "var/lib").mkdir(parents=True)

    outcome = run(bare_root, "DEL")

    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, b"", b"")
    assert len(list((bare_root / "var/lib/tke-eni/pending-deletes").glob("*.del"))) == 1


def test_a_del_that_a_read_only_node_cannot_keep_is_to_be_repeated(bare_root: Path):
    """In a mount namespace of its own, whose root is mounted read-only."""
    read_only = f"mount --bind {bare_root} {bare_root} && mount -o remount,bind,ro {bare_root}"
    within = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", f'{read_only} && exec "$@"', "sh"]

    outcome = run(bare_root, "DEL", *within, PATH="/usr/sbin:/usr/bin:/sbin:/bin")

    error = json.loads(outcome.stdout)
    assert (outcome.returncode, outcome.stderr, error["code"]) == (1, b"", 11)
    assert "Read-only file system" in error["msg"]


# What the C library's own start reads: where a program without loader would find libraries, if it loaded any.
OF_THE_C_LIBRARY = {"/proc/self/exe"}


def touched(plugin: Plugin, tmp_path: Path, verb: str) -> set[str]:
    """Return the path of every file that a call names to the kernel, and that it was executed."""
    log = tmp_path / "log"
    subprocess.run(
        ["strace", "-f", "-s", "4096", "-e", "trace=%file,connect", "-o", log, plugin.file],
        env=plugin.environment(verb, PYTHONPATH="/tmp", PYTHONHOME="/tmp", TZ=":/etc/localtime"),
        input=CONFIG,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return {
        path
        for line in log.read_text().splitlines()
        for path in re.findall(r'"(/[^"]*)"', line.split(" = ")[0])
    } - OF_THE_C_LIBRARY


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC"])
def test_a_call_touches_the_socket_and_nothing_else(plugin: Plugin, agent: Agent, tmp_path: Path, verb: str):
    assert touched(plugin, tmp_path, verb) == {str(plugin.file), str(plugin.socket)} | arguments(plugin)


def test_version_touches_nothing(plugin: Plugin, tmp_path: Path):
    assert touched(plugin, tmp_path, "VERSION") == {str(plugin.file)} | arguments(plugin)


def test_a_del_that_is_queued_touches_the_queue_alone(plugin: Plugin, tmp_path: Path):
    paths = touched(plugin, tmp_path, "DEL") - {str(plugin.file), str(plugin.socket)} - arguments(plugin)

    assert {path for path in paths if not path.startswith(str(plugin.queue))} == {str(plugin.queue.parent)}


def test_status_touches_the_last_answer_and_the_id_of_the_boot(plugin: Plugin, agent: Agent, tmp_path: Path):
    paths = touched(plugin, tmp_path, "STATUS") - {str(plugin.file), str(plugin.socket)} - arguments(plugin)

    assert {re.sub(r"\.\d+$", "", path) for path in paths} == {
        str(plugin.socket.parent / "last-status"),
        "/proc/sys/kernel/random/boot_id",
    }


def arguments(plugin: Plugin) -> set[str]:
    """Nothing: strace prints the variables of execve by their number."""
    return set()
