"""What somebody else takes away is noticed within a period: mended, or said to whom it concerns."""

import time

import pytest

from ipamd.core import model
from ipamd.core.claim.eipclaim import BOUND, condition
from ipamd.core.timing.deadline import Deadline
from testbed.probes import SourceReporter, seen_source

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

BIND = (model.EipStatus.BIND, model.EipStatus.BIND_ENI)


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def soon():
    return Deadline.after(30.0, time.monotonic)


def messages(node, pod, reason):
    events = node.workloads.events(regarding=pod)
    return [event["message"] for event in events if event["reason"] == reason]


def add(node, name):
    _, sandbox = node.pod_and_sandbox(name)
    code, result = node.call("add", sandbox)
    assert code == 0
    return sandbox, ip_of(result)


def test_an_eip_that_was_unbound_from_outside_is_bound_again_and_traffic_has_it_again(node):
    _, sandbox, eip = node.pod_with_eip("unbound")
    assert node.call("add", sandbox)[0] == 0
    with SourceReporter(node.internet_netns):
        assert seen_source(sandbox.netns, node.internet_hosts[0]) == eip.public_ip

        node.cloud.disassociate_eip(eip.eip_id)
        node.eventually("it is loose", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)

        node.eventually("it is bound again", lambda: node.eip(eip.eip_id).status in BIND)
        node.eventually(
            "traffic", lambda: seen_source(sandbox.netns, node.internet_hosts[0]) == eip.public_ip
        )
    node.eventually("told", lambda: messages(node, "unbound", "EIPUnbound"))
    (message,) = messages(node, "unbound", "EIPUnbound")
    assert eip.eip_id in message
    node.delete_pod(sandbox)


def test_an_eip_that_was_released_from_outside_is_reported_and_its_successor_taken(node):
    pod, sandbox, eip = node.pod_with_eip("released")
    assert node.call("add", sandbox)[0] == 0
    # Else the agent may have bound it again before it is released.
    node.admin.post("/faults", {"add": [{"kind": "busy", "action": "AssociateAddress", "count": None}]})
    node.cloud.disassociate_eip(eip.eip_id)
    node.eventually("it is loose", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    node.cloud.release_eip(eip.eip_id)
    node.eventually("it is gone", lambda: node.eip(eip.eip_id) is None)
    node.admin.post("/faults", {"clear": True})

    node.eventually("reported", lambda: messages(node, "released", "FailedAssociateEIP"))
    (entry,) = [e for e in node.ctl("eips")["eips"] if e["name"] == "released"]
    assert eip.eip_id in entry["lastError"]

    another = node.allocate("successor")
    node.serve(pod, another)  # what the controller does when it has noticed
    node.eventually("its successor is bound", lambda: node.eip(another.eip_id).status in BIND, seconds=40)
    with SourceReporter(node.internet_netns):
        assert seen_source(sandbox.netns, node.internet_hosts[0]) == another.public_ip
    node.delete_pod(sandbox)


def test_an_eip_that_somebody_else_bound_to_a_pods_address_is_left_alone_until_they_take_it(node):
    pod, sandbox = node.pod_and_sandbox("by-hand")
    code, result = node.call("add", sandbox)
    assert code == 0
    (eni_id,) = [a["eniId"] for a in node.ctl("pods")["pods"] if a["name"] == "by-hand"]
    foreign = node.allocate("strange", cluster="cls-other")
    node.cloud.associate_eip(foreign.eip_id, eni_id, ip_of(result))
    node.eventually(
        "it is recorded", lambda: foreign.eip_id in {e["eipId"] for e in node.ctl("eips")["eips"]}
    )
    own = node.allocate("by-hand")

    node.claim(pod, eip=own)

    def told():
        return [m for m in messages(node, "by-hand", "FailedDisassociateEIP") if own.eip_id in m]

    node.eventually("the Pod is told", told, seconds=60)
    for part in (f"unbind {foreign.eip_id}", ip_of(result), "left alone"):
        assert part in told()[0]
    said = lambda: condition(node.read_claim("by-hand").conditions, BOUND)  # noqa: E731
    node.eventually("the claim says why", lambda: said().get("reason") == "BindFailed")
    assert node.eip(foreign.eip_id).private_ip == ip_of(result)
    node.cloud.disassociate_eip(foreign.eip_id)
    node.eventually("its own is bound", lambda: node.eip(own.eip_id).status in BIND, seconds=60)
    node.delete_pod(sandbox)


def test_an_address_that_was_taken_away_is_reported_and_given_to_nobody(node):
    sandbox, ip = add(node, "robbed")
    (entry,) = [p for p in node.ctl("pods")["pods"] if p["name"] == "robbed"]

    def is_told():
        """The pool takes one in the place of what the Pod got: it may get this one again."""
        listed = node.cloud.describe_enis(node.node.instance_id, soon())
        if any(ip in (address.ip for address in eni.addresses) for eni in listed):
            node.cloud.unassign_ips(entry["eniId"], [ip], soon())
        return messages(node, "robbed", "AddressLost")

    node.eventually("reported", is_told)
    (message,) = messages(node, "robbed", "AddressLost")
    assert ip in message
    assert entry["eniId"] in message
    assert any(ip in problem for problem in node.status()["problems"])
    assert node.pods()["robbed"]["privateIp"] == ip  # quarantined, not dropped
    others = [add(node, f"other-{number}") for number in range(2)]
    assert ip not in [other for _, other in others]

    node.delete_pod(sandbox)
    for other, _ in others:
        node.delete_pod(other)
    node.eventually("no problem", lambda: not any(ip in p for p in node.status()["problems"]))


def test_an_eni_that_was_detached_is_reported_and_new_pods_get_another(own_node):
    node = own_node.begin("--ip-cooldown=1s")
    _, ip = add(node, "left-behind")
    (eni,) = [e for e in node.ctl("enis")["enis"] if e["inUse"]]
    node.pool_at_rest()

    node.detach_eni(eni["eniId"])

    node.eventually("reported", lambda: messages(node, "left-behind", "AddressLost"), seconds=20)
    (message,) = messages(node, "left-behind", "AddressLost")
    assert ip in message
    assert any(eni["eniId"] in problem for problem in node.status()["problems"])
    # That the link went is seen first; the cloud is asked at once, and names the cause.
    explain = lambda: node.ctl("explain", "pod", "left-behind")  # noqa: E731
    node.eventually(
        "one cause", lambda: ["does not list it" in wrong for wrong in explain()["wrong"]] == [True]
    )
    told = explain()
    assert told["next"].startswith("nothing by itself: attach it to this CVM again")
    sights = {sight["what"]: sight for sight in told["sights"]}
    assert not sights[f"ENI {eni['eniId']}"]["ok"]
    problems = [found for found in node.ctl("check")["findings"] if found["severity"] == "error"]
    assert [(found["code"], found["repairable"]) for found in problems] == [("EniMissing", False)]
    node.eventually("another ENI has addresses", lambda: node.pool()["warm"] > 0, seconds=30)
    after, other = add(node, "after")
    assert other != ip
    assert node.pods()["after"]["eniId"] != eni["eniId"]
    with SourceReporter(after.netns):
        assert seen_source(node.node.netns, other)


def test_a_link_that_goes_has_the_cloud_asked_at_once(own_node):
    node = own_node.begin("--cloud-check-interval=1h")
    add(node, "left-behind")
    (eni,) = [e for e in node.ctl("enis")["enis"] if e["inUse"]]
    node.ctl("pool", "freeze")  # else the pool would look

    node.detach_eni(eni["eniId"])

    node.eventually(
        "known", lambda: [e["state"] for e in node.ctl("enis")["enis"] if e["inUse"]] == ["MISSING"]
    )


OURS = ["512", "1024", "1536"]


def test_a_networkd_that_takes_all_it_does_not_know_is_outlived_and_strangers_stay_as_they_are(node):
    """Our policy rules, routes and nft table go, the Pod's link is set down, forwarding is switched off."""
    sandbox, ip = add(node, "survivor")
    result_link = next(e for e in node.ctl("pods")["pods"] if e["name"] == "survivor")["hostInterface"]
    node.on_node("ip", "link", "add", "theirs0", "type", "veth", "peer", "name", "theirs1")
    node.on_node("ip", "route", "add", "192.0.2.0/24", "dev", "lo", "table", "77")
    node.on_node("ip", "rule", "add", "priority", "600", "from", "192.0.2.1", "lookup", "77")
    node.on_node("nft", "add", "table", "inet", "theirs")
    node.on_node("nft", "add", "set", "inet", "theirs", "pods", "{ type ipv4_addr; elements = { 10.0.1.1 } }")
    before = strangers(node)

    for priority in OURS:
        while any(line.startswith(f"{priority}:") for line in node.on_node("ip", "rule").splitlines()):
            node.on_node("ip", "rule", "del", "priority", priority)
    node.on_node("ip", "route", "flush", "table", "all", "proto", "116")
    node.on_node("ip", "link", "set", result_link, "down")
    node.on_node("nft", "delete", "table", "ip", "tke_eni")
    node.on_node("sysctl", "-qw", "net.ipv4.ip_forward=0")

    def whole():
        rules, routes = node.on_node("ip", "rule"), node.on_node("ip", "route", "show", "table", "all")
        return all(f"{p}:" in rules for p in OURS) and f"{ip} dev {result_link}" in routes

    node.eventually("rules and routes", whole, seconds=20)
    node.eventually("nft", lambda: ip in node.on_node("nft", "list", "ruleset"), seconds=20)
    node.eventually("answers", lambda: _answers(node, sandbox, ip), seconds=20)
    node.eventually(
        "forwarding", lambda: node.on_node("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1", seconds=20
    )
    assert strangers(node) == before
    node.on_node("ip", "link", "del", "theirs0")
    node.on_node("ip", "rule", "del", "priority", "600")
    node.on_node("ip", "route", "flush", "table", "77")
    node.on_node("nft", "delete", "table", "inet", "theirs")
    node.delete_pod(sandbox)


def _answers(node, sandbox, ip):
    with SourceReporter(sandbox.netns):
        return bool(seen_source(node.node.netns, ip, seconds=1.0))


def strangers(node):
    """Everything of others on the node, byte for byte as the tools print it."""
    return [
        [line for line in node.on_node("ip", "rule").splitlines() if "proto 116" not in line],
        node.on_node("ip", "route", "show", "table", "77"),
        [
            line
            for line in node.on_node("ip", "route").splitlines()
            if "proto 116" not in line and "dev eni" not in line
        ],
        node.on_node("nft", "list", "table", "inet", "theirs"),
        node.on_node("ip", "-o", "link", "show", "theirs0"),
    ]


def test_a_cloud_that_does_not_answer_for_a_moment_costs_nothing_and_alarms_nobody(node):
    sandbox, ip = add(node, "steady")
    node.admin.post(
        "/faults", {"add": [{"kind": "error", "action": "DescribeNetworkInterfaces", "count": 3}]}
    )
    node.eventually("faults are used up", lambda: not node.admin.post("/faults", {})["in_force"])
    assert node.pods()["steady"]["privateIp"] == ip
    assert messages(node, "steady", "AddressLost") == []
    node.delete_pod(sandbox)
