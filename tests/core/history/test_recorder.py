"""From what the agent sees to a Pod's history: each change told once, with how long it took."""

from dataclasses import replace

import pytest

from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.history.changes import PodChange
from ipamd.core.history.events import PodMemory
from ipamd.core.history.recorder import PodRecorder
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Cooling, Held, Unbinding, Warm
from ipamd.core.model import SandboxKey
from tests.testkit.claims import OWN, claim, pod

WARM = Address(ip="10.0.1.7", eni_id="eni-1", state=Warm(since=0.0), added_at=0.0)
REF = pod().ref
KEY = SandboxKey(container_id="c1", ifname="eth0")
ASSIGNED = replace(
    WARM, state=Assigned(key=KEY, pod=REF, since=3.0, host_interface="eni1", host_mac="0a:e2:00:00:00:01")
)
EIP = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BINDING, claim="default/web-0")


class Node:
    def __init__(self):
        self.memory = PodMemory()
        self.recorder = PodRecorder("node-a", self.memory)

    def ledger(self, address, at):
        return self.recorder.ledger({WARM.ip: address}, at)

    @property
    def told(self):
        return [(e.step, e.text, e.took) for e in self.memory.of("default/web-0")]


def test_a_pod_with_eip_has_its_steps_in_order_with_their_durations():
    node = Node()
    node.recorder.pod(pod(phase="Pending"), 1.0, gone=False)
    node.recorder.claim(claim(), 1.5, gone=False)
    node.recorder.claim(claim(allocation=Allocation(attempt=1, started=0.0)), 2.0, gone=False)
    node.ledger(WARM, 2.5)
    node.ledger(ASSIGNED, 3.0)
    node.recorder.claim(claim(address=OWN), 4.0, gone=False)
    node.ledger(replace(ASSIGNED, eip=EIP), 4.5)
    node.ledger(replace(ASSIGNED, eip=replace(EIP, stage=BindStage.BOUND)), 6.0)
    node.recorder.note(PodChange(pod="default/web-0", step="ADD", text="done: 10.0.1.7"), 6.5)
    node.recorder.pod(replace(pod(), pod_ip="10.0.1.7"), 7.0, gone=False)

    assert node.told == [
        ("seen", "scheduled to node-a, UID pod-1, and asks for an EIP", None),
        ("claim", "the EIPClaim is there", None),
        ("order", "the controller orders an EIP, attempt 1", None),
        ("address", "gets 10.0.1.7 on eni-1, link eni1", 2.0),
        ("order", "EIP 198.18.0.1 (eip-1), ordered", 2.5),
        ("bind", "binding EIP 198.18.0.1 (eip-1) to 10.0.1.7 is begun", None),
        ("bind", "EIP 198.18.0.1 (eip-1) is bound to 10.0.1.7", 1.5),
        ("ADD", "done: 10.0.1.7", 3.5),
        ("running", "the kubelet says Running, with 10.0.1.7", None),
    ]


@pytest.mark.parametrize(
    "annotations", [{}, {"tke.cloud.tencent.com/networks": "tke-route-eni"}], ids=["none", "network only"]
)
def test_a_pod_without_a_wish_for_an_eip_is_not_said_to_ask_for_one(annotations):
    node = Node()
    node.recorder.pod(replace(pod(), requests_eip=False, annotations=annotations), 1.0, gone=False)

    assert node.told[0][1] == "scheduled to node-a, UID pod-1"


@pytest.mark.parametrize(
    ("reason", "failed"), [("Binding", False), ("Waiting", False), ("Unbound", False), ("BindFailed", True)]
)
def test_a_binding_that_is_under_way_is_no_failure(reason, failed):
    node = Node()
    told = {"type": "Bound", "status": "False", "reason": reason, "message": "to 10.0.1.7"}
    node.recorder.claim(claim(conditions=(told,)), 1.0, gone=False)

    assert [event.failed for event in node.memory.of("default/web-0") if event.step == "bind"] == [failed]


def test_the_same_sight_twice_is_no_event():
    node = Node()
    for at in (1.0, 2.0):
        node.recorder.pod(pod(), at, gone=False)
        node.recorder.claim(claim(address=OWN), at, gone=False)
        node.ledger(replace(ASSIGNED, eip=EIP), at)

    assert len(node.told) == len(set(node.told))


def test_the_end_of_a_sandbox_is_told_to_the_pod_that_had_it():
    node = Node()
    bound = replace(ASSIGNED, eip=replace(EIP, stage=BindStage.BOUND))
    node.ledger(bound, 1.0)
    node.ledger(replace(bound, state=Held(key=KEY, pod=REF, until=9.0, by_name=True)), 2.0)
    node.ledger(replace(bound, state=Unbinding(since=3.0)), 3.0)
    node.ledger(replace(WARM, state=Cooling(until=5.0)), 4.0)

    assert [text for step, text, _ in node.told if step == "DEL"] == [
        "the sandbox is gone; 10.0.1.7 is held for the Pod",
        "gives 10.0.1.7 back; eip-1 is being unbound",
    ]


def test_an_address_that_was_held_is_had_again():
    node = Node()
    node.ledger(replace(WARM, state=Held(key=KEY, pod=REF, until=9.0, by_name=True)), 1.0)
    again = replace(ASSIGNED.state, key=SandboxKey(container_id="c2", ifname="eth0"))
    node.ledger(replace(ASSIGNED, state=again), 2.0)

    assert node.told[-1][1].endswith("the one that was held for it")


def test_a_refused_order_is_a_failure_with_its_request():
    node = Node()
    refused = {
        "type": "Provisioned",
        "status": "False",
        "reason": "QuotaExceeded",
        "message": "AllocateAddresses failed with AddressQuotaLimitExceeded: 20 EIPs (RequestId 7f1c-2)",
    }
    node.recorder.claim(claim(conditions=(refused,)), 1.0, gone=False)

    event = node.memory.of("default/web-0")[-1]
    assert (event.step, event.failed, event.request_id) == ("order", True, "7f1c-2")


def test_an_address_that_the_cloud_does_not_list_is_told_as_a_failure():
    node = Node()
    node.ledger(ASSIGNED, 1.0)
    (event,) = node.ledger(replace(ASSIGNED, missing_since=2.0), 2.0)

    assert event.failed


def test_a_new_incarnation_of_a_pod_is_seen_anew():
    node = Node()
    for uid in ("pod-1", "pod-2"):
        node.recorder.pod(pod(uid, phase="Pending"), 1.0, gone=False)
    node.recorder.pod(pod("pod-2"), 2.0, gone=True)

    assert [step for step, _, _ in node.told] == ["seen", "seen", "gone"]


def test_a_duration_is_never_counted_from_an_earlier_uid():
    node = Node()
    node.recorder.pod(pod("pod-1", phase="Pending"), 1.0, gone=False)
    node.recorder.claim(claim(), 1.5, gone=False)
    node.ledger(replace(ASSIGNED, eip=EIP), 2.0)
    node.recorder.pod(pod("pod-2", phase="Pending"), 900.0, gone=False)
    node.ledger(replace(ASSIGNED, eip=replace(EIP, stage=BindStage.BOUND)), 901.0)
    node.recorder.claim(claim(address=OWN), 902.0, gone=False)

    assert [took for step, text, took in node.told if step in ("bind", "order")] == [None, None, None]


def test_what_was_promised_before_the_agents_start_is_told_with_its_time():
    node = Node()
    node.recorder.begin({ASSIGNED.ip: ASSIGNED, "10.0.1.8": replace(WARM, ip="10.0.1.8")})
    node.recorder.ledger({ASSIGNED.ip: ASSIGNED}, 50.0)

    (event,) = node.memory.of("default/web-0")
    assert (event.at, event.step) == (3.0, "address")
    assert event.text.startswith("has 10.0.1.7 on eni-1 by the store")
