"""STATUS: when the node cannot take Pods, and why; and that Pods which run are no reason to lose the node."""

import time

import pytest

from tests.agent.conftest import OPTIONS, REGION

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def no_addresses(node):
    """The cloud gives this node no ENI and no address (any more)."""
    actions = ("CreateAndAttachNetworkInterface", "CreateNetworkInterface", "AssignPrivateIpAddresses")
    fault = {"kind": "error", "code": "ResourceInsufficient.Subnet", "message": "full", "count": None}
    node.admin.post("/faults", {"add": [{**fault, "action": action} for action in actions]})


def test_a_dry_node_without_pods_is_not_available_and_says_what_the_cloud_said(own_node):
    node = own_node
    node.options = ["--repair-interval=1s", "--cloud-check-interval=1s"]
    node.start_region({"instances": [{"instance_type": "S5.16XLARGE256", "public_ip": True}]})
    no_addresses(node)
    node.start_agent(options=node.options)
    node.eventually("the agent serves", lambda: node.status().get("problems"), seconds=30)

    node.eventually("not available", lambda: node.call("status")[0] == 1, seconds=30)
    _, error = node.call("status")

    assert error["code"] == 50
    assert "no address for Pods" in error["msg"]
    assert "subnet" in (error["msg"] + error.get("details", "")).lower()


def test_an_empty_node_that_gets_no_address_for_minutes_is_not_available_until_one_comes(own_node):
    """Nothing is refused for good: the cloud's API fails, and nobody knows for how long."""
    node = own_node
    node.options = OPTIONS  # the patience is two seconds
    node.start_region(REGION)
    action = "CreateAndAttachNetworkInterface"
    node.admin.post("/faults", {"add": [{"kind": "http_500", "action": action, "count": None}]})
    node.start_agent(options=node.options)
    node.eventually("the agent serves", node.status, seconds=30)

    node.eventually("not available", lambda: node.call("status")[0] == 1, seconds=30)
    _, error = node.call("status")
    assert error["code"] == 50
    assert "no address for Pods" in error["msg"]

    node.admin.post("/faults", {"clear": True})
    node.eventually("available", lambda: node.call("status") == (0, {}), seconds=60)


def test_an_empty_node_that_is_to_keep_no_address_is_available(own_node):
    node = own_node.begin("--ip-min-warm-target=0", "--ip-max-warm-target=0", warm=0)
    until = time.monotonic() + 4.0
    while time.monotonic() < until:
        assert node.call("status") == (0, {})
        time.sleep(0.1)


def test_a_full_node_whose_pods_run_stays_ready_and_tells_people(node):
    _, sandbox = node.pod_and_sandbox("runs")
    more = [sandbox]
    assert node.call("add", sandbox)[0] == 0
    no_addresses(node)
    try:
        while node.pool()["warm"]:
            _, another = node.pod_and_sandbox(f"filler-{len(more)}")
            assert node.call("add", another)[0] == 0
            more.append(another)
        node.eventually("people are told", lambda: node.status()["problems"], seconds=30)
        assert node.call("status") == (0, {})
    finally:
        node.admin.post("/faults", {"clear": True})
        for each in more:
            node.delete_pod(each)


def test_a_node_whose_own_network_is_broken_has_limited_connectivity(node):
    link = next(
        line.split(":")[1].strip()
        for line in node.on_node("ip", "-o", "link").splitlines()
        if line.split(":")[1].strip().startswith("eth0")
    ).split("@")[0]
    mac = node.on_node("cat", f"/sys/class/net/{link}/address").strip()
    node.on_node("ip", "link", "set", link, "address", "02:00:00:00:00:99")
    try:
        node.eventually("limited", lambda: node.call("status")[0] == 1, seconds=30)
        _, error = node.call("status")
        assert error["code"] == 51
        assert mac in error["msg"]
        assert any(mac in problem for problem in node.status()["problems"])
    finally:
        node.on_node("ip", "link", "set", link, "address", mac)
    node.eventually("well again", lambda: node.call("status") == (0, {}), seconds=30)
