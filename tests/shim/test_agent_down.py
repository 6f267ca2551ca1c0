"""What each verb gives when no agent listens."""

import json
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize("verb", ["ADD", "CHECK", "GC"])
def test_the_error_asks_for_a_retry_and_names_the_socket(plugin, verb):
    error = plugin.run(verb).error

    assert error["code"] == 11
    assert f"{plugin.socket} cannot be reached for {verb}: No such file or directory" in error["msg"]
    assert "tke-eni-agent" in error["details"]


def test_status_says_that_the_plugin_is_not_available(plugin):
    error = plugin.run("STATUS").error

    assert error["code"] == 50
    assert str(plugin.socket) in error["msg"]


def test_a_socket_that_a_dead_agent_left_is_refused(plugin):
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(plugin.socket))

    assert "Connection refused" in plugin.run("ADD").error["msg"]


def test_a_socket_of_somebody_else_is_not_spoken_to(plugin):
    """Who has made it could answer ADD with any address."""
    listen = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.listen(); print(flush=True); "
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(plugin.socket))
        number = str(bound.fileno())
        command = [sys.executable, "-I", "-c", listen + "s.accept()[0].recv(1)", number]
        stranger = subprocess.Popen(
            command, stdout=subprocess.PIPE, pass_fds=[bound.fileno()], user=65534, cwd="/"
        )
        with stranger:
            stranger.stdout.readline()
            try:
                error = plugin.run("ADD").error
            finally:
                stranger.kill()

    assert error["code"] == 11
    assert "it is served by user 65534, not by root" in error["msg"]


def test_a_socket_path_that_cannot_be_one_is_an_error(plugin):
    assert "path too long" in plugin.run("ADD", TKE_ENI_SOCKET="/run/" + "x" * 200).error["msg"]


def test_version_needs_no_agent_and_no_configuration(plugin):
    outcome = plugin.run("VERSION", b"")

    assert (outcome.exit_code, outcome.stderr) == (0, b"")
    assert json.loads(outcome.stdout) == {
        "cniVersion": "1.1.0",
        "supportedVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    }


@pytest.mark.parametrize("verb", ["UPDATE", "add", "", "\udcff", '"'])
def test_an_unknown_verb_is_named(plugin, agent, verb):
    error = plugin.run(verb).error

    assert error["code"] == 4
    assert "CNI_COMMAND" in error["msg"]
    assert "ADD, DEL, CHECK, GC, STATUS or VERSION" in error["details"]
    assert agent.calls == []


def test_a_missing_verb_is_an_error_without_waiting_for_stdin(plugin):
    error = plugin.run(None).error

    assert error["code"] == 4
    assert error["msg"] == "CNI_COMMAND is not set"


def test_a_configuration_without_end_is_refused(plugin, agent):
    error = plugin.run("ADD", b" " * (5 << 20)).error

    assert error["code"] == 7
    assert "4194304 octets" in error["msg"]


def test_a_closed_stdin_is_an_error(plugin):
    error = plugin.finish(plugin.start("ADD", shell='exec "$0" <&-')).error

    assert error["code"] == 5
    assert "Bad file descriptor" in error["msg"]


def test_a_runtime_that_went_away_is_no_success(plugin, agent):
    agent.reply_with(b"{}")

    outcome = plugin.finish(plugin.start("ADD", shell='exec "$0" >&-'))

    assert (outcome.stdout, outcome.stderr, outcome.exit_code) == (b"", b"", 1)
