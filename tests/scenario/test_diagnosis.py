"""What `ipamctl` finds out about Pods of a node that runs, against what hosts outside see."""

import json
import subprocess
import sys
from typing import Any

import pytest

from testbed import masquerade
from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source

pytestmark = [pytest.mark.scenario, pytest.mark.netns]


def ipamctl(bed: Bed, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run it with -o json; return how it ended, and what it printed."""
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(bed.socket), *arguments, "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


@pytest.fixture(scope="module")
def pods(bed):
    """A Pod with EIP and one without, on a node with ip-masq-agent."""
    masquerade.install(bed.node.netns, vpc_cidrs=["10.0.0.0/16"], iptables="iptables-nft")
    with_eip, _ = bed.add_pod("web-0", annotations={"eip-attributes": ""}, eip=True)
    without, _ = bed.add_pod("plain")
    yield with_eip, without
    for sandbox in (with_eip, without):
        bed.delete_pod(sandbox)


def test_a_trace_says_whom_an_internet_host_sees(bed, pods):
    with_eip, without = pods
    outside = bed.internet_hosts[0]
    (eip,) = [pod["publicIp"] for pod in bed.ctl("pods")["pods"] if pod["name"] == "web-0"]

    with SourceReporter(bed.internet_netns):
        code, trace = ipamctl(bed, "trace", "web-0", "--to", outside)
        assert (code, trace["seenAs"], trace["seenAddress"]) == (0, "eip", eip)
        assert seen_source(with_eip.netns, outside) == eip

        code, trace = ipamctl(bed, "trace", "plain", "--to", outside)
        assert (code, trace["seenAs"]) == (0, "node")
        assert trace["source"] == bed.node.private_ip
        assert seen_source(without.netns, outside) == bed.node.public_ip


def test_a_trace_of_a_pod_that_is_not_here_is_refused(bed):
    code, said = ipamctl(bed, "trace", "nobody")

    assert code == 4
    assert "no Pod default/nobody has an address on this node" in said["error"]


def test_a_trace_names_what_is_closed_to_pods(bed, pods):
    code, trace = ipamctl(bed, "trace", "web-0", "--to", "169.254.0.23")

    assert (code, trace["seenAs"]) == (1, "nobody")
    assert "closed to Pods" in trace["verdict"]
