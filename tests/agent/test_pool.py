"""The pool against the region: what is bought, given back, refused, and who is told."""

import time

import pytest

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def calls(node):
    return node.admin.get("/audit")["calls"]


def small_subnet(cidr):
    return {"vpc": {"subnets": [{"subnet_id": "subnet-demo0001", "cidr": cidr}]}}


def test_pod_from_the_warm_pool_needs_no_cloud_call(own_node):
    node = own_node.begin("--ip-min-warm-target=2", "--ip-max-warm-target=20", warm=2)
    # A few Pods that have come and gone leave more than the minimum behind.
    for number in range(3):
        _, sandbox = node.pod_and_sandbox(f"earlier-{number}")
        node.call("add", sandbox)
        node.delete_pod(sandbox)
    node.eventually("warm", lambda: node.pool()["warm"] >= 4 and not node.pool()["cooling"])
    _, sandbox = node.pod_and_sandbox("cheap")
    before = calls(node)

    began = time.monotonic()
    code, _ = node.call("add", sandbox)
    took = time.monotonic() - began
    node.call("del", sandbox)

    assert code == 0
    assert calls(node) == before
    assert took < 1


def test_burst_beyond_the_pool_is_served_by_more_addresses_and_enis(own_node):
    # 15 Pods and 3 warm addresses are what two ENIs of 9 addresses have.
    targets = ("--ip-min-warm-target=3", "--ip-max-warm-target=3")
    node = own_node.begin(*targets, region={"instances": [{"instance_type": "S5.LARGE8", "public_ip": True}]})
    sandboxes = [node.pod_and_sandbox(f"burst-{number}")[1] for number in range(15)]

    outcomes, _ = node.runtime.run_all("ADD", sandboxes)

    ips = [outcome.ip() for outcome in outcomes]
    assert len(set(ips)) == 15
    enis = node.ctl("enis")["enis"]
    assert len(enis) == 2
    assert max(eni["addresses"] for eni in enis) == 9


def test_surplus_goes_back_to_the_subnet_and_leaves_min_to_max(own_node):
    slow = "--ip-release-interval=1s"
    node = own_node.begin("--ip-min-warm-target=1", "--ip-max-warm-target=2", slow, warm=1)
    sandboxes = [node.pod_and_sandbox(f"p{number}")[1] for number in range(4)]
    for sandbox in sandboxes:
        node.call("add", sandbox)
    for sandbox in sandboxes:
        node.delete_pod(sandbox)

    node.eventually("two are left", lambda: node.pool()["total"] == 2, seconds=30)

    assert node.pool()["warm"] == 2
    enis = [e for e in node.cloud.describe_enis(node.node.instance_id) if not e.primary]
    assert sum(len(eni.addresses) - 1 for eni in enis) == 2


def test_surplus_that_may_not_be_given_back_goes_on_serving(own_node):
    slow = "--ip-release-interval=1s"
    node = own_node.begin("--ip-min-warm-target=0", "--ip-max-warm-target=0", slow, warm=0)
    deny = {"allow": ["*"], "deny": ["*:UnassignPrivateIpAddresses"]}
    node.admin.post("/policies/IPAMDofTKE_QCSRole", deny)
    _, first = node.pod_and_sandbox("first")
    ip = ip_of(node.call("add", first)[1])
    node.delete_pod(first)
    node.eventually("refused", lambda: "UnassignPrivateIpAddresses" in node.pool()["activity"])
    node.eventually("warm again", lambda: node.pool()["warm"] == 1)

    _, second = node.pod_and_sandbox("second")
    code, result = node.call("add", second)

    assert (code, ip_of(result)) == (0, ip)


def test_full_subnet_is_told_to_the_pod_with_code_and_request_id(own_node):
    node = own_node.begin("--ip-min-warm-target=1", region=small_subnet("10.0.1.0/28"), warm=1)
    outcomes = []
    for number in range(14):
        _, sandbox = node.pod_and_sandbox(f"p{number}")
        outcomes.append(node.call("add", sandbox))

    refused = [answer for code, answer in outcomes if code]

    # Of 16 addresses the cloud keeps three, the node and its ENI have one each: every other one is a Pod's.
    assert len(outcomes) - len(refused) == 11
    assert refused[-1]["code"] == 11
    assert "ResourceInsufficient.Subnet" in refused[-1]["msg"] or "can take another ENI" in refused[-1]["msg"]
    assert any("subnet" in problem.lower() for problem in node.status()["problems"])
    # A node with running Pods stays ready: an unready one would have its Pods evicted.
    assert node.call("status")[0] == 0


def test_lost_answer_of_an_assignment_costs_no_address(own_node):
    node = own_node.begin()
    fault = {"kind": "timeout_after", "action": "AssignPrivateIpAddresses", "count": 1, "seconds": 0}
    node.admin.post("/faults", {"add": [fault]})
    _, sandbox = node.pod_and_sandbox("lucky")

    assert node.call("add", sandbox)[0] == 0

    node.eventually("full again", lambda: node.pool()["warm"] == 5)
    enis = [e for e in node.cloud.describe_enis(node.node.instance_id) if not e.primary]
    assert sum(len(eni.addresses) - 1 for eni in enis) == node.pool()["total"] == 6


def test_kill_while_an_eni_is_created_leaves_one_eni(own_node):
    node = own_node
    node.options = ["--log-level=debug", "--ip-cooldown=1s"]
    node.start_region({"latencies": {"scale": 5}})
    node.start_agent(options=node.options)
    node.eventually("the ENI is ordered", lambda: "CreateAndAttachNetworkInterface" in calls(node))

    node.kill(node.agent)
    node.start_agent(options=node.options)
    node.wait_until_ready(warm=5, seconds=60)

    assert len(node.ctl("enis")["enis"]) == 1
    state = node.cloud_state()["cloud"]
    assert len(state["enis"]) == 2


def test_eni_of_somebody_else_is_left_alone(own_node):
    node = own_node.begin()
    status = node.status()
    order = {
        "VpcId": status["vpcId"],
        "SubnetId": status["subnetId"],
        "InstanceId": status["instanceId"],
        "NetworkInterfaceName": "operator",
        "SecondaryPrivateIpAddressCount": 3,
    }
    reply = node.cloud._session.call("CreateAndAttachNetworkInterface", order)
    foreign = reply.body["NetworkInterface"]["NetworkInterfaceId"]
    node.eventually("attached", lambda: len(node.cloud.describe_enis(status["instanceId"])) == 3)
    node.stop(node.agent)

    node.start_again()

    assert foreign not in [eni["eniId"] for eni in node.ctl("enis")["enis"]]
    assert node.pool()["limit"] == status["pool"]["limit"] - 29
    assert node.pool()["total"] == 5
