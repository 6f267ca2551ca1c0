"""What an operator sees of fixed addresses: explain, check, status, metrics, Events."""

import pytest

from tests.agent.fixed.fixed_bed import FixedBed

pytestmark = [pytest.mark.netns, pytest.mark.scenario]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with FixedBed(tmp_path_factory.mktemp("fixed-operators")) as bed:
        yield bed.begin("--retained-ip-hold=60s")


def sides(explained):
    return {side["what"]: side["text"] for side in explained["sights"]}


def findings(node, pod):
    return [f for f in node.ctl("check")["findings"] if f"default/{pod}" in f["pods"]]


def test_a_pod_that_has_its_address_is_explained_with_it(node):
    ip = node.free_ip()
    _, sandbox = node.given("well-0", ip)
    node.eventually("the claim says so", lambda: node.read_fixed("well-0").assigned_ip == ip)

    explained = node.ctl("explain", "pod", "well-0")

    assert f"Bound, {ip} in subnet-" in sides(explained)["VpcIPClaim"]
    assert any(f"its fixed address {ip} is at " in event["text"] for event in explained["events"])
    assert findings(node, "well-0") == []
    node.gone("well-0", sandbox)


def test_a_pod_that_waits_is_told_for_what(node):
    node.fixed_pod("waits-0")

    node.eventually(
        "explained",
        lambda: "create its VpcIPClaim" in node.ctl("explain", "pod", "waits-0")["next"],
    )
    node.workloads.remove_pod("waits-0")


def test_an_address_that_somebody_else_has_is_an_event(node):
    taken = next(a.ip for eni in node.enis() for a in eni.addresses if a.primary)
    pod, _ = node.fixed_pod("taken-0")
    node.fixed_claim(pod, taken)

    node.eventually(
        "an Event",
        lambda: any(
            event["reason"] == "FailedAssignVpcIP" and taken in event.get("note", event.get("message", ""))
            for event in node.workloads.events(regarding="taken-0")
        ),
    )
    node.workloads.remove_pod("taken-0")
    node.delete_fixed("taken-0")


def test_an_address_that_a_pod_has_had_and_somebody_else_has_now_is_a_finding(node):
    taken = next(a.ip for eni in node.enis() for a in eni.addresses if a.primary)
    pod, _ = node.fixed_pod("lost-0")
    node.fixed_claim(pod)
    subnet = node.enis()[0].subnet_id
    node.fixed_status("lost-0", {"assignedIP": taken, "address": {"ip": taken, "subnetID": subnet}})

    node.eventually("a finding", lambda: [f["code"] for f in findings(node, "lost-0")] == ["FixedAddress"])
    told = findings(node, "lost-0")[0]["text"]
    assert "AddressInUse" in told
    assert f"take {taken} off its user" in told
    assert "kubectl delete vipc lost-0 -n default" in told
    assert "looked at again" not in told, "the advice for other objects"
    node.workloads.remove_pod("lost-0")
    node.delete_fixed("lost-0")


def test_an_address_in_a_subnet_where_the_node_can_have_no_eni_is_told(node):
    pod, _ = node.fixed_pod("nowhere-0")
    node.fixed_claim(pod)
    node.fixed_status("nowhere-0", {"address": {"ip": "10.0.77.7", "subnetID": "subnet-nowhere0"}})

    node.eventually("the pool says why", lambda: "subnet-nowhere0" in str(node.status()["pool"]))
    node.workloads.remove_pod("nowhere-0")
    node.delete_fixed("nowhere-0")
