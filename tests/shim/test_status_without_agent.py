"""STATUS while the agent does not answer: its last answer stands, as long as that serves the node's Pods.

An error would make the Node unready at once, and its Pods would leave their Services and be evicted.
"""

import json
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from ipamd.core import names
from tests.shim.conftest import build_plugin

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
FULL = json.dumps({"cniVersion": "1.1.0", "code": 50, "msg": "no address", "details": "free some"}).encode()


@pytest.fixture
def node():
    """A network namespace in the place of the node's; returns its name."""
    name = f"shim-{uuid.uuid4().hex[:8]}"
    ip("netns", "add", name)
    yield name
    ip("netns", "delete", name)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)


def wire_pod(node):
    """Make the link that the agent makes for a Pod."""
    ip("-n", node, "link", "add", names.host_veth("shop", "web-0"), "type", "veth", "peer", "name", "pod")


def status(plugin, node, **environment):
    shell = f'exec /sbin/ip netns exec {node} "$0"'
    return plugin.finish(plugin.start("STATUS", shell=shell, **environment))


def answered(plugin, *, seconds_ago, boot_id=BOOT_ID, word="served"):
    """Write down an answer of the agent as the plugin does."""
    record = f"{word} {boot_id} {time.monotonic() - seconds_ago:.0f}\n"
    plugin.socket.with_name("last-status").write_text(record)


def test_an_agent_that_has_answered_may_be_away_for_minutes(plugin, node, start_agent):
    agent = start_agent()
    assert status(plugin, node).exit_code == 0
    agent.stop().wait()

    outcome = status(plugin, node)

    assert (outcome.exit_code, outcome.stdout) == (0, b"")


def test_an_agent_that_hangs_counts_as_away_and_holds_nobody_up(plugin, node, agent):
    """A kubelet whose runtime does not answer for half a minute takes the node out by itself."""
    assert status(plugin, node).exit_code == 0
    _, released = agent.hold()

    outcome = status(plugin, node)
    released.set()

    assert outcome.exit_code == 0
    assert outcome.seconds < 20


def test_an_agent_that_has_never_answered_since_the_boot_gets_the_node_no_pods(plugin, node):
    error = status(plugin, node).error

    assert error["code"] == 50
    assert "it has not answered since the node booted" in error["msg"]


def test_what_was_answered_before_the_node_booted_does_not_count(plugin, node):
    answered(plugin, seconds_ago=1, boot_id=str(uuid.uuid4()))

    assert status(plugin, node).error["code"] == 50


def test_an_empty_node_is_given_up_after_minutes(plugin, node):
    answered(plugin, seconds_ago=299)
    assert status(plugin, node).exit_code == 0

    answered(plugin, seconds_ago=302)
    error = status(plugin, node).error

    assert error["code"] == 50
    assert "it has been away for 30" in error["msg"]


def test_how_long_is_a_setting(plugin, node):
    answered(plugin, seconds_ago=100)

    assert status(plugin, node, TKE_ENI_STATUS_PATIENCE="90").error["code"] == 50
    assert (
        "TKE_ENI_STATUS_PATIENCE is '-1'" in status(plugin, node, TKE_ENI_STATUS_PATIENCE="-1").error["msg"]
    )


def test_the_setting_can_be_built_in(plugin, node, tmp_path):
    plugin.file = tmp_path / "built"
    build_plugin(plugin.file, "--status-patience", "90")
    answered(plugin, seconds_ago=100)

    assert status(plugin, node).error["code"] == 50


def test_a_node_whose_pods_run_stays_in_service_however_long_the_agent_is_away(plugin, node):
    wire_pod(node)

    assert status(plugin, node).exit_code == 0

    answered(plugin, seconds_ago=100_000)
    assert status(plugin, node).exit_code == 0


def test_links_of_others_are_not_pods(plugin, node):
    ip("-n", node, "link", "add", "eni0", "type", "veth", "peer", "name", "eth7")

    assert status(plugin, node).error["code"] == 50


def test_a_refusal_stands_as_well(plugin, node, start_agent):
    wire_pod(node)
    agent = start_agent()
    agent.reply_with(FULL, 1)
    assert status(plugin, node).error["msg"] == "no address"
    agent.stop().wait()

    error = status(plugin, node).error

    assert error["code"] == 50
    assert "the last thing that it said was that the node cannot take Pods" in error["msg"]


def test_a_refusal_of_an_empty_node_is_over_with_its_first_pod(plugin, node, start_agent):
    """The agent died between the ADD and the next STATUS."""
    agent = start_agent()
    agent.reply_with(FULL, 1)
    assert status(plugin, node).error["code"] == 50
    agent.stop().wait()
    assert "cannot take Pods" in status(plugin, node).error["msg"]

    wire_pod(node)

    assert (status(plugin, node).exit_code, status(plugin, node).stdout) == (0, b"")


def test_the_agents_next_answer_counts_again(plugin, node, agent):
    answered(plugin, seconds_ago=1, word="refused")

    assert status(plugin, node).exit_code == 0
    assert plugin.socket.with_name("last-status").read_text().split()[:2] == ["served", BOOT_ID]


@pytest.mark.parametrize(
    "content", ["", "served", "served now or never", "\x00" * 300, f"served {BOOT_ID} x"]
)
def test_a_record_that_is_none_counts_as_no_answer(plugin, node, content):
    plugin.socket.with_name("last-status").write_text(content)

    assert status(plugin, node).error["code"] == 50


def test_a_record_that_cannot_be_written_is_no_failure(plugin, node, agent):
    plugin.socket.with_name("last-status").mkdir()

    assert status(plugin, node).exit_code == 0
    assert sorted(path.name for path in plugin.socket.parent.iterdir()) == ["ipamd.sock", "last-status"]
