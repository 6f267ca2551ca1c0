"""The plugin for arm64 answers as the one for this machine does, run by Debian's qemu-user."""

import platform

import pytest

from ipamd.rpc import cni_pb2
from testbed import arm64
from tests.shim.conftest import Plugin

if platform.machine() == "aarch64" or not arm64.is_ready():
    pytest.skip("no cross compiler: make shim-arm64", allow_module_level=True)

EMULATED = f'exec {arm64.EMULATOR.path("qemu-aarch64-static")} "$0"'
RESULT = b'{"cniVersion": "1.0.0", "ips": []}'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    file = tmp_path_factory.mktemp("arm64") / "tke-route-eni"
    arm64.build(file)
    return file


@pytest.fixture
def foreign(built, tmp_path):
    return Plugin(built, tmp_path)


def run(plugin, verb, shell=EMULATED, **extra):
    return plugin.finish(plugin.start(verb, shell=shell, **extra))


@pytest.mark.parametrize("verb", ["ADD", "DEL", "CHECK", "GC", "STATUS"])
def test_it_calls_the_agent(foreign, agent, verb):
    agent.reply_with(RESULT)

    outcome = run(foreign, verb)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, RESULT, b"")
    assert [call.method for call in agent.calls] == [f"/tke.eni.v1.Cni/{verb.title()}"]


def test_version_is_the_same(foreign, plugin):
    assert run(foreign, "VERSION").stdout == plugin.run("VERSION").stdout


def test_an_add_without_agent_is_the_same_error(foreign, plugin):
    assert run(foreign, "ADD").error == plugin.run("ADD").error


def test_a_del_without_agent_is_queued_the_same(foreign, plugin):
    assert run(foreign, "DEL").exit_code == 0
    (file,) = foreign.queue.glob("*.del")
    queued = cni_pb2.CniRequest.FromString(file.read_bytes())
    file.unlink()

    assert plugin.run("DEL").exit_code == 0
    expected = cni_pb2.CniRequest.FromString((plugin.queue / file.name).read_bytes())
    # The emulator locks the environment's order around.
    assert sorted(queued.environment) == sorted(expected.environment)
    assert queued.stdin == expected.stdin


def test_a_descriptor_that_is_closed_is_the_same_error(foreign):
    error = run(foreign, "ADD", shell=f"exec 0<&-; {EMULATED}").error

    assert error["code"] == 5


def test_a_broken_time_limit_is_the_same_error(foreign, plugin):
    wrong = {"TKE_ENI_TIMEOUT": "soon"}

    assert run(foreign, "ADD", **wrong).error == plugin.run("ADD", **wrong).error
