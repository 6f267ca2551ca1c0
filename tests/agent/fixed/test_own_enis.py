"""A Pod's own ENI belongs to its claim: it comes and goes as a whole, with its address and its EIP."""

import subprocess

import pytest

from testbed.probes import SourceReporter, seen_source
from tests.agent.fixed.own_eni_bed import DIRECT, OPTIONS, OwnEniBed, soon

pytestmark = [pytest.mark.netns, pytest.mark.scenario, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with OwnEniBed(tmp_path_factory.mktemp("own-enis")) as bed:
        yield bed.begin(*OPTIONS)


def links(netns):
    argv = ["ip", "-n", netns, "-o", "link"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def pod_that_comes_back(node, name):
    pod, sandbox = node.own_pod(name, eip=True)
    node.serve_own(pod)
    node.serve(pod)
    return pod, sandbox


def entry(node, eni):
    return next((e for e in node.ctl("enis")["enis"] if e["eniId"] == eni.eni_id), None)


def test_the_pod_has_the_eni_of_its_claim_and_no_warm_one(node):
    before = node.settled()
    _, sandbox, eni = node.own_given("has-0")

    assert eni.mac in links(sandbox.netns)
    claim = node.read_fixed("has-0")
    assert (claim.binding.node, claim.binding.eni_id) == (node.node.name, eni.eni_id)
    node.eventually("told", lambda: node.read_fixed("has-0").assigned_ip == eni.primary_ip)
    shown = node.cloud.describe_eni(eni.eni_id)
    assert (shown.instance_id, shown.extended) == (node.node.instance_id, True)
    assert set(shown.security_groups) == set(node.enis()[0].security_groups)
    assert node.new_writes(before).pop("AttachNetworkInterface") == 1
    assert entry(node, eni)["pod"] == "default/has-0"
    with SourceReporter(sandbox.netns):
        assert seen_source(node.node.netns, eni.primary_ip) == node.node.private_ip
    node.ended("has-0", sandbox)


def test_on_the_same_node_the_next_pod_has_it_without_a_call_of_the_cloud(node):
    _, sandbox, eni, eip = node.own_given_with_eip("same-0")
    before = node.settled()

    node.ended("same-0", sandbox)
    _, sandbox = pod_that_comes_back(node, "same-0")
    node.added(sandbox, eni)

    assert node.new_writes(before) == {}
    assert node.eip(eip.eip_id).private_ip == eni.primary_ip
    assert eni.mac in links(sandbox.netns)
    node.ended("same-0", sandbox)


def test_for_another_node_it_is_detached_and_its_eip_stays_at_it(node):
    _, sandbox, eni, eip = node.own_given_with_eip("leaves-0")
    node.ended("leaves-0", sandbox)
    before = node.settled()

    node.goes_to_other_node("leaves-0", eip=True)

    node.eventually("the claim is free of the node", lambda: node.binding("leaves-0") is None)
    assert node.read_claim("leaves-0").binding is None, "before it"
    assert node.at(eni.eni_id) == ""
    there = node.eip(eip.eip_id)
    assert (there.status.value, there.eni_id, there.private_ip) == ("BIND_ENI", eni.eni_id, eni.primary_ip)
    assert node.new_writes(before) == {"DetachNetworkInterface": 1}
    assert entry(node, eni) is None
    assert eni.mac not in links(node.node.netns)


def test_it_comes_with_its_eip_which_nobody_binds_again(node):
    _, sandbox, eni, eip = node.own_given_with_eip("back-0")
    node.ended("back-0", sandbox)
    node.goes_to_other_node("back-0", eip=True)
    node.eventually("the claim is free of the node", lambda: node.binding("back-0") is None)
    before = node.settled()

    node.workloads.remove_pod("back-0")
    _, sandbox = pod_that_comes_back(node, "back-0")
    node.added(sandbox, eni)

    assert node.new_writes(before) == {"AttachNetworkInterface": 1}
    node.eventually("the EIP's claim says it", lambda: node.eip_binding("back-0") is not None)
    binding = node.eip_binding("back-0")
    assert (binding.node, binding.eni_id, binding.private_ip) == (
        node.node.name,
        eni.eni_id,
        eni.primary_ip,
    )
    assert node.pods()["back-0"]["publicIp"] == eip.public_ip
    node.ended("back-0", sandbox)


def test_its_eip_is_left_alone_while_the_claim_of_it_is_still_for_the_last_node(node):
    pod, sandbox, eni, eip = node.own_given_with_eip("lags-0")
    node.ended("lags-0", sandbox)
    node.goes_to_other_node("lags-0", eip=True)
    node.eventually("the claim is free of the node", lambda: node.binding("lags-0") is None)
    node.label("lags-0", "node-2")
    before = node.settled()

    node.workloads.remove_pod("lags-0")
    pod, sandbox = node.own_pod("lags-0", eip=True)
    node.serve_own(pod)
    node.eventually("it is here", lambda: node.at(eni.eni_id) == node.node.instance_id)
    node.eventually("the claim says it", lambda: node.binding("lags-0") is not None)
    code, error = node.call("add", sandbox)
    assert code != 0, "the EIP's claim is another Pod's still"
    assert "EIPClaim" in str(error)
    assert node.eip(eip.eip_id).bound
    node.label("lags-0", node.node.name)
    node.serve(pod)
    node.added(sandbox, eni)

    assert node.new_writes(before) == {"AttachNetworkInterface": 1}
    node.ended("lags-0", sandbox)


def test_of_a_pod_that_comes_without_asking_for_an_eip_it_is_unbound(node):
    pod, sandbox, eni, eip = node.own_given_with_eip("none-0")
    node.ended("none-0", sandbox)
    node.goes_to_other_node("none-0", eip=True)
    node.eventually("the claim is free of the node", lambda: node.binding("none-0") is None)
    node.label("none-0", "node-2")

    node.workloads.remove_pod("none-0")
    pod, sandbox = node.own_pod("none-0")
    node.serve_own(pod)
    node.added(sandbox, eni)

    node.eventually("its EIP is unbound", lambda: not node.eip(eip.eip_id).bound)
    assert node.at(eni.eni_id) == node.node.instance_id
    node.ended("none-0", sandbox)


@pytest.mark.parametrize(
    ("name", "fault", "status"),
    [
        ("slow-0", {"kind": "latency", "seconds": 2, "count": 1}, "BIND_ENI"),
        ("fails-0", {"kind": "task_failure", "count": None}, "UNBIND"),
        ("many-0", {"kind": "throttle", "count": None}, "UNBIND"),
        ("silent-0", {"kind": "http_500", "count": None}, "UNBIND"),
    ],
)
def test_an_eip_that_is_on_its_way_when_the_pod_goes_is_left_where_it_is(node, name, fault, status):
    node.admin.post("/faults", {"add": [{"action": "AssociateAddress", **fault}]})
    try:
        eip = node.allocate(uid=f"claim-{name}")
        pod, sandbox = node.own_pod(name, eip=True)
        eni = node.own_claim(pod)
        before = node.writes()
        node.claim(pod, retained=True, eip=eip)
        node.eventually("its claim says where it is to be", lambda: node.eip_binding(name) is not None)
        node.ended(name, sandbox)

        node.goes_to_other_node(name, eip=True)

        node.eventually("the claim is free of the node", lambda: node.binding(name) is None, seconds=30)
    finally:
        node.admin.post("/faults", {"clear": True})
    assert node.read_claim(name).binding is None
    assert node.at(eni.eni_id) == ""
    there = node.eip(eip.eip_id)
    assert (there.status.value, there.eni_id) == (status, eni.eni_id if status == "BIND_ENI" else "")
    assert "DisassociateAddress" not in node.new_writes(before)


def test_an_eip_that_ends_with_its_pod_is_unbound_before_the_eni_goes(node):
    wishes = {**DIRECT, "eip-attributes": ""}
    pod, sandbox = node.pod_and_sandbox("plain-0", annotations=wishes, eip=True)
    eni, eip = node.own_claim(pod), node.allocate(uid="claim-plain-0")
    node.claim(pod, eip=eip)
    node.added(sandbox, eni)
    node.ended("plain-0", sandbox)
    before = node.settled()

    node.goes_to_other_node("plain-0")

    node.eventually("the claim is free of the node", lambda: node.binding("plain-0") is None)
    assert not node.eip(eip.eip_id).bound
    assert node.new_writes(before) == {"DisassociateAddress": 1, "DetachNetworkInterface": 1}


def test_of_a_deleted_claim_the_eip_is_unbound_and_the_eni_detached_and_not_deleted(node):
    _, sandbox, eni, eip = node.own_given_with_eip("ends-0")
    node.delete_fixed("ends-0")
    assert node.at(eni.eni_id) == node.node.instance_id, "its Pod runs"
    node.ended("ends-0", sandbox)

    node.eventually("the claim is free of the node", lambda: node.binding("ends-0") is None)
    assert not node.eip(eip.eip_id).bound
    assert node.at(eni.eni_id) == ""


def test_an_eni_whose_eip_the_cvm_does_not_take_is_told_and_keeps_it(node):
    _, sandbox, eni, eip = node.own_given_with_eip("full-0")
    node.ended("full-0", sandbox)
    node.goes_to_other_node("full-0", eip=True)
    node.eventually("the claim is free of the node", lambda: node.binding("full-0") is None)
    node.admin.post("/attachments", {"eips": "NONE"})

    node.workloads.remove_pod("full-0")
    _, sandbox = pod_that_comes_back(node, "full-0")

    def told():
        return str(node.read_fixed("full-0").conditions)

    node.eventually("it is told", lambda: "AttachNetworkInterface failed" in told())
    assert f"{eip.eip_id} stays at it" in told()
    assert "let the Pod request tke.cloud.tencent.com/eip" in told()
    assert node.eip(eip.eip_id).eni_id == eni.eni_id

    node.admin.post("/attachments", {"eips": "ALL"})
    node.added(sandbox, eni)
    node.admin.post("/attachments", {"eips": "LIMITED"})
    node.ended("full-0", sandbox)


def test_claim_and_pod_of_two_networks_are_told_apart_and_nothing_changes(node):
    pod, sandbox = node.fixed_pod("two-0")
    eni = node.own_claim(pod)

    code, error = node.call("add", sandbox)

    assert code != 0
    assert "the Pod asks for tke-route-eni, and its VpcIPClaim default/two-0 is of tke-direct-eni" in str(
        error
    )
    assert node.at(eni.eni_id) == ""
    assert node.binding("two-0") is None
    node.workloads.remove_pod("two-0")


def test_a_claim_whose_eni_is_deleted_is_freed_so_that_another_is_made(node):
    _, sandbox, eni = node.own_given("lost-0")
    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod("lost-0")
    node.detach_eni(eni.eni_id)
    node.cloud.delete_eni(eni.eni_id, soon())
    pod, sandbox = node.own_pod("lost-0")
    node.serve_own(pod)

    node.eventually("it is freed", lambda: node.binding("lost-0") is None, seconds=60)
    said = str(node.read_fixed("lost-0").conditions)
    assert "ENILost" in said
    assert f"ENI {eni.eni_id} of VpcIPClaim default/lost-0 does not exist" in said
    another = node.make_eni(node.read_fixed("lost-0").uid)
    node.serve_own(pod, another)
    node.added(sandbox, another)
    node.ended("lost-0", sandbox)


def test_somebody_who_detaches_it_under_its_pod_has_it_attached_again(node):
    _, sandbox, eni = node.own_given("taken-0")

    node.detach_eni(eni.eni_id)

    node.eventually("it is back", lambda: node.at(eni.eni_id) == node.node.instance_id, seconds=40)
    node.eventually("in its Pod", lambda: eni.mac in links(sandbox.netns), seconds=30)
    node.ended("taken-0", sandbox)


def test_the_end_of_a_sandbox_without_del_brings_its_link_home(node):
    pod, sandbox, eni = node.own_given("dies-0")
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod("dies-0")
    assert node.call("del", sandbox)[0] == 0
    node.eventually("its link is home", lambda: eni.mac in links(node.node.netns))

    pod, sandbox = node.own_pod("dies-0")
    node.serve_own(pod)
    node.added(sandbox, eni)
    assert eni.mac in links(sandbox.netns)
    node.ended("dies-0", sandbox)


def test_lists_that_lag_behind_lead_to_no_call_more(node):
    _, sandbox, eni, eip = node.own_given_with_eip("stale-0")
    node.ended("stale-0", sandbox)
    before = node.settled()
    stale = {"kind": "stale_read", "action": "DescribeNetworkInterfaces", "count": None, "seconds": 2}
    node.admin.post("/faults", {"add": [stale]})
    try:
        node.goes_to_other_node("stale-0", eip=True)
        node.eventually("the claim is free of the node", lambda: node.binding("stale-0") is None, seconds=40)
        node.workloads.remove_pod("stale-0")
        _, sandbox = pod_that_comes_back(node, "stale-0")
        node.added(sandbox, eni)
    finally:
        node.admin.post("/faults", {"clear": True})

    assert node.new_writes(before) == {"DetachNetworkInterface": 1, "AttachNetworkInterface": 1}
    assert node.eip(eip.eip_id).private_ip == eni.primary_ip
    node.ended("stale-0", sandbox)
