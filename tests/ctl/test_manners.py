"""How ipamctl behaves in shells and scripts: exit codes, pipes, Ctrl-C, terminals, completion."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading

import grpc
import pytest

import ipamd
from ipamd.ctl.exit_codes import ExitCode
from ipamd.rpc import introspection_pb2_grpc, maintenance_pb2, maintenance_pb2_grpc
from tests.ctl.fixture_node import Ipamctl, serving

AGE = re.compile(r"(\d+[dhms])+,?")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _Troubled(introspection_pb2_grpc.IntrospectionServicer):
    """An agent whose store is broken, that hangs, and that is older than ipamctl."""

    def __init__(self):
        self.asked = threading.Event()
        self.over = threading.Event()

    def ListEnis(self, request, context):  # noqa: N802 - the generated name
        context.abort(grpc.StatusCode.INTERNAL, "the store is read-only")

    def ListPods(self, request, context):  # noqa: N802 - the generated name
        self.asked.set()
        self.over.wait(30)
        context.abort(grpc.StatusCode.ABORTED, "the test is over")


@pytest.fixture
def agent():
    return _Troubled()  # type: ignore[abstract] # what it lacks, an older agent lacks


@pytest.fixture
def troubled(tmp_path, agent):
    with serving(tmp_path / "troubled.sock", introspection=agent) as socket:
        yield Ipamctl(socket)
        agent.over.set()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("status",), ExitCode.OK),
        (("check",), ExitCode.PROBLEM),
        (("repair",), ExitCode.OK),
        (("pods", "--no-such-flag"), ExitCode.USAGE),
        (("pods", "--timeout", "0"), ExitCode.USAGE),
        (("no-such-command",), ExitCode.USAGE),
        (("pods", "no-such-pod"), ExitCode.FAILED),
    ],
)
def test_the_exit_code_says_what_became_of_it(ipamctl, arguments, code):
    assert ipamctl(*arguments).returncode == code


@pytest.mark.parametrize("command", ["status", "pods", "enis", "eips", "check", "repair", "connectivity"])
def test_no_agent_is_told_from_a_problem(lonely, command):
    done = lonely(command)

    assert done.returncode == ExitCode.NO_AGENT
    assert len(done.stderr.splitlines()) == 1


def test_an_error_of_the_agent_is_shown(troubled):
    done = troubled("enis")

    assert done.returncode == ExitCode.FAILED
    assert "the store is read-only" in done.stderr


def test_an_agent_that_hangs_counts_as_none(troubled):
    done = troubled("pods", "--timeout", "0.5")

    assert done.returncode == ExitCode.NO_AGENT
    assert "gave no answer in time" in done.stderr


def test_an_agent_of_another_release_is_told_from_none(troubled):
    done = troubled("eips")

    assert done.returncode == ExitCode.FAILED
    assert "its release is another than this ipamctl's" in done.stderr


def test_flags_of_every_command_may_stand_anywhere(ipamctl):
    before = ipamctl("-o", "json", "-n", "default", "pods")
    behind = ipamctl("pods", "-o", "json", "-n", "default")
    around = ipamctl("-n", "kube-system", "-o", "name", "pods", "-o", "json", "--namespace=default")

    assert before.stdout == behind.stdout == around.stdout
    assert '"default"' in before.stdout
    assert "kube-system" not in before.stdout


def test_the_socket_may_stand_behind_the_command(ipamctl):
    argv = [sys.executable, "-m", "ipamd.ctl", "status", "-o", "name", "--socket", str(ipamctl.socket)]

    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "10.0.1.2\n"


def test_the_version_is_told(ipamctl):
    assert ipamctl("--version").stdout == f"ipamctl {ipamd.__version__}\n"


def test_a_closed_pipe_ends_it_without_a_word(ipamctl):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            ipamctl.argv("pods"), stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (done.returncode, done.stderr) == (ExitCode.CLOSED_PIPE, "")


def test_ctrl_c_ends_a_watch_without_a_word(ipamctl):
    process = ipamctl.start("pods", "-o", "name", "--watch", "--interval", "0.1")
    seen = [process.stdout.readline() for _ in range(6)]
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert seen == ["default/nginx-deployment-7fb96c846b-x7k2p\n", "kube-system/web-1\n"] * 3
    assert (process.returncode, said) == (ExitCode.INTERRUPTED, "")


def test_ctrl_c_ends_a_call_that_hangs(troubled, agent):
    process = troubled.start("pods", "--timeout", "60")
    assert agent.asked.wait(30)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)

    assert (process.returncode, said) == (ExitCode.INTERRUPTED, "")


def test_a_watch_goes_on_while_no_agent_answers(tmp_path):
    client = Ipamctl(tmp_path / "late.sock")
    process = client.start("status", "-o", "name", "-w", "--interval", "0.1")
    first = process.stderr.readline()
    with serving(client.socket):
        shown = process.stdout.readline()
    process.kill()
    process.communicate()

    assert "no agent answers" in first
    assert shown == "10.0.1.2\n"


def on_terminal(argv, columns=100, **environment):
    """What a program writes to a terminal of its own."""
    leader, follower = pty.openpty()
    size = {"COLUMNS": str(columns), "LINES": "40", "TERM": "xterm-256color"}
    process = subprocess.Popen(
        argv, stdin=follower, stdout=follower, stderr=follower, env=os.environ | size | environment
    )
    os.close(follower)
    written = b""
    try:
        while part := os.read(leader, 65536):
            written += part
    except OSError:
        pass  # the other end is closed: that is how a terminal ends
    os.close(leader)
    process.wait(30)
    return written.decode()


def test_a_terminal_gets_colour_and_nothing_else_does(ipamctl):
    assert ESCAPE.search(on_terminal(ipamctl.argv("pods")))
    assert not ESCAPE.search(ipamctl("pods").stdout)


def test_no_color_means_none(ipamctl):
    coloured = re.compile(r"\x1b\[(3|4|9)\d")

    assert coloured.search(on_terminal(ipamctl.argv("pods")))
    assert not coloured.search(on_terminal(ipamctl.argv("pods"), NO_COLOR="1"))


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("command", ["status", "pods", "enis", "eips", "claims", "settings"])
def test_a_narrow_terminal_breaks_no_word(ipamctl, command, columns):
    whole = ipamctl(command).stdout
    text = ESCAPE.sub("", on_terminal(ipamctl.argv(command), columns=columns))

    names = {word for word in whole.split() if not AGE.fullmatch(word)}  # ages grow in between
    assert names <= set(text.split())


def test_a_narrow_terminal_shows_a_table_entry_by_entry(ipamctl):
    text = ESCAPE.sub("", on_terminal(ipamctl.argv("pods"), columns=60))

    assert max(len(line) for line in text.splitlines()) <= 60
    assert "POD         nginx-deployment-7fb96c846b-x7k2p" in text.splitlines()


FACT = {
    "severity": "info",
    "code": "RangesUnknown",
    "object": "node/ranges",
    "text": "the Service CIDR is not known",
}
FACT |= {"breaks": "perhaps the way to Services", "next_step": "name it in --service-cidrs"}


class _Well(maintenance_pb2_grpc.MaintenanceServicer):
    """An agent of a node in order, which has something to tell all the same."""

    def Check(self, request, context):  # noqa: N802 - the generated name
        return maintenance_pb2.Findings(pods=2, findings=[maintenance_pb2.Finding(**FACT)])


@pytest.fixture
def well(tmp_path):
    with serving(tmp_path / "well.sock", maintenance=_Well()) as socket:  # type: ignore[abstract] # asked to check only
        yield Ipamctl(socket)


def test_a_fact_is_one_line_behind_the_word_that_all_is_well(well):
    done = well("check")

    assert done.returncode == ExitCode.OK
    assert done.stdout.splitlines() == [
        "nothing is wrong with the node and its 2 Pods",
        "INFO     RangesUnknown node/ranges: the Service CIDR is not known",
    ]


def test_wide_tells_all_of_a_fact(well):
    shown = well("check", "-o", "wide").stdout.splitlines()

    assert shown[2:] == [
        "         breaks: perhaps the way to Services",
        "         next: name it in --service-cidrs",
    ]


def test_a_message_is_wrapped_on_a_terminal_and_nowhere_else(well):
    lines = [
        line.rstrip() for line in ESCAPE.sub("", on_terminal(well.argv("check"), columns=40)).splitlines()
    ]

    assert lines[-2:] == ["INFO     RangesUnknown node/ranges: the", "         Service CIDR is not known"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(("pod",), "pods"), (("explain", "pods", "web"), "pod"), (("pods", "-o", "jsn"), "json")],
)
def test_a_wrong_word_is_answered_with_the_one_that_was_meant_on_one_line(ipamctl, typed, meant):
    done = ipamctl(*typed)

    assert done.returncode == ExitCode.USAGE
    (line,) = done.stderr.splitlines()
    assert f"perhaps '{meant}' is meant" in line
    assert "--help" in line


def test_a_pod_that_is_named_without_its_kind_is_answered_with_the_whole_command(ipamctl):
    done = ipamctl("explain", "web-1")

    assert done.returncode == ExitCode.USAGE
    assert "perhaps `ipamctl explain pod web-1` is meant" in done.stderr


def with_programs(directory):
    """Return an environment in which both commands are found by their names."""
    for name, module in (("ipamctl", "ipamd.ctl"), ("kubectl-eni", "ipamd.ctl.kubectl.command")):
        program = directory / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        program.chmod(0o755)
    return os.environ | {"PATH": f"{directory}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("ipamctl po", {"pods", "pool"}),
        ("ipamctl pods --wa", {"--watch"}),
        ("ipamctl -o ", {"table", "wide", "json", "yaml", "name"}),
        ("ipamctl pods --socket {socket} kube", {"kube-system/web-1"}),
        ("ipamctl pods --socket /nobody.sock kube", set()),
    ],
)
def test_bash_completes_commands_flags_and_names(ipamctl, tmp_path, typed, offered):
    line = typed.format(socket=ipamctl.socket)
    script = f"""
        source <(ipamctl completion bash)
        COMP_WORDBREAKS=' '
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_TYPE=9
        _python_argcomplete ipamctl '' ''
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        env=with_programs(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert {word.strip() for word in done.stdout.split()} == offered


def test_bash_gets_nothing_that_is_for_zsh(ipamctl):
    assert "#compdef" not in ipamctl("completion", "bash").stdout.splitlines()[0]


def test_zsh_gets_a_function_of_its_own(ipamctl):
    printed = ipamctl("completion", "zsh").stdout

    assert printed.startswith("#compdef ipamctl")
    assert "_python_argcomplete" in printed


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("ipamctl stat", "ipamctl status"), ("ipamctl pods --socket {socket} kube", "kube-system/web-1")],
)
def test_zsh_completes_commands_and_names(ipamctl, tmp_path, typed, completed):
    setup = f'autoload -U compinit; compinit -u -d {tmp_path}/dump; eval "$(ipamctl completion zsh)"'
    # What the line has become is executed as the argument of echo.
    keys = [setup, f"{typed.format(socket=ipamctl.socket)}\t\x01echo ", "exit", ""]
    leader, follower = pty.openpty()
    environment = with_programs(tmp_path) | {"TERM": "dumb", "PS1": "", "HOME": str(tmp_path)}
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    os.write(leader, "\n".join(keys).encode())
    written = b""
    with contextlib.suppress(OSError):  # the other end is closed: that is how a terminal ends
        while part := os.read(leader, 65536):
            written += part
    os.close(leader)
    shell.wait(30)

    lines = [line.strip() for line in ESCAPE.sub("", written.decode()).splitlines()]
    assert [line for line in lines if line.startswith("ipamctl") and line.endswith(completed)], lines


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["che"], {"check"}),
        (["nodes", "--pro"], {"--problems"}),
        (["explain", "po"], {"pod"}),
        (["nodes", "--nonsense"], set()),
    ],
)
def test_kubectl_completes_its_plugin(tmp_path, words, offered):
    environment = with_programs(tmp_path)
    argv = [sys.executable, "-m", "ipamd.ctl.kubectl.command", "completion"]
    script = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    program = tmp_path / "kubectl_complete-eni"
    program.write_text(script)
    program.chmod(0o755)

    done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=True)

    *found, directive = done.stdout.splitlines()
    assert {word.strip() for word in found} == offered
    assert directive == ":4"
    assert done.stderr == ""


def test_programs_that_read_json_wait_for_no_drawing(ipamctl):
    argv = ipamctl.argv("pods", "-o", "json")
    argv[1:1] = ["-X", "importtime"]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True).stderr

    assert "grpc" in loaded
    assert not re.search(r"\| +(rich|argcomplete|yaml|tencentcloud)\b", loaded)
