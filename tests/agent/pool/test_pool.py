"""The pool against the region: what is bought and given back, and for whom addresses are held."""

import threading

import pytest

from tests.agent.conftest import OPTIONS, REGION

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def calls(node):
    return node.admin.get("/audit")["calls"]


def test_pod_from_the_warm_pool_needs_no_cloud_call(own_node):
    looks_seldom = "--cloud-check-interval=300s"
    node = own_node.begin("--ip-min-warm-target=2", "--ip-max-warm-target=20", looks_seldom, warm=2)
    # A few Pods that have come and gone leave more than the minimum behind.
    for number in range(3):
        _, sandbox = node.pod_and_sandbox(f"earlier-{number}")
        node.call("add", sandbox)
        node.delete_pod(sandbox)
    node.eventually("warm", lambda: node.pool()["warm"] >= 4 and not node.pool()["cooling"])
    _, sandbox = node.pod_and_sandbox("cheap")
    before = calls(node)

    code, _ = node.call("add", sandbox)
    node.call("del", sandbox)

    assert code == 0
    assert calls(node) == before


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


def test_an_eni_whose_surplus_is_not_taken_back_goes_on_growing(own_node):
    slow = "--ip-release-interval=1s"
    node = own_node.begin("--ip-min-warm-target=0", "--ip-max-warm-target=0", slow, warm=0)
    deny = {"allow": ["*"], "deny": ["*:UnassignPrivateIpAddresses"]}
    node.admin.post("/policies/IPAMDofTKE_QCSRole", deny)
    _, first = node.pod_and_sandbox("first")
    node.call("add", first)
    node.delete_pod(first)
    node.eventually("refused", lambda: "UnassignPrivateIpAddresses" in node.pool()["activity"])

    for number in range(3):
        _, sandbox = node.pod_and_sandbox(f"more-{number}")
        assert node.call("add", sandbox)[0] == 0

    assert len(node.ctl("enis")["enis"]) == 1


def test_subnets_of_another_zone_and_unknown_ones_are_left_out_and_named(own_node):
    """An ENI has to be in the zone of its CVM; one list of subnets serves the nodes of all zones."""
    subnets = [
        {"subnet_id": "subnet-demo0001", "cidr": "10.0.1.0/28"},
        {"subnet_id": "subnet-demo0004", "cidr": "10.0.4.0/24", "zone": "ap-guangzhou-4"},
    ]
    node = own_node
    node.options = [*OPTIONS, "--pod-subnets=subnet-demo0001,subnet-demo0004,subnet-gone0001"]
    node.start_region({**REGION, "vpc": {"subnets": subnets}})

    node.start_again()

    assert {eni["subnetId"] for eni in node.ctl("enis")["enis"]} == {"subnet-demo0001"}
    log = node.log()
    assert "--pod-subnets names subnet-demo0004, which is in zone ap-guangzhou-4" in log
    assert "--pod-subnets names subnet-gone0001, which does not exist in this region" in log


SMALL = {"instances": [{"instance_type": "S5.SMALL2", "public_ip": True}]}
"""One vCPU: two ENIs with six addresses, so five Pods."""


def full_node(node, *options):
    """Begin a node that five Pods fill; return their sandboxes by name."""
    node.begin(*options, region=SMALL)
    sandboxes = {}
    for number in range(5):
        name = f"job-{number}"
        _, sandboxes[name] = node.pod_and_sandbox(name)
        code, result = node.call("add", sandboxes[name])
        assert code == 0
        node.workloads.pod_is_running(name, ip_of(result))
    return sandboxes


def test_finished_pods_keep_no_address_though_their_end_is_reported_after_the_del(own_node):
    """As kubelets do: the phase follows when the sandbox is gone."""
    node = own_node
    sandboxes = full_node(node, "--ip-hold=10m", "--add-timeout=30s")
    for name, sandbox in sandboxes.items():
        assert node.call("del", sandbox) == (0, {})
        node.runtime.remove_sandbox(sandbox)
        path = f"/api/v1/namespaces/default/pods/{name}/status"
        node.kube.merge_patch(path, {"status": {"phase": "Succeeded"}})

    node.eventually("not held", lambda: node.pool()["held"] == 0)
    _, following = node.pod_and_sandbox("following")
    assert node.call("add", following)[0] == 0


def test_holds_give_way_to_a_pod_that_waits_on_a_full_node(own_node):
    node = own_node
    sandboxes = full_node(node, "--ip-hold=10m", "--add-timeout=30s")
    held = sandboxes.pop("job-0")
    assert node.call("del", held) == (0, {})
    assert node.pool()["held"] == 1

    _, waiting = node.pod_and_sandbox("waiting")
    code, answer = node.call("add", waiting, timeout=35)

    assert code == 0, answer
    assert "are held no longer" in node.log()


def test_a_pod_that_comes_back_at_once_keeps_its_address_though_others_wait(own_node):
    node = own_node
    sandboxes = full_node(node, "--ip-hold=10m", "--add-timeout=30s")
    before = node.pods()["job-0"]["privateIp"]
    _, waiting = node.pod_and_sandbox("waiting")
    add = threading.Thread(target=node.call, args=("add", waiting), kwargs={"timeout": 35}, daemon=True)
    pod = node.workloads.pod("job-0")

    assert node.call("del", sandboxes["job-0"]) == (0, {})
    add.start()
    node.eventually("pressure", lambda: "are held no longer" in node.log())
    code, result = node.call("add", node.runtime.new_sandbox(pod=pod))

    assert (code, ip_of(result)) == (0, before)
    assert node.call("del", sandboxes["job-1"]) == (0, {})
    add.join()


def test_a_node_on_which_no_eni_can_be_set_up_orders_no_more_of_them(own_node):
    node = own_node
    node.begin_region()
    # With an address of the gateway's subnet on a link that does not lead there, no route by it can be made.
    node.on_node("ip", "addr", "add", "10.0.1.250/24", "dev", "lo")
    node.start_agent(options=OPTIONS)
    node.eventually("two ENIs cannot be set up", lambda: len(node.status().get("problems", [])) >= 2)
    _, sandbox = node.pod_and_sandbox("waits")

    code, answer = node.call("add", sandbox)

    assert (code, answer["code"]) == (1, 11)
    assert "2 ENIs of the node cannot carry Pods" in answer["msg"]
    assert len([eni for eni in node.cloud.describe_enis(node.node.instance_id) if not eni.primary]) == 2

    node.on_node("ip", "addr", "del", "10.0.1.250/24", "dev", "lo")
    node.eventually("Pods start again", lambda: node.call("add", sandbox)[0] == 0, seconds=30)
