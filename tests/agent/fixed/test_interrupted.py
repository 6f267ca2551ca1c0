"""A claim is deleted between ADD and ADD, and a node has the name of one that is gone."""

import time

import pytest

from ipamd.core import model
from ipamd.core.tags import address_description
from ipamd.core.timing.deadline import Deadline
from tests.agent.conftest import OPTIONS
from tests.agent.fixed.fixed_bed import VPC_IP_CLAIMS, FixedBed, ip_of

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with FixedBed(tmp_path_factory.mktemp("fixed")) as bed:
        yield bed.begin("--retained-ip-hold=60s")


def test_a_pod_whose_claim_is_being_deleted_keeps_its_address_for_its_next_sandbox(node):
    ip = node.free_ip()
    pod, sandbox = node.given("crashes-0", ip)
    node.eventually("the claim says so", lambda: node.read_fixed("crashes-0").assigned_ip == ip)
    node.delete_fixed("crashes-0")
    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)

    again = node.runtime.new_sandbox(pod=pod)
    code, result = node.call("add", again)

    assert code == 0, result
    assert ip_of(result) == ip
    node.gone("crashes-0", again)
    node.eventually("it is given back", lambda: node.at_eni(ip) is None)
    node.eventually("the claim is free of the node", lambda: node.binding("crashes-0") is None)


def test_a_claim_removed_by_force_under_its_pod_leaves_it_the_address_until_its_next_sandbox(node):
    """The controller makes another claim for the Pod, with another address; it knows nothing of the first."""
    name, before, after = "forced-0", node.free_ip(), node.free_ip()
    pod, sandbox = node.given(name, before)
    node.kube.merge_patch(f"{VPC_IP_CLAIMS}/{name}", {"metadata": {"finalizers": None}})
    node.delete_fixed(name)
    node.fixed_claim(pod, after)

    assert node.call("add", sandbox)[0] == 0, "the runtime asks again"
    assert node.pods()[name]["privateIp"] == before
    assert node.at_eni(after) is None, "a Pod has one address"
    node.eventually(
        "the second claim says what it waits for",
        lambda: f"runs with {before}, which it keeps" in str(node.read_fixed(name).conditions),
    )

    assert node.call("del", sandbox)[0] == 0
    again = node.runtime.new_sandbox(pod=pod)
    node.eventually("it has the address of its claim", lambda: node.call("add", again)[0] == 0)
    assert node.pods()[name]["privateIp"] == after
    node.eventually("the first one is given back", lambda: node.at_eni(before) is None)
    node.gone(name, again)


def test_an_address_at_an_eni_of_a_cvm_that_had_the_node_s_name_comes_to_the_pod_of_its_successor(node):
    """CVMs that were terminated leave their ENIs behind; a node is named by its private IP."""
    ip = node.free_ip()
    ours = node.enis()[0]
    gone = node.admin.post("/instances", {})
    request = model.EniRequest(
        instance_id=gone["instance_id"],
        vpc_id=ours.vpc_id,
        subnet_id=ours.subnet_id,
        security_groups=(),
        secondary_ips=0,
    )
    soon = Deadline.after(20.0, time.monotonic)
    left = node.cloud.create_and_attach_eni(request, "of-the-predecessor", soon)
    pod, sandbox = node.fixed_pod("heir-0")
    node.fixed_claim(pod)
    claim = node.read_fixed("heir-0")
    node.cloud.assign_named_ip(left.eni_id, ip, address_description(claim.uid), "its-address", soon)
    node.admin.delete(f"/instances/{gone['instance_id']}")
    binding = {"node": node.node.name, "eniID": left.eni_id, "podUID": "pod-before"}
    address = {"ip": ip, "subnetID": ours.subnet_id}
    node.fixed_status("heir-0", {"address": address, "assignedIP": ip, "binding": binding})

    node.eventually("it is at an ENI of this node", lambda: node.at_eni(ip) is not None)
    code, result = node.call("add", sandbox)
    assert code == 0, result
    assert ip_of(result) == ip
    assert node.binding("heir-0").eni_id != left.eni_id
    node.gone("heir-0", sandbox)


def test_a_kind_that_comes_after_the_agent_is_found_when_a_pod_waits_for_its_claim(tmp_path):
    absent = {"kind": "status", "code": 404, "verb": "list", "resource": "vpcipclaims"}
    with FixedBed(tmp_path) as node:
        node.begin_region()
        node.admin.post("/kube/faults", absent)
        node.options = [*OPTIONS, "--retained-ip-hold=60s"]
        node.start_again()
        pod, sandbox = node.fixed_pod("early-0")
        ip = node.free_ip()
        node.fixed_claim(pod, ip)
        code, error = node.call("add", sandbox)
        assert code != 0
        assert "the VpcIPClaims of this node, which are not known" in error["msg"]
        assert "404" in error["msg"]

        node.admin.delete("/kube/faults")

        node.eventually("it is found", lambda: node.call("add", sandbox)[0] == 0)
        assert node.pods()["early-0"]["privateIp"] == ip
