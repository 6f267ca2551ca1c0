"""Pods with a fixed private address on a node with a real agent: they get it, keep it, and give it back."""

import pytest

from ipamd.core.claim.eipclaim import READY, condition
from tests.agent.fixed.fixed_bed import NEVER, FixedBed, ip_of

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with FixedBed(tmp_path_factory.mktemp("fixed")) as bed:
        yield bed.begin("--retained-ip-hold=60s")


def ready_reason(node, name):
    return condition(node.read_fixed(name).conditions, READY).get("reason")


def test_the_pod_has_the_address_of_its_claim_and_the_claim_says_where(node):
    ip = node.free_ip()
    pod, sandbox = node.given("web-0", ip)

    node.eventually("the claim says so", lambda: node.read_fixed("web-0").assigned_ip == ip)
    claim = node.read_fixed("web-0")
    assert claim.binding.node == node.node.name
    assert claim.binding.pod_uid == pod["metadata"]["uid"]
    assert node.at_eni(ip) is not None
    node.gone("web-0", sandbox)
    node.eventually("it is given back", lambda: node.at_eni(ip) is None)
    node.eventually("the claim is free of the node", lambda: node.binding("web-0") is None)


def test_it_waits_for_its_claim_though_there_are_warm_addresses(node):
    _, sandbox = node.fixed_pod("waits-0")

    code, error = node.call("add", sandbox)

    assert code != 0
    assert "waits for the controller to create its VpcIPClaim" in error["msg"]
    assert node.pool()["warm"] >= 3
    node.workloads.remove_pod("waits-0")


def test_the_next_pod_of_the_name_gets_it_on_this_node_without_a_call_of_the_cloud(node):
    ip = node.free_ip()
    _, sandbox = node.given("again-0", ip)
    before = node.writes()

    _, sandbox = node.replaced("again-0", sandbox)
    code, result = node.call("add", sandbox)

    assert code == 0, result
    assert ip_of(result) == ip
    assert node.writes() == before
    node.gone("again-0", sandbox)


def test_it_leaves_the_node_at_once_when_its_pod_is_on_another_one(node):
    ip = node.free_ip()
    _, sandbox = node.given("moves-0", ip)
    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod("moves-0")
    before = node.writes()
    assert node.at_eni(ip) is not None, "it is held"

    node.serve_fixed(node.workloads.create_pod("moves-0", node="node-2", annotations=NEVER), node="node-2")

    node.eventually("the claim is free of the node", lambda: node.binding("moves-0") is None)
    assert node.at_eni(ip) is None
    after = {action: n - before.get(action, 0) for action, n in node.writes().items()}
    assert {action: n for action, n in after.items() if n} == {"UnassignPrivateIpAddresses": 1}
    node.delete_fixed("moves-0")


def test_it_is_never_taken_from_a_pod_that_runs(node):
    ip = node.free_ip()
    _, sandbox = node.given("runs-0", ip)

    node.delete_fixed("runs-0")
    node.status()

    assert node.at_eni(ip) is not None
    assert node.call("check", sandbox, conf={"prevResult": node.call("add", sandbox)[1]})[0] == 0
    node.gone("runs-0", sandbox)
    node.eventually("it is given back", lambda: node.at_eni(ip) is None)


def test_an_address_that_somebody_has_is_told_to_claim_and_pod(node):
    warm = next(a.ip for eni in node.enis() for a in eni.addresses if a.primary)
    pod, sandbox = node.fixed_pod("taken-0")
    node.fixed_claim(pod, warm)

    code, error = node.call("add", sandbox)

    assert code != 0
    assert f"choose another address than {warm}" in error["msg"]
    assert node.binding("taken-0") is None
    node.workloads.remove_pod("taken-0")
    node.delete_fixed("taken-0")


def test_an_address_of_another_zone_is_told_with_what_to_do(node):
    pod, sandbox = node.fixed_pod("zone-0")
    node.fixed_claim(pod, "10.9.9.9", zone="ap-elsewhere-1")

    code, error = node.call("add", sandbox)

    assert code != 0
    assert "10.9.9.9 is in" in error["msg"]
    assert "zone ap-elsewhere-1" in error["msg"]
    assert "delete the Pod" in error["details"]
    node.eventually("the claim says so", lambda: ready_reason(node, "zone-0") == "WrongSubnet")
    said = condition(node.read_fixed("zone-0").conditions, READY)["message"]
    assert said.endswith("to have another address"), "it does not come by itself"
    assert node.read_fixed("zone-0").binding is None
    assert "a node in zone ap-elsewhere-1" in node.ctl("explain", "pod", "zone-0")["next"]
    (finding,) = (f for f in node.ctl("check")["findings"] if f["code"] == "FixedAddress")
    assert "zone ap-elsewhere-1" in finding["text"]
    assert "delete the Pod" in finding["nextStep"]
    node.workloads.remove_pod("zone-0")
    node.delete_fixed("zone-0")


def test_a_pod_with_wrong_annotations_is_refused_at_once(node):
    _, sandbox = node.fixed_pod("wrong-0", **{"nominated-vpc-ip": "no address"})

    code, error = node.call("add", sandbox)

    assert code != 0
    assert "nominated-vpc-ip" in error["msg"]
    node.workloads.remove_pod("wrong-0")
