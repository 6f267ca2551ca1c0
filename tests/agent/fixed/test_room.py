"""Room for fixed addresses: an ENI in the very subnet, or a warm address less; Pods with others keep them."""

import time

import pytest

from tests.agent.fixed.fixed_bed import NEVER, FixedBed, ip_of

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
ZONE = "ap-guangzhou-3"
TWO_SUBNETS = {
    "vpc": {
        "subnets": [
            {"subnet_id": "subnet-demo0001", "cidr": "10.0.1.0/24", "zone": ZONE},
            {"subnet_id": "subnet-demo0002", "cidr": "10.0.2.0/24", "zone": ZONE},
        ]
    },
    # Two ENIs for Pods, each with five addresses for them.
    "instance_types": [{"name": "S5.TWO", "cpu": 16, "memory_gib": 16, "enis": 3, "ips_per_eni": 6}],
    "instances": [{"instance_type": "S5.TWO", "public_ip": True}],
}


@pytest.fixture
def node(tmp_path):
    """A node whose first ENI is full of warm addresses."""
    with FixedBed(tmp_path) as bed:
        options = ("--pod-subnets=subnet-demo0001", "--ip-min-warm-target=5", "--ip-max-warm-target=5")
        yield bed.begin(*options, "--retained-ip-hold=60s", region=TWO_SUBNETS, warm=5)


def claim_in(node, pod, ip, subnet_id):
    node.fixed_claim(pod)
    name = pod["metadata"]["name"]
    node.fixed_status(name, {"address": {"ip": ip, "subnetID": subnet_id}})


def added(node, sandbox):
    """Ask until it is done, as a kubelet does: an ENI may take longer than one ADD."""
    answers = []

    def done():
        answers.append(node.call("add", sandbox))
        return answers[-1][0] == 0

    node.eventually("the Pod's network", done, seconds=60)
    return ip_of(answers[-1][1])


def test_an_eni_is_made_in_the_subnet_of_the_address(node):
    pod, sandbox = node.fixed_pod("far-0")

    claim_in(node, pod, "10.0.2.200", "subnet-demo0002")

    assert added(node, sandbox) == "10.0.2.200"
    assert sorted(eni.subnet_id for eni in node.enis()) == ["subnet-demo0001", "subnet-demo0002"]


def test_where_no_eni_is_left_a_warm_address_of_the_subnet_gives_way(node):
    pods = [node.fixed_pod(f"far-{number}") for number in range(2)]
    claim_in(node, pods[0][0], "10.0.2.200", "subnet-demo0002")
    assert added(node, pods[0][1]) == "10.0.2.200"
    near, sandbox = node.fixed_pod("near-0")

    claim_in(node, near, "10.0.1.200", "subnet-demo0001")

    assert added(node, sandbox) == "10.0.1.200"
    assert len(node.enis()) == 2


def test_a_pod_that_runs_with_another_address_keeps_it(node):
    pod, sandbox = node.pod_and_sandbox("runs-0")
    code, result = node.call("add", sandbox)
    assert code == 0
    name = pod["metadata"]["name"]
    prefixed = {f"tke.cloud.tencent.com/{key}": value for key, value in NEVER.items()}
    node.kube.merge_patch(f"/api/v1/namespaces/default/pods/{name}", {"metadata": {"annotations": prefixed}})
    claim_in(node, pod, "10.0.1.201", "subnet-demo0001")

    assert node.call("add", sandbox)[0] == 0
    assert node.pods()[name]["privateIp"] == ip_of(result)
    assert node.at_eni("10.0.1.201") is None
    # Its next sandbox has the address of the claim.
    assert node.call("del", sandbox)[0] == 0
    assert added(node, node.runtime.new_sandbox(pod=node.workloads.pod(name))) == "10.0.1.201"


def test_of_many_that_come_at_once_those_for_whom_one_eni_has_no_place_get_another(tmp_path):
    with FixedBed(tmp_path) as node:
        few_warm = ("--ip-min-warm-target=2", "--ip-max-warm-target=2")
        node.begin("--pod-subnets=subnet-demo0001", *few_warm, region=TWO_SUBNETS, warm=2)
        pods = [node.fixed_pod(f"many-{number}") for number in range(6)]
        slow = {"kind": "latency", "action": "AssignPrivateIpAddresses", "seconds": 2.0, "count": 1}
        node.admin.post("/faults", {"add": [slow]})
        for number, (pod, _) in enumerate(pods):
            claim_in(node, pod, f"10.0.1.{200 + number}", "subnet-demo0001")
        began = time.monotonic()

        ips = [added(node, sandbox) for _, sandbox in pods]

        assert ips == [f"10.0.1.{200 + number}" for number in range(6)]
        assert time.monotonic() - began < 30.0, "nobody waits for a quota to be lifted"
