"""One deadline covers the whole call, and the agent knows it."""

import itertools
import socket
import threading
import time

import pytest

from cni_plugin import unary


def test_the_deadline_travels_and_ends_the_call(plugin, agent):
    _, released = agent.hold()

    outcome = plugin.run("ADD", TKE_ENI_TIMEOUT="0.5")
    released.set()

    assert 0 < agent.calls[0].time_remaining <= 0.5
    assert 0.4 < outcome.seconds < 5
    assert outcome.error["code"] == 11
    assert "DEADLINE_EXCEEDED" in outcome.error["msg"]


def test_the_agent_may_use_most_of_a_minute(plugin, agent):
    plugin.run("ADD")

    assert 50 < agent.calls[0].time_remaining <= 55


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "3601", "1h", "0x10", "\udcff"])
def test_a_timeout_that_is_none_is_named(plugin, agent, value):
    error = plugin.run("ADD", TKE_ENI_TIMEOUT=value).error

    assert error["code"] == 4
    assert error["msg"].startswith("TKE_ENI_TIMEOUT is ")
    assert "at most 3600" in error["details"]
    assert agent.calls == []


def test_single_bytes_do_not_prolong_the_call(plugin, listener):
    # A limit for each read alone would never strike.
    def drip(connection):
        for octet in itertools.cycle(b"\0\0\0\4\0\0\0\0\0"):  # SETTINGS without end
            connection.sendall(bytes((octet,)))
            time.sleep(0.02)

    listener.script = drip

    outcome = plugin.run("ADD", TKE_ENI_TIMEOUT="0.5")

    assert 0.4 < outcome.seconds < 5
    assert outcome.error["code"] == 11


def test_a_peer_that_never_reads_does_not_prolong_the_call(plugin, listener):
    released = threading.Event()

    def flood_without_reading(connection):
        # Windows as wide as they can be, so that the whole request goes out.
        connection.sendall(
            b"\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff" + b"\0\0\4\x08\0\0\0\0\0\x7f\xfe\xff\xff"
        )
        released.wait(10)

    listener.script = flood_without_reading

    outcome = plugin.run("GC", b" " * (4 << 20), TKE_ENI_TIMEOUT="0.5")
    released.set()

    assert 0.4 < outcome.seconds < 5
    assert "DEADLINE_EXCEEDED" in outcome.error["msg"]


def test_a_full_backlog_is_waited_for_until_the_deadline(plugin):
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(plugin.socket))
        listening.listen(0)
        first.connect(str(plugin.socket))

        outcome = plugin.run("ADD", TKE_ENI_TIMEOUT="0.4")

    assert 0.3 < outcome.seconds < 5
    assert outcome.error["code"] == 11
    assert "no connection was accepted in time" in outcome.error["msg"]


def test_a_connection_that_is_accepted_late_is_used(plugin, tmp_path):
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(plugin.socket))
        listening.listen(0)
        first.connect(str(plugin.socket))
        process = plugin.start("ADD", TKE_ENI_TIMEOUT="20")
        with listening.accept()[0], listening.accept()[0] as second:
            assert second.recv(3) == b"PRI"
        outcome = plugin.finish(process)

    assert "UNAVAILABLE" in outcome.error["msg"]


def test_nothing_is_tried_after_the_deadline(tmp_path):
    with pytest.raises(unary.AgentUnreachableError, match="in time"):
        unary.connect(bytes(tmp_path / "none.sock"), time.monotonic() - 1)
