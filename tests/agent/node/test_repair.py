"""The node mends itself within a repair period, and touches only what is its own."""

import re
import subprocess
from datetime import UTC, datetime

import pytest

from testbed import probes

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


@pytest.fixture
def pod(node, request):
    _, sandbox = node.pod_and_sandbox(re.sub("[^a-z0-9]+", "-", request.node.name.lower())[-50:].strip("-"))
    code, result = node.call("add", sandbox)
    assert code == 0
    sandbox_ip = ip_of(result)
    yield sandbox, sandbox_ip, result
    node.delete_pod(sandbox)


def test_policy_rules_that_were_flushed_come_back(node, pod):
    rules = node.on_node("ip", "rule")
    assert "suppress_prefixlength" in rules
    assert "fwmark 0x2000000/0x3f000000" in rules
    node.on_node("ip", "rule", "flush")
    node.on_node("ip", "rule", "add", "priority", "32766", "lookup", "main")

    for rule in ("suppress_prefixlength", "fwmark 0x2000000/0x3f000000"):
        node.eventually(rule, lambda rule=rule: rule in node.on_node("ip", "rule"))


def test_table_of_an_eni_that_was_flushed_comes_back(node, pod):
    (eni,) = [e for e in node.ctl("enis")["enis"] if e["inUse"]]
    table = str(eni["routeTable"])
    node.on_node("ip", "route", "flush", "table", table)

    def routes():
        return node.on_node("ip", "route", "show", "table", table)

    node.eventually("default route", lambda: "default via" in routes())


def test_nft_table_that_was_deleted_comes_back_with_every_pod_in_it(node, pod):
    _, ip, _ = pod
    node.on_node("nft", "delete", "table", "ip", "tke_eni")

    node.eventually("the Pod's element", lambda: ip in _nft(node), seconds=20)


def test_route_of_a_pod_that_was_removed_comes_back_and_traffic_with_it(node, pod):
    sandbox, ip, _ = pod
    node.on_node("ip", "route", "del", f"{ip}/32")

    node.eventually("route", lambda: f"{ip} dev eni" in node.on_node("ip", "route"), seconds=20)
    with probes.SourceReporter(sandbox.netns):
        assert probes.seen_source(node.node.netns, ip)


def test_forwarding_that_was_switched_off_is_switched_on_again(node, pod):
    node.on_node("sysctl", "-qw", "net.ipv4.ip_forward=0")

    node.eventually("forwarding", lambda: node.on_node("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1")


def test_a_link_that_was_made_to_take_part_in_ipv6_leaves_it_again(node, pod):
    sandbox, _, result = pod
    (host,) = [i["name"] for i in result["interfaces"] if not i.get("sandbox")]
    setting = f"net.ipv6.conf.{host}.disable_ipv6"
    assert node.on_node("sysctl", "-n", setting).strip() == "1"
    node.on_node("sysctl", "-qw", f"{setting}=0")

    code, error = node.call("check", sandbox, conf={"prevResult": result})
    assert (code, error["code"]) == (1, 101)
    assert "takes part in IPv6" in error["msg"]
    node.eventually("left", lambda: node.on_node("sysctl", "-n", setting).strip() == "1", seconds=20)


@pytest.mark.parametrize("change", ["down and up", "down, another MAC, up"])
def test_a_pod_whose_link_was_down_has_its_network_again(node, pod, change):
    """As plugins do that are chained after ours, for instance CNI's tuning with `mac`."""
    sandbox, ip, _ = pod
    inside = ("ip", "netns", "exec", sandbox.netns)
    mac = ("link", "set", "eth0", "address", "02:00:00:00:00:01") if "MAC" in change else ("link", "show")
    for command in (("link", "set", "eth0", "down"), mac, ("link", "set", "eth0", "up")):
        subprocess.run([*inside, "ip", *command], check=True, capture_output=True)

    with probes.SourceReporter(node.node.netns):
        node.eventually(
            "traffic", lambda: probes.seen_source(sandbox.netns, node.node.private_ip) == ip, seconds=20
        )
    said = f"the Pod at {ip} has back what its link had lost"
    node.eventually("said", lambda: said in node.log(), seconds=10)


def test_leftovers_of_nobody_are_removed_and_strangers_are_not_touched(node, pod):
    node.on_node("ip", "route", "add", "192.0.2.77", "dev", "lo")
    node.on_node("nft", "add", "table", "ip", "somebody_elses")
    element = "{ 10.0.1.199 : goto " + _a_pod_chain(node) + " }"
    node.on_node("nft", "add", "element", "ip", "tke_eni", "pods", element)

    node.eventually("leftover removed", lambda: "10.0.1.199" not in _nft(node), seconds=20)
    assert "192.0.2.77" in node.on_node("ip", "route")
    assert "somebody_elses" in node.on_node("nft", "list", "tables")
    node.on_node("ip", "route", "del", "192.0.2.77")
    node.on_node("nft", "delete", "table", "ip", "somebody_elses")


def test_pod_whose_link_is_gone_is_reported_and_its_next_sandbox_works(node, pod):
    sandbox, ip, result = pod
    node.eventually("not young any more", lambda: _age(node, sandbox) > 10, seconds=20)
    node.on_node("ip", "link", "del", result["interfaces"][0]["name"])

    node.eventually("reported", lambda: any(ip in p for p in node.status()["problems"]), seconds=10)
    told = lambda: [e["reason"] for e in node.workloads.events(regarding=sandbox.pod_name)]  # noqa: E731
    node.eventually("the Pod is told", lambda: "NetworkLost" in told())
    again = node.runtime.new_sandbox(pod=node.workloads.pod(sandbox.pod_name))
    code, second = node.call("add", again)
    assert (code, ip_of(second)) == (0, ip)
    node.eventually("no problem", lambda: node.status()["problems"] == [], seconds=20)
    node.delete_pod(again)


def test_pod_that_went_away_without_a_del_is_swept_when_its_link_is_gone_too(node):
    _, sandbox = node.pod_and_sandbox("swept")
    node.call("add", sandbox)
    node.workloads.remove_pod("swept")
    node.eventually("not young any more", lambda: _age(node, sandbox) > 10, seconds=20)
    assert "swept" in node.pods()

    node.runtime.remove_sandbox(sandbox)

    node.eventually("swept", lambda: "swept" not in node.pods())


def _nft(node):
    return node.on_node("nft", "list", "ruleset")


def _a_pod_chain(node):
    """The name of the chain that packets of Pods of an ENI go to."""
    return next(word for word in _nft(node).replace("\n", " ").split() if word.startswith("pod_0x"))


def _age(node, sandbox):
    """Seconds since the Pod got its address: young Pods are left alone by the repair."""
    added = datetime.fromisoformat(node.pods()[sandbox.pod_name]["addedAt"])
    return (datetime.now(UTC) - added).total_seconds()
