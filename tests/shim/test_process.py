"""The process itself, in surroundings that no runtime should give it but may: it answers, or says why not."""

import itertools
import json
import os
import signal
import subprocess

import pytest

from ipamd.rpc import cni_pb2
from tests.shim.conftest import CONFIG

RESULT = b'{"cniVersion": "1.0.0", "ips": []}'
STANDARD = {0: "stdin", 1: "stdout", 2: "stderr"}
CLOSED = [subset for size in (1, 2, 3) for subset in itertools.combinations(STANDARD, size)]


def execute(plugin, verb, *, shell="", environment=None, stdin=subprocess.DEVNULL):
    """Execute the file, as "$0" at the end of a line of shell if one is given."""
    return subprocess.run(
        ["/bin/sh", "-c", f'{shell}; exec "$0"', plugin.file] if shell else [plugin.file],
        env=plugin.environment(verb) if environment is None else environment,
        stdin=stdin,
        capture_output=True,
        check=False,
        timeout=60,
    )


def closing(descriptors):
    return "exec " + " ".join(f"{descriptor}>&-" for descriptor in descriptors)


@pytest.mark.parametrize("closed", CLOSED, ids=lambda closed: "+".join(STANDARD[fd] for fd in closed))
def test_no_socket_and_no_file_takes_the_place_of_a_descriptor_that_is_closed(plugin, agent, closed):
    agent.reply_with(RESULT)

    done = execute(plugin, "ADD", shell=closing(closed))

    assert done.stderr == b""
    if 0 in closed:  # what was asked is not known, so nobody is asked
        assert agent.calls == []
        assert done.returncode == 1
        if 1 not in closed:
            assert json.loads(done.stdout)["code"] == 5
            assert "stdin cannot be read: Bad file descriptor" in json.loads(done.stdout)["msg"]
    else:
        (call,) = agent.calls
        assert RESULT not in call.request
        # An ADD whose result nobody hears has failed.
        assert (done.returncode, done.stdout) == ((1, b"") if 1 in closed else (0, RESULT))


def test_a_del_is_queued_whole_with_all_of_them_closed_but_stdin(plugin):
    done = execute(plugin, "DEL", shell=closing((1, 2)))

    assert done.returncode == 0
    (file,) = plugin.queue.glob("*.del")
    assert b"CNI_COMMAND=DEL" in file.read_bytes()


def test_an_agent_that_no_longer_reads_has_answered_all_the_same(plugin, listener):
    """To acknowledge its settings raises SIGPIPE, which ends a process that does not ignore it."""
    reply = cni_pb2.CniReply(stdout=RESULT).SerializeToString()
    message = b"\0" + len(reply).to_bytes(4, "big") + reply

    def answer_and_go(connection):
        received = b""
        while not received.endswith(CONFIG):
            received += connection.recv(65536)
        connection.shutdown(0)  # SHUT_RD: whatever is written to it fails from now on
        frame = "{:06x}{:02x}{:02x}{:08x}"
        headers = b"\x88\x0f\x10\x10application/grpc"
        trailers = b"\x00\x0bgrpc-status\x010"
        for kind, flags, stream, payload in (
            (4, 0, 0, b""),
            (1, 4, 1, headers),
            (0, 0, 1, message),
            (1, 5, 1, trailers),
        ):
            connection.sendall(bytes.fromhex(frame.format(len(payload), kind, flags, stream)) + payload)

    listener.script = answer_and_go

    outcome = plugin.run("ADD")

    assert (outcome.exit_code, outcome.stdout) == (0, RESULT)


def test_a_reader_of_stdout_that_has_gone_is_an_error_and_no_signal(plugin):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = subprocess.run(
            [plugin.file],
            env=plugin.environment("VERSION"),
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (done.returncode, done.stderr) == (1, b"")


def test_a_limit_of_file_size_fails_a_del_and_is_no_signal(plugin):
    """Else SIGXFSZ would end the process."""
    done = execute(plugin, "DEL", shell="ulimit -f 0")

    error = json.loads(done.stdout)
    assert (done.returncode, error["code"]) == (1, 11)
    assert "could not be queued" in error["msg"]
    assert "File too large" in error["msg"]
    assert list(plugin.queue.glob("*.del")) == []


def test_sigterm_ends_a_call_and_the_agent_notices(plugin, agent):
    inside, released = agent.hold(RESULT)
    execution = plugin.start("ADD")
    assert inside.wait(30)

    execution.process.send_signal(signal.SIGTERM)
    outcome = plugin.finish(execution)
    released.set()

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (-signal.SIGTERM, b"", b"")


@pytest.mark.parametrize("ignored", ["PIPE", "XFSZ", "ABRT", "TERM", "CHLD"])
def test_what_the_runtime_ignores_changes_nothing(plugin, agent, ignored):
    agent.reply_with(RESULT)

    done = execute(plugin, "ADD", shell=f"trap '' {ignored}")

    assert (done.returncode, done.stdout, done.stderr) == (0, RESULT, b"")


def test_an_environment_as_large_as_the_kernel_takes_is_passed_on(plugin, agent):
    agent.reply_with(RESULT)
    environment = plugin.environment("ADD") | {f"CNI_{n}": "x" * 120_000 for n in range(12)}

    done = execute(plugin, "ADD", environment=environment)

    assert (done.returncode, done.stdout, done.stderr) == (0, RESULT, b"")
    request = cni_pb2.CniRequest.FromString(agent.calls[0].request)
    expected = {f"{k}={v}".encode() for k, v in environment.items() if k.startswith("CNI_")}
    assert set(request.environment) == expected


def test_bytes_that_are_no_utf_8_are_passed_on(plugin, agent, tmp_path):
    agent.reply_with(RESULT)
    (tmp_path / "config").write_bytes(b"\xff\xfe{}\x00")
    environment = {os.fsencode(k): os.fsencode(v) for k, v in plugin.environment("ADD").items()}
    environment |= {b"CNI_ARGS": b"NAME=\xff\xfe", b"\xffother": b"\xff"}

    with (tmp_path / "config").open("rb") as stdin:
        done = execute(plugin, "ADD", environment=environment, stdin=stdin)

    assert (done.returncode, done.stdout) == (0, RESULT)
    request = cni_pb2.CniRequest.FromString(agent.calls[0].request)
    assert request.stdin == b"\xff\xfe{}\x00"
    assert b"CNI_ARGS=NAME=\xff\xfe" in request.environment


def test_an_empty_environment_is_named(plugin):
    done = execute(plugin, None, environment={})

    assert done.returncode == 1
    assert json.loads(done.stdout)["msg"] == "CNI_COMMAND is not set"


@pytest.mark.parametrize(
    "diverting",
    [
        {"PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere", "PYTHONPLATLIBDIR": "nowhere"},
        {"PYTHONDEVMODE": "1", "PYTHONMALLOC": "debug", "PYTHONTRACEMALLOC": "5", "PYTHONFAULTHANDLER": "1"},
        {"PYTHONVERBOSE": "3", "PYTHONPROFILEIMPORTTIME": "1", "PYTHONMALLOCSTATS": "1"},
        {"PYTHONHASHSEED": "nonsense", "PYTHONUTF8": "nonsense", "PYTHONIOENCODING": "utf-16:nonsense"},
        {"PYTHONINSPECT": "1", "PYTHONSTARTUP": "/nowhere", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "x"},
        {"LANG": "zh_CN.GBK", "LC_ALL": "tr_TR.ISO-8859-9", "LANGUAGE": "zh", "PYTHONCOERCECLOCALE": "warn"},
        {"LD_PRELOAD": "/nowhere.so", "LD_LIBRARY_PATH": "/nowhere", "LD_AUDIT": "/nowhere.so"},
        {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.check=3:glibc.malloc.tcache_count=0"},
        {"TZ": ":/etc/shadow", "TZDIR": "/nowhere", "LOCPATH": "/nowhere", "GCONV_PATH": "/nowhere"},
    ],
    ids=lambda diverting: "+".join(diverting)[:60],
)
def test_no_variable_diverts_it(plugin, agent, diverting):
    agent.reply_with(RESULT)

    done = execute(plugin, "ADD", environment=plugin.environment("ADD") | diverting)

    assert (done.returncode, done.stdout, done.stderr) == (0, RESULT, b"")


@pytest.mark.parametrize("descriptors", range(3, 7))
def test_a_shortage_of_descriptors_is_an_error_that_passes_or_no_error(plugin, agent, descriptors):
    agent.reply_with(RESULT)

    done = execute(plugin, "ADD", shell=f"ulimit -n {descriptors}")

    if descriptors == 3:
        error = json.loads(done.stdout)
        assert (done.returncode, error["code"]) == (1, 11)
        assert "Too many open files" in error["msg"]
    else:
        assert (done.returncode, done.stdout) == (0, RESULT)


@pytest.mark.parametrize("descriptors", range(3, 7))
def test_a_del_that_finds_no_descriptor_is_to_be_repeated(plugin, descriptors):
    done = execute(plugin, "DEL", shell=f"ulimit -n {descriptors}")

    if done.returncode:
        assert json.loads(done.stdout)["code"] == 11
        assert list(plugin.queue.glob("*.del")) == []
    else:
        assert len(list(plugin.queue.glob("*.del"))) == 1
    assert (done.returncode == 0) == (descriptors > 4)


def test_a_limit_of_memory_is_told_or_leaves_room(plugin, agent):
    """Nothing in between: half an answer, a traceback. Below the least, no program starts at all."""
    agent.reply_with(RESULT)
    answers = set()

    for kibibytes in range(5_500, 16_000, 250):
        done = execute(plugin, "ADD", shell=f"ulimit -c 0; ulimit -v {kibibytes}")
        if done.returncode == 0:
            assert done.stdout == RESULT
            answers.add("result")
        elif done.returncode == 1:
            assert json.loads(done.stdout)["code"] in (11, 999)
            answers.add("error")
        else:  # the shell, the kernel or the C library could not even begin
            assert (done.returncode, done.stdout) in ((-signal.SIGSEGV, b""), (126, b""), (127, b""))

    assert answers == {"result", "error"}
