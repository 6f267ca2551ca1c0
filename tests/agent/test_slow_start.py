"""A start that waits for the metadata service says so, to the kubelet and to an operator."""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.executed]
NOWHERE = "--metadata-url=http://127.0.0.1:9"
HEALTH = "127.0.0.1:18933"


def readiness(node):
    """What /readyz says; the address is of the node's namespace."""
    argv = ["nsenter", f"--net=/run/netns/{node.node.netns}", "curl", "-s", f"http://{HEALTH}/readyz"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def status(node):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), "status"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_a_start_that_waits_for_the_metadata_service_says_so(own_node):
    own_node.begin_region()
    own_node.start_agent(options=[NOWHERE, f"--health-address={HEALTH}"])

    own_node.eventually("waiting", lambda: "it waits for" in readiness(own_node))
    said = readiness(own_node)
    asked = status(own_node)

    for text in (said, asked.stderr):
        assert "starting, step 2 of 5 for " in text
        assert "metadata" in text
    assert asked.returncode == 3

    own_node.stop(own_node.agent)
    assert "no agent answers" in status(own_node).stderr


def test_a_start_that_is_over_leaves_no_file(own_node):
    node = own_node.begin(f"--health-address={HEALTH}")

    assert not node.socket.with_name(f"{node.socket.name}.start").exists()
    assert readiness(node) == "ok"
