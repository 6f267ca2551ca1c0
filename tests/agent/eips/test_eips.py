"""EIPs of Pods, from the claim to the cloud and back: what is bound, kept, moved and given back."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipamd.core import model
from ipamd.core.claim.eipclaim import BOUND, condition
from tests.agent.conftest import eip_annotations

pytestmark = [pytest.mark.netns, pytest.mark.scenario]

BIND = (model.EipStatus.BIND, model.EipStatus.BIND_ENI)

PREFIX = "tke.cloud.tencent.com/"


def ip_of(result):
    return result["ips"][0]["address"].removesuffix("/32")


def eip_calls(node):
    """Calls about EIPs so far, once those of earlier tests are over."""
    settled = lambda: all(e["state"] == "bound" for e in node.ctl("eips")["eips"])  # noqa: E731
    node.eventually("no EIP is on its way", settled)
    calls = node.admin.get("/audit")["calls"]
    return {action: n for action, n in calls.items() if "Address" in action and "PrivateIp" not in action}


def test_add_returns_with_the_eip_bound_and_everybody_told(node):
    pod, sandbox, eip = node.pod_with_eip("told")

    code, result = node.call("add", sandbox)

    assert code == 0
    bound = node.eip(eip.eip_id)
    assert bound.status in BIND
    assert bound.private_ip == ip_of(result)
    node.eventually("the claim says so", lambda: node.read_claim("told").binding is not None)
    binding = node.read_claim("told").binding
    assert (binding.node, binding.private_ip) == (node.node.name, ip_of(result))
    assert (binding.pod_uid, binding.sandbox) == (pod["metadata"]["uid"], sandbox.container_id)

    def annotations():
        return node.workloads.pod("told")["metadata"]["annotations"]

    node.eventually("annotations", lambda: f"{PREFIX}eip-id" in annotations())
    assert annotations()[f"{PREFIX}eip-id"] == eip.eip_id
    assert annotations()[f"{PREFIX}eip-public-ip"] == eip.public_ip
    events = lambda: [e["reason"] for e in node.workloads.events(regarding="told")]  # noqa: E731
    node.eventually("an Event", lambda: "AssociatedEIP" in events())
    assert node.pods()["told"]["publicIp"] == eip.public_ip
    node.delete_pod(sandbox)
    node.eventually("EIP unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    node.eventually("binding gone", lambda: node.read_claim("told").binding is None)


def test_annotations_that_the_api_server_refused_come_later(node):
    for fault in ({"kind": "status", "code": 503}, {"kind": "lost-answer"}, {"kind": "conflict", "every": 1}):
        node.admin.post("/kube/faults", {**fault, "verb": "patch", "resource": "pods", "times": 1})
    _, sandbox, eip = node.pod_with_eip("annotated-late")

    assert node.call("add", sandbox)[0] == 0

    def annotation():
        return node.workloads.pod("annotated-late")["metadata"]["annotations"].get(f"{PREFIX}eip-id")

    node.eventually("annotations", lambda: annotation() == eip.eip_id)
    bound = lambda: "Bound" in [c["type"] for c in node.read_claim("annotated-late").conditions]  # noqa: E731
    node.eventually("the claim says so too", bound)
    node.admin.delete("/kube/faults")
    node.delete_pod(sandbox)


def test_new_sandbox_of_the_pod_keeps_address_and_eip_without_a_cloud_call(node):
    pod, old, eip = node.pod_with_eip("again")
    _, first = node.call("add", old)
    node.eventually("announced", lambda: node.read_claim("again").binding is not None)
    before = eip_calls(node)

    node.call("del", old)
    new = node.runtime.new_sandbox(pod=pod)
    code, second = node.call("add", new)

    assert code == 0
    assert ip_of(second) == ip_of(first)
    sandbox_told = lambda: node.read_claim("again").binding.sandbox == new.container_id  # noqa: E731
    node.eventually("the new sandbox is told", sandbox_told)
    assert eip_calls(node) == before
    assert node.eip(eip.eip_id).status in BIND
    node.delete_pod(new)


def test_later_pod_of_a_retained_claim_gets_the_same_address_and_eip_without_a_cloud_call(node):
    _, old, _ = node.pod_with_eip("sticky", retained=True)
    _, first = node.call("add", old)
    node.eventually("announced", lambda: node.read_claim("sticky").binding is not None)
    before = eip_calls(node)
    node.delete_pod(old)

    pod, new = node.pod_and_sandbox("sticky", annotations=eip_annotations(retained=True), eip=True)
    node.serve(pod)
    code, second = node.call("add", new)

    assert code == 0
    assert ip_of(second) == ip_of(first)
    uid_told = lambda: node.read_claim("sticky").binding.pod_uid == pod["metadata"]["uid"]  # noqa: E731
    node.eventually("the new Pod is told", uid_told)
    assert eip_calls(node) == before
    node.delete_pod(new)


def test_retained_eip_goes_when_the_hold_is_over_and_comes_back_to_any_address(node):
    _, old, eip = node.pod_with_eip("late", retained=True)
    node.call("add", old)
    node.delete_pod(old)
    node.eventually("EIP unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    node.eventually("binding gone", lambda: node.read_claim("late").binding is None)

    pod, new = node.pod_and_sandbox("late", annotations=eip_annotations(retained=True), eip=True)
    node.serve(pod)
    code, result = node.call("add", new)

    assert code == 0
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.delete_pod(new)


def test_retained_claim_that_serves_a_pod_of_another_node_is_let_go_at_once_and_its_binding_too(node):
    _, sandbox, eip = node.pod_with_eip("moves", retained=True)
    node.call("add", sandbox)
    node.delete_pod(sandbox)

    node.status_of({"metadata": {"name": "moves"}}, {"pod": {"uid": "its-successor", "node": "node-2"}})

    node.eventually("EIP unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND, seconds=4)
    node.eventually("binding gone", lambda: node.read_claim("moves").binding is None, seconds=4)
    forgotten = lambda: not [e for e in node.ctl("eips")["eips"] if e["eipId"] == eip.eip_id]  # noqa: E731
    node.eventually("EIP forgotten", forgotten)


def test_eip_that_a_former_cvm_of_the_node_s_name_left_bound_is_unbound_in_its_place(node):
    """Nodes are named by their private IP, and the next CVM of the subnet may get it."""
    pod, _ = node.pod_and_sandbox("survivor", annotations=eip_annotations(retained=True), eip=True)
    eip = node.allocate("survivor")
    status = node.status()
    order = {"VpcId": status["vpcId"], "SubnetId": status["subnetId"], "NetworkInterfaceName": "left"}
    reply = node.cloud._session.call("CreateNetworkInterface", order)
    eni_id = reply.body["NetworkInterface"]["NetworkInterfaceId"]
    available = lambda: node.cloud.describe_eni(eni_id).state is model.EniState.AVAILABLE  # noqa: E731
    node.eventually("the ENI is there", available)
    ip = node.cloud.describe_eni(eni_id).primary_ip
    node.cloud.associate_eip(eip.eip_id, eni_id, ip)
    node.eventually("bound", lambda: node.eip(eip.eip_id).status in BIND)
    node.workloads.remove_pod("survivor")

    node.claim(pod, retained=True, eip=eip)
    node.status_of(pod, {"binding": {"node": node.node.name, "eniID": eni_id, "privateIP": ip}})

    node.eventually("EIP unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    node.eventually("binding gone", lambda: node.read_claim("survivor").binding is None)


def test_add_that_waits_in_vain_says_for_what_and_the_next_one_finds_the_eip(node):
    pod, first = node.pod_and_sandbox("patient", annotations=eip_annotations(), eip=True)

    code, error = node.call("add", first)

    assert (code, error["code"]) == (1, 11)
    assert "Pod default/patient" in error["msg"]
    assert "waits for the controller to create its EIPClaim" in error["msg"]
    held = [e for e in node.log().splitlines() if "default/patient" in e and "is held" in e]
    assert held
    assert node.on_node("ip", "-o", "link").count("patient") == 0
    node.call("del", first)

    eip = node.allocate("patient")
    node.claim(pod, eip=eip)
    node.eventually("bound in the background", lambda: node.eip(eip.eip_id).status in BIND)
    second = node.runtime.new_sandbox(pod=pod)
    code, result = node.call("add", second)

    assert code == 0
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.delete_pod(second)


def test_add_of_a_pod_that_is_deleted_meanwhile_does_not_wait_for_its_eip(own_node):
    node = own_node.begin("--add-timeout=50s")
    _, sandbox = node.pod_and_sandbox("short-lived", annotations=eip_annotations(), eip=True)
    with ThreadPoolExecutor(1) as runtime:
        adding = runtime.submit(node.call, "add", sandbox, timeout=60.0)
        node.eventually("it is wired and waits", lambda: "short-lived" in node.pods())

        node.workloads.delete_pod("short-lived")
        code, error = adding.result(20)

    assert (code, error["code"]) == (1, 11)
    assert "nobody waits for it any more" in error["msg"]


def test_failed_add_leaves_nothing_in_the_kernel(node):
    before = node.on_node("ip", "-o", "link"), node.on_node("ip", "route")
    _, sandbox = node.pod_and_sandbox("rolled-back", annotations=eip_annotations(), eip=True)

    code, _ = node.call("add", sandbox)

    assert code == 1
    assert (node.on_node("ip", "-o", "link"), node.on_node("ip", "route")) == before
    node.delete_pod(sandbox)


def test_claim_that_cannot_be_provisioned_fails_the_add_at_once_with_its_reason(node):
    pod, sandbox = node.pod_and_sandbox("no-quota", annotations=eip_annotations(), eip=True)
    node.claim(pod)
    condition = {
        "type": "Provisioned",
        "status": "False",
        "reason": "QuotaExceeded",
        "message": "AllocateAddresses failed with AddressQuotaLimitExceeded (RequestId r-42); ask for more",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    node.status_of(pod, {"conditions": [condition]})

    code, error = node.call("add", sandbox, timeout=3)

    assert (code, error["code"]) == (1, 11)
    for part in ("default/no-quota", "QuotaExceeded", "AddressQuotaLimitExceeded", "r-42"):
        assert part in error["msg"]
    node.delete_pod(sandbox)


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({"eip-attributes": "not json"}, "eip-attributes"),
        ({"eip-attributes": '{"ISP":"XXX"}'}, "CMCC"),
        ({"eip-attributes": '{"Bandwidth":"1000"}'}, "100"),
        ({"eip-attributes": "", "eip-claim-delete-policy": "Sometimes"}, "Never"),
        ({"networks": "tke-direct-eni"}, "tke-route-eni"),
    ],
)
def test_wrong_annotation_is_an_error_at_once(node, annotations, word):
    _, sandbox = node.pod_and_sandbox("wrong", annotations=annotations)

    code, error = node.call("add", sandbox, timeout=3)

    assert (code, error["code"]) == (1, 7)
    assert "default/wrong" in error["msg"]
    assert word in error["msg"] + error.get("details", "")
    node.delete_pod(sandbox)


def test_deleted_claim_of_a_running_pod_is_unbound_and_its_successor_bound(node):
    pod, sandbox, old = node.pod_with_eip("renewed")
    _, result = node.call("add", sandbox)

    node.delete_claim("renewed")

    node.eventually("old EIP unbound", lambda: node.eip(old.eip_id).status is model.EipStatus.UNBIND)
    node.eventually("binding gone", lambda: node.read_claim("renewed").binding is None)
    node.let_claim_go("renewed")
    node.eventually("claim gone", lambda: node.read_claim("renewed") is None)
    new = node.allocate("renewed-2")
    node.claim(pod, eip=new)
    node.eventually("new EIP bound", lambda: node.eip(new.eip_id).status in BIND)
    assert node.eip(new.eip_id).private_ip == ip_of(result)
    node.delete_pod(sandbox)


def test_eip_of_another_pod_is_never_taken(node):
    _, first, eip = node.pod_with_eip("holder")
    _, result = node.call("add", first)
    thief, second = node.pod_and_sandbox("thief", annotations=eip_annotations(), eip=True)
    node.claim(thief, eip=eip)

    code, error = node.call("add", second)

    assert (code, error["code"]) == (1, 11)
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.delete_pod(second)
    node.eventually("the loser is gone", lambda: "thief" not in node.pods())
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.delete_pod(first)


def test_old_answer_does_not_make_an_address_free_whose_eip_is_still_bound(node):
    history = {"kind": "stale_read", "action": "DescribeVpcs", "seconds": 60}
    node.admin.post("/faults", {"add": [history]})
    _, sandbox, eip = node.pod_with_eip("short-lived")
    before = time.monotonic()
    ip = ip_of(node.call("add", sandbox)[1])

    # What it shows is from before the EIP was bound.
    age = time.monotonic() - before + 0.5
    node.admin.post(
        "/faults",
        {"add": [{"kind": "stale_read", "action": "DescribeAddresses", "seconds": age, "count": 1}]},
    )
    node.delete_pod(sandbox)

    def truth():
        return {e["AddressId"]: e["AddressStatus"] for e in node.admin.get("/state")["eips"]}[eip.eip_id]

    forgotten = lambda: ip not in [e["privateIp"] for e in node.ctl("eips")["eips"]]  # noqa: E731
    node.eventually("the agent knows of no EIP there", forgotten)
    assert truth() == "UNBIND"
    assert node.admin.post("/faults", {"clear": True})["injected"]["stale_read:DescribeAddresses"] == 1


def test_association_that_was_accepted_and_failed_is_asked_for_again(node):
    pod, sandbox, eip = node.pod_with_eip("second-try")
    node.admin.post("/faults", {"add": [{"kind": "task_failure", "action": "AssociateAddress", "count": 1}]})

    code, answer = node.call("add", sandbox)
    while code:
        assert answer["code"] == 11
        node.call("del", sandbox)
        sandbox = node.runtime.new_sandbox(pod=pod)
        code, answer = node.call("add", sandbox)

    assert node.eip(eip.eip_id).private_ip == ip_of(answer)
    assert "its task" in node.log()
    node.delete_pod(sandbox)


def test_node_without_room_for_another_eip_says_so_and_binds_when_one_has_left(own_node):
    # Five vCPUs and fewer may have two public IPs: the node's own and one Pod's.
    node = own_node.begin(region={"instances": [{"instance_type": "S5.LARGE8", "public_ip": True}]})
    _, first, _ = node.pod_with_eip("first")
    assert node.call("add", first)[0] == 0
    pod, second, eip = node.pod_with_eip("second")

    code, error = node.call("add", second)

    assert (code, error["code"]) == (1, 11)
    assert "LimitExceeded.InstanceAddressQuota" in error["msg"]
    said = lambda: condition(node.read_claim("second").conditions, BOUND)  # noqa: E731
    node.eventually("the claim says why", lambda: said().get("reason") == "QuotaExceeded")
    assert "LimitExceeded.InstanceAddressQuota" in said()["message"]
    node.call("del", second)
    node.delete_pod(first)
    node.eventually("bound", lambda: node.eip(eip.eip_id).status in BIND, seconds=20)
    assert node.call("add", node.runtime.new_sandbox(pod=pod))[0] == 0


def test_eip_that_was_unbound_from_outside_is_bound_again(own_node):
    node = own_node.begin()
    _, sandbox, eip = node.pod_with_eip("mended")
    node.call("add", sandbox)

    node.cloud.disassociate_eip(eip.eip_id)
    node.eventually("unbound", lambda: node.eip(eip.eip_id).status is model.EipStatus.UNBIND)
    # The periodic look at the cloud comes every few minutes; a restart looks at once.
    node.stop(node.agent)
    node.start_again()

    node.eventually("bound again", lambda: node.eip(eip.eip_id).status in BIND)


def test_without_eip_wait_the_pod_starts_first(own_node):
    node = own_node.begin("--no-eip-wait")
    pod, sandbox = node.pod_and_sandbox("eager", annotations=eip_annotations(), eip=True)

    code, result = node.call("add", sandbox, timeout=3)

    assert code == 0
    eip = node.allocate("eager")
    node.claim(pod, eip=eip)
    node.eventually("bound later", lambda: node.eip(eip.eip_id).status in BIND)
    assert node.eip(eip.eip_id).private_ip == ip_of(result)
    node.eventually("kernel knows", lambda: ip_of(result) in eip_set(node))


def eip_set(node):
    """The nft set of Pods with EIP, as nft prints it."""
    return node.on_node("nft", "list", "set", "ip", "tke_eni", "eip_pods")
