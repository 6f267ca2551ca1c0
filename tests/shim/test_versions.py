"""Plugin and agent of different versions: while an upgrade runs, a node may have either one newer.

`released.json` holds what the released plugin sent, byte for byte: the HTTP/2 connection of one call for each
verb. It is never made anew for a changed plugin; a release adds its own (`python -m tests.shim.recording`).
"""

import functools
import json
import socket
from concurrent import futures
from pathlib import Path

import grpc
import hpack
import pytest

from ipamd.rpc import cni_pb2
from tests.shim import recording
from tests.shim.conftest import CONFIG, Agent, Plugin

RELEASES = json.loads((Path(__file__).parent / "released.json").read_text())
SENT = [(release, verb) for release, verbs in RELEASES.items() for verb in verbs]


def without_timeout(sent):
    """Leave out what differs from call to call: the milliseconds left and their number of digits."""
    # A HEADERS frame of stream 1 begins with its length.
    headers = sent.index(b"\x01\x04\x00\x00\x00\x01") - 3
    length = int.from_bytes(sent[headers : headers + 3], "big")
    before, name, after = sent[headers + 3 :].partition(b"grpc-timeout")
    assert name
    digits = after[0]
    return sent[:headers], length - digits, before, after[1 + digits :]


def header_fields(sent):
    """Return the fields before the timeout, in their order."""
    _, _, before, _ = without_timeout(sent)
    return hpack.Decoder().decode(before[6:-2], raw=True)


def with_sorted_fields(sent):
    settings, length, _, message = without_timeout(sent)
    return settings, length, sorted(header_fields(sent)), message


class Answering:
    """The methods of the contract as this checkout has it; each keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def handlers(self):
        methods = cni_pb2.DESCRIPTOR.services_by_name["Cni"].methods
        return grpc.method_handlers_generic_handler(
            "tke.eni.v1.Cni",
            {
                method.name: grpc.unary_unary_rpc_method_handler(
                    functools.partial(self._answer, method.name),
                    request_deserializer=cni_pb2.CniRequest.FromString,
                    response_serializer=cni_pb2.CniReply.SerializeToString,
                )
                for method in methods
            },
        )

    def _answer(self, method, request, context):
        self.asked.append((method, request, context.time_remaining()))
        return cni_pb2.CniReply(stdout=b'{"cniVersion": "1.0.0"}')


@pytest.fixture
def agent(tmp_path):
    answering = Answering()
    threads = futures.ThreadPoolExecutor(4)
    server = grpc.server(threads)
    server.add_generic_rpc_handlers((answering.handlers(),))
    assert server.add_insecure_port(f"unix:{tmp_path}/a.sock")
    server.start()
    yield answering, tmp_path / "a.sock"
    server.stop(None).wait()
    threads.shutdown()


def call(path, method, request):
    with grpc.insecure_channel(f"unix:{path}") as channel:
        caller: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/tke.eni.v1.Cni/{method}")
        return cni_pb2.CniReply.FromString(caller(request, timeout=10))


@pytest.mark.parametrize(("release", "verb"), SENT)
def test_this_agent_understands_the_plugin_of_an_earlier_release(agent, release, verb):
    answering, path = agent
    sent = bytes.fromhex(RELEASES[release][verb])

    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(sent)
        received = b""
        while b"grpc-status" not in received and b'"cniVersion"' not in received:
            chunk = connection.recv(65536)
            assert chunk, received
            received += chunk

    ((method, request, remaining),) = answering.asked
    variables = dict(entry.split(b"=", 1) for entry in request.environment)
    assert method == recording.VERBS[verb]
    assert variables[b"CNI_COMMAND"] == verb.encode()
    assert variables[b"CNI_CONTAINERID"] == b"c0ffee"
    assert request.stdin == CONFIG
    assert request.SerializeToString() in sent
    assert 0 < remaining <= 55
    assert b'{"cniVersion": "1.0.0"}' in received


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("latest", 2), ("v0.2.0", 2), ("0.2", 2)])
def test_what_is_no_version_is_not_recorded(argument, code, capsys):
    before = recording.RELEASED.read_bytes()

    with pytest.raises(SystemExit) as ended:
        recording.main([argument])

    assert ended.value.code == code
    assert "VERSION" in "".join(capsys.readouterr())
    assert recording.RELEASED.read_bytes() == before


def test_this_agent_understands_a_plugin_that_sends_more(agent):
    """A later plugin: fields that this contract does not know, before and after those that it does."""
    answering, path = agent
    known = cni_pb2.CniRequest(environment=[b"CNI_COMMAND=DEL"], stdin=CONFIG).SerializeToString()
    later = b"\x1a\x05extra" + known + b"\x20\x2a" + b"\xfa\x01\x03new"

    reply = call(path, "Del", later)

    ((_, request, _),) = answering.asked
    assert list(request.environment) == [b"CNI_COMMAND=DEL"]
    assert request.stdin == CONFIG
    assert reply.exit_code == 0


def test_a_method_that_this_agent_does_not_have_is_unimplemented(agent):
    _, path = agent

    with pytest.raises(grpc.RpcError) as refused:
        call(path, "Later", b"")

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.fixture
def later_agent(tmp_path):
    agent = Agent(tmp_path / "ipamd.sock", grpc.Compression.NoCompression)
    yield agent
    agent.close()


def test_this_plugin_understands_an_agent_that_answers_more(later_agent, plugin_file, tmp_path):
    known = cni_pb2.CniReply(stdout=b'{"code": 11}', exit_code=1).SerializeToString()
    later_agent.answer = lambda _request, _context: (
        b"\x1a\x05extra" + known + b"\x20\x2a" + b"\xfa\x01\x03new"
    )

    outcome = Plugin(plugin_file, tmp_path).run("ADD")

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (1, b'{"code": 11}', b"")


def test_a_verb_that_an_earlier_agent_does_not_have_is_an_error_with_its_name(
    later_agent, plugin_file, tmp_path
):
    later_agent.abort_with(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    error = Plugin(plugin_file, tmp_path).run("GC").error

    assert error["code"] == 999
    assert "UNIMPLEMENTED" in error["msg"]


@pytest.mark.parametrize("verb", recording.VERBS)
def test_this_plugin_sends_what_the_last_release_sent(plugin_file, tmp_path, verb):
    """It may send more one day: then this test is to say what, and an agent of before has to bear it.

    Header fields have changed their order: `:path` stands before the regular ones (RFC 9113, 8.3).
    """
    last = list(RELEASES)[-1]
    sent = recording.record(Plugin(plugin_file, tmp_path), verb)

    assert with_sorted_fields(sent) == with_sorted_fields(bytes.fromhex(RELEASES[last][verb]))


@pytest.mark.parametrize("verb", recording.VERBS)
def test_pseudo_header_fields_come_first(plugin_file, tmp_path, verb):
    fields = header_fields(recording.record(Plugin(plugin_file, tmp_path), verb))

    assert [name.startswith(b":") for name, _ in fields] == [True] * 4 + [False] * 3
