"""What the cloud refuses the pool, or loses on the way: what it costs, and who is told."""

import pytest

from tests.agent.conftest import OPTIONS, REGION

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def calls(node):
    return node.admin.get("/audit")["calls"]


def small_subnet(cidr):
    return {"vpc": {"subnets": [{"subnet_id": "subnet-demo0001", "cidr": cidr}]}}


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
    node.eventually("told", lambda: any("subnet" in problem.lower() for problem in node.status()["problems"]))
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


def test_lost_answers_of_an_eni_creation_cost_no_eni(own_node):
    """More of them than one request is repeated for; no look at the cloud comes to help."""
    node = own_node
    node.options = [*OPTIONS, "--cloud-check-interval=10m"]
    node.start_region(REGION)
    fault = {"kind": "timeout_after", "action": "CreateAndAttachNetworkInterface", "count": 6, "seconds": 0}
    node.admin.post("/faults", {"add": [fault]})

    node.start_again(warm=5)

    assert calls(node)["CreateAndAttachNetworkInterface"] == 7
    assert len(node.cloud_state()["cloud"]["enis"]) == 2


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
    less = status["pool"]["limit"] - 29
    node.eventually("its place is nobody's", lambda: node.pool()["limit"] == less)
    node.eventually("the pool is at rest", lambda: node.pool()["total"] == 5)


def refuse(node, action, about, code="UnsupportedOperation.InvalidState"):
    """Have the cloud refuse an action for one resource, as after a stuck task there."""
    fault = {"kind": "error", "action": action, "code": code, "message": f"{about} is being migrated"}
    node.admin.post("/faults", {"add": [{**fault, "about": about, "count": None}]})


def test_one_eni_that_the_cloud_refuses_does_not_stop_the_growth_of_the_node(own_node):
    node = own_node.begin("--add-timeout=20s")
    [sick] = node.ctl("enis")["enis"]
    refuse(node, "AssignPrivateIpAddresses", sick["eniId"])

    for number in range(12):
        _, sandbox = node.pod_and_sandbox(f"grown-{number}")
        code, answer = node.call("add", sandbox, timeout=25)
        assert code == 0, answer

    assert len(node.ctl("enis")["enis"]) > 1
    assert f"{sick['eniId']}: AssignPrivateIpAddresses failed" in node.pool()["activity"]
    node.admin.post("/faults", {"clear": True})


def test_one_subnet_that_the_cloud_refuses_does_not_stop_the_growth_of_the_node(own_node):
    subnets = [
        {"subnet_id": "subnet-demo0001", "cidr": "10.0.1.0/24"},
        {"subnet_id": "subnet-demo0002", "cidr": "10.0.2.0/25"},
    ]
    node = own_node
    node.options = [*OPTIONS, "--pod-subnets=subnet-demo0001,subnet-demo0002"]
    node.start_region({**REGION, "vpc": {"subnets": subnets}})
    refuse(node, "CreateAndAttachNetworkInterface", "subnet-demo0001")

    node.start_again()

    assert {eni["subnetId"] for eni in node.ctl("enis")["enis"]} == {"subnet-demo0002"}
    assert "subnet-demo0001: CreateAndAttachNetworkInterface failed" in node.pool()["activity"]
    node.admin.post("/faults", {"clear": True})
