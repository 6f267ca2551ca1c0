"""A Pod with a fixed private address and an EIP keeps both; what that costs the cloud is counted."""

import pytest

from tests.agent.fixed.fixed_bed import NEVER, FixedBed, ip_of

pytestmark = [pytest.mark.netns, pytest.mark.scenario]
EIP = {"eip-attributes": "", "eip-claim-delete-policy": "Never"}


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with FixedBed(tmp_path_factory.mktemp("fixed-eips")) as bed:
        yield bed.begin("--retained-ip-hold=60s")


def given_with_eip(node, name):
    ip, eip = node.free_ip(), node.allocate(uid=f"claim-{name}")
    pod, sandbox = _pod(node, name)
    node.fixed_claim(pod, ip)
    node.claim(pod, retained=True, eip=eip)
    code, result = node.call("add", sandbox)
    assert code == 0, result
    assert ip_of(result) == ip
    assert node.eip(eip.eip_id).private_ip == ip
    return ip, eip, sandbox


def _pod(node, name):
    return node.pod_and_sandbox(name, annotations={**NEVER, **EIP}, eip=True)


def new_writes(node, before):
    counts = {action: n - before.get(action, 0) for action, n in node.writes().items()}
    return {action: n for action, n in counts.items() if n}


def test_on_the_same_node_both_come_back_without_a_call_of_the_cloud(node):
    ip, eip, sandbox = given_with_eip(node, "both-0")
    before = node.writes()

    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod("both-0")
    pod, sandbox = _pod(node, "both-0")
    node.serve_fixed(pod)
    node.serve(pod)
    code, result = node.call("add", sandbox)

    assert code == 0, result
    assert ip_of(result) == ip
    assert node.eip(eip.eip_id).private_ip == ip
    assert new_writes(node, before) == {}


def test_for_another_node_the_eip_is_unbound_and_the_address_taken_off_and_nothing_else_is_asked(node):
    ip, eip, sandbox = given_with_eip(node, "leaves-0")
    assert node.call("del", sandbox)[0] == 0
    node.runtime.remove_sandbox(sandbox)
    node.workloads.remove_pod("leaves-0")
    before = node.writes()
    assert node.eip(eip.eip_id).bound, "both are held"

    pod = node.workloads.create_pod("leaves-0", node="node-2", annotations={**NEVER, **EIP})
    node.serve_fixed(pod, node="node-2")
    node.status_of(pod, {"pod": {"uid": pod["metadata"]["uid"], "node": "node-2"}})

    node.eventually("the claim is free of the node", lambda: node.binding("leaves-0") is None)
    node.eventually("the EIP's claim, too", lambda: node.read_claim("leaves-0").binding is None)
    assert node.at_eni(ip) is None
    assert not node.eip(eip.eip_id).bound
    assert new_writes(node, before) == {"DisassociateAddress": 1, "UnassignPrivateIpAddresses": 1}


def test_on_the_next_node_one_assignment_and_one_association_are_asked_for(node):
    before = node.writes()

    given_with_eip(node, "comes-0")

    expected = {"AllocateAddresses": 1, "AssignPrivateIpAddresses": 1, "AssociateAddress": 1}
    assert new_writes(node, before) == expected, "the order is the test's own"
