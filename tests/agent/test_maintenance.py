"""ipamctl check, repair and bundle against a real agent: what is wrong is named, and mended on request."""

import json
import subprocess
import sys
import tarfile

import pytest

from tests.agent.conftest import AgentBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def ctl(node, *arguments):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(node.socket), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def slow_node(tmp_path_factory):
    """A node whose own rounds are far apart."""
    with AgentBed(tmp_path_factory.mktemp("slow")) as bed:
        yield bed.begin("--repair-interval=1h", "--cloud-check-interval=1h")


def test_a_node_that_is_well_is_said_to_be(slow_node):
    done = ctl(slow_node, "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is wrong" in done.stdout


def test_check_names_what_is_wrong_and_repair_mends_it(slow_node):
    _, sandbox = slow_node.pod_and_sandbox("broken")
    _, result = slow_node.call("add", sandbox)
    veth = result["interfaces"][0]["name"]
    slow_node.eventually("settled", lambda: ctl(slow_node, "check").returncode == 0)
    # Neither is told by the kernel, and so neither is mended before the next round.
    slow_node.on_node("sysctl", "-qw", f"net.ipv6.conf.{veth}.disable_ipv6=0")
    slow_node.on_node("ip", "netns", "exec", sandbox.netns, "ip", "route", "flush", "dev", "eth0")

    found = ctl(slow_node, "check", "-o", "json")

    assert found.returncode == 1
    problems = json.loads(found.stdout)["problems"]
    assert any("default/broken" in p and "takes part in IPv6" in p for p in problems)
    assert any("default/broken" in p and "has lost the default route" in p for p in problems)

    assert ctl(slow_node, "repair").returncode == 0
    inside = slow_node.on_node("ip", "netns", "exec", sandbox.netns, "ip", "route")
    assert "default via 169.254.1.1" in inside
    slow_node.delete_pod(sandbox)


def test_repair_looks_at_the_cloud_too(slow_node):
    before = slow_node.admin.get("/audit")["calls"].get("DescribeNetworkInterfaces", 0)

    assert ctl(slow_node, "repair").returncode == 0

    assert slow_node.admin.get("/audit")["calls"]["DescribeNetworkInterfaces"] > before


def test_a_bundle_has_what_the_agent_sees_of_the_kernel(slow_node, tmp_path):
    _, sandbox = slow_node.pod_and_sandbox("bundled")
    _, result = slow_node.call("add", sandbox)
    path = tmp_path / "b.tar.gz"

    assert ctl(slow_node, "bundle", "--file", str(path)).returncode == 0

    with tarfile.open(path) as archive:
        parts = {
            m.name.partition("/")[2]: archive.extractfile(m).read().decode() for m in archive.getmembers()
        }
    kernel = json.loads(parts["kernel.json"])
    assert ip_of(result) in kernel["pod_marks"]
    assert {"family": "ip", "name": "tke_eni"}.items() <= table_of(parts["nft.json"]).items()
    assert {"family": "ip6", "name": "tke_eni"}.items() <= table_of(parts["nft-ip6.json"]).items()
    assert any(p["name"] == "bundled" for p in json.loads(parts["pods.json"])["pods"])
    slow_node.delete_pod(sandbox)


def table_of(listing):
    return next(part["table"] for part in json.loads(listing) if "table" in part)


def test_without_an_agent_the_command_says_so(tmp_path):
    argv = [sys.executable, "-m", "ipamd.ctl", "--socket", str(tmp_path / "none"), "repair"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "no agent answers" in done.stderr
