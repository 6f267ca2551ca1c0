"""What a gRPC status other than OK becomes in front of a runtime."""

import grpc
import pytest

FAILURES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
TRANSIENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED")


@pytest.mark.parametrize("code", FAILURES)
def test_add_is_to_be_repeated_when_the_status_is_transient(plugin, agent, code):
    agent.abort_with(code, "the pool is closed")

    error = plugin.run("ADD", b'{"cniVersion": "0.4.0"}').error

    assert error["cniVersion"] == "0.4.0"
    assert error["code"] == (11 if code.name in TRANSIENT else 999)
    assert f"gRPC status {code.value[0]} {code.name}: the pool is closed" in error["msg"]
    assert str(plugin.socket) in error["msg"]
    assert "tke-eni-agent" in error["details"]


@pytest.mark.parametrize("code", FAILURES)
def test_status_says_that_the_plugin_is_not_available(plugin, agent, code):
    agent.abort_with(code, "")

    assert plugin.run("STATUS").error["code"] == 50


@pytest.mark.parametrize(
    "message",
    ['say "no"\n\tand \\ go', "100% sure %41 %zz %2", "网卡 eni-1 已满", "\x01\x7f\u2028", "", "x" * 2000],
)
def test_the_message_is_read_as_the_real_client_reads_it(plugin, agent, oracle, message):
    agent.abort_with(grpc.StatusCode.INTERNAL, message)

    error = plugin.run("ADD").error
    with pytest.raises(grpc.RpcError) as raised:
        oracle("ADD", b"")

    assert raised.value.details() == message
    assert error["msg"].endswith(f"gRPC status 13 INTERNAL: {message}")


def test_a_message_without_end_is_cut(plugin, agent):
    agent.abort_with(grpc.StatusCode.INTERNAL, "word " * 1500)

    message = plugin.run("ADD").error["msg"]

    assert 4000 < len(message) < 4200
    assert message.endswith("...")


def test_a_configuration_that_the_server_refuses_is_an_error(plugin, agent):
    # One gRPC message may have 4 MiB; the environment comes on top of the configuration.
    error = plugin.run("GC", b" " * (4 << 20)).error

    assert error["code"] == 11
    assert "RESOURCE_EXHAUSTED" in error["msg"]


def test_an_agent_that_stops_during_the_call_asks_for_a_retry(plugin, agent):
    inside, released = agent.hold()
    process = plugin.start("ADD")
    assert inside.wait(10)

    stopped = agent.stop()
    outcome = plugin.finish(process)
    released.set()
    stopped.wait()

    assert outcome.error["code"] == 11


def test_an_agent_that_stops_with_grace_still_answers(plugin, agent):
    inside, released = agent.hold(b"late")
    process = plugin.start("ADD")
    assert inside.wait(10)

    stopped = agent.stop(grace=10)
    released.set()
    outcome = plugin.finish(process)
    stopped.wait()

    assert (outcome.stdout, outcome.exit_code) == (b"late", 0)
