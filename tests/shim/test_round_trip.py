"""The shim against the real gRPC servers, with the real gRPC client as the oracle."""

import asyncio
import json

import grpc
import pytest

from ipamd.rpc import cni_pb2

VERBS = ("ADD", "DEL", "CHECK", "GC", "STATUS")


@pytest.mark.parametrize("verb", VERBS)
def test_the_agent_gets_the_request_that_the_real_client_sends(plugin, agent, oracle, verb):
    config = json.dumps({"cniVersion": "1.1.0", "name": "tke-eni", "note": "网络"}).encode()
    agent.reply_with(b'{"cniVersion": "1.1.0"}', exit_code=1)

    outcome = plugin.run(verb, config)
    expected = cni_pb2.CniReply.FromString(oracle(verb, config))

    ours, real = agent.calls
    assert ours.method == real.method == f"/tke.eni.v1.Cni/{verb.title()}"
    assert ours.request == real.request
    assert (outcome.stdout, outcome.exit_code, outcome.stderr) == (expected.stdout, expected.exit_code, b"")


def test_only_the_variables_of_cni_travel(plugin, agent):
    plugin.run("ADD", SECRET="hush", CNITOO="no", CONTAINER="no")

    request = cni_pb2.CniRequest.FromString(agent.calls[0].request)
    names = {entry.partition(b"=")[0].decode() for entry in request.environment}
    assert names == {name for name in plugin.environment("ADD") if name.startswith("CNI_")}


def test_a_variable_need_not_be_text(plugin, agent):
    plugin.run("ADD", CNI_ARGS="a=\udcff\udc80")

    assert b"CNI_ARGS=a=\xff\x80" in cni_pb2.CniRequest.FromString(agent.calls[0].request).environment


def test_an_empty_stdin_is_forwarded_as_such(plugin, agent):
    assert plugin.run("ADD", b"").exit_code == 0

    assert cni_pb2.CniRequest.FromString(agent.calls[0].request).stdin == b""


@pytest.mark.parametrize("exit_code", [0, 1, 7, 255])
def test_stdout_and_exit_code_are_the_agents(plugin, agent, exit_code):
    stdout = bytes(range(256))
    agent.reply_with(stdout, exit_code)

    outcome = plugin.run("ADD")

    assert (outcome.stdout, outcome.exit_code) == (stdout, exit_code)


@pytest.mark.parametrize("exit_code", [256, 512, -1, -256, 2**31 - 1])
def test_an_exit_code_that_no_process_can_have_never_becomes_success(plugin, agent, exit_code):
    agent.reply_with(b"", exit_code)

    assert plugin.run("ADD").exit_code == 1


def test_an_empty_reply_is_success_without_output(plugin, agent):
    outcome = plugin.run("DEL")

    assert (outcome.stdout, outcome.exit_code) == (b"", 0)


@pytest.mark.parametrize("size", [16_000, 16_384, 65_530, 65_536, 100_000, 3_000_000])
def test_a_large_reply_arrives_whole(plugin, agent, size):
    stdout = bytes(i * 7 % 251 for i in range(size))
    agent.reply_with(stdout)

    assert plugin.run("ADD").stdout == stdout


def test_a_reply_beyond_the_limit_is_refused_at_once(plugin, agent):
    agent.reply_with(b"x" * (17 << 20))

    outcome = plugin.run("ADD")

    assert "more than 16777216 octets" in outcome.error["msg"]
    assert outcome.seconds < 20


@pytest.mark.parametrize("size", [16_000, 65_000, 65_536, 200_000, 3_900_000])
def test_a_large_configuration_is_sent_under_flow_control(plugin, agent, size):
    config = b'{"cniVersion": "1.1.0", "cni.dev/valid-attachments": "%s"}' % (b"x" * size)

    outcome = plugin.run("GC", config)

    assert outcome.exit_code == 0, outcome.stdout
    assert cni_pb2.CniRequest.FromString(agent.calls[0].request).stdin == config


def test_binary_metadata_does_not_disturb(plugin, agent):
    # The server Huffman-codes the base64 text of such a value, and nothing else.
    def answer(_request, context):
        context.send_initial_metadata((("x-early-bin", bytes(range(256))),))
        context.set_trailing_metadata((("x-late-bin", bytes(reversed(range(256)))),))
        return cni_pb2.CniReply(stdout=b"whole").SerializeToString()

    agent.answer = answer

    assert plugin.run("ADD").stdout == b"whole"


def test_a_compressed_reply_is_refused(plugin, start_agent):
    # The real server set to gzip compresses even for a client that does not offer to decompress.
    start_agent(grpc.Compression.Gzip).reply_with(b" " * 10_000)

    error = plugin.run("ADD").error

    assert error["code"] == 999
    assert "a compressed reply" in error["msg"]


def test_the_client_introduces_itself(plugin, agent):
    plugin.run("ADD")

    assert agent.calls[0].metadata["user-agent"] == "tke-route-eni"


def test_the_asyncio_server_is_served_as_well(plugin):
    async def add(request, context):
        await context.send_initial_metadata((("x-early", "1"),))
        return cni_pb2.CniReply(stdout=request.stdin * 10_000, exit_code=1)

    async def check(_request, context):
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "50% done")

    async def serve():
        server = grpc.aio.server()
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                method, cni_pb2.CniRequest.FromString, cni_pb2.CniReply.SerializeToString
            )
            for name, method in (("Add", add), ("Check", check))
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tke.eni.v1.Cni", handlers),))
        server.add_insecure_port(f"unix:{plugin.socket}")
        await server.start()
        outcomes = [
            await asyncio.to_thread(plugin.run, verb, b"0123456789") for verb in ("ADD", "CHECK", "GC")
        ]
        await server.stop(None)
        return outcomes

    added, checked, collected = asyncio.run(serve())

    assert (added.stdout, added.exit_code) == (b"0123456789" * 10_000, 1)
    assert "gRPC status 9 FAILED_PRECONDITION: 50% done" in checked.error["msg"]
    assert "gRPC status 12 UNIMPLEMENTED" in collected.error["msg"]
