"""What a change of a Pod, a claim or an address means for the Pod's history; the same state twice is none."""

from dataclasses import replace

import pytest

from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.claim.reason import Reason
from ipamd.core.history.changes import of_address, of_claim, of_pod
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage, Cooling, Held, Unbinding, Warm
from ipamd.core.model import SandboxKey
from tests.testkit.claims import GIVEN, OWN, claim, pod

KEY = SandboxKey(container_id="c1", ifname="eth0")
REF = pod().ref
OTHER = replace(REF, name="web-1", uid="pod-9")
WARM = Address(ip="10.0.1.7", eni_id="eni-1", state=Warm(since=0.0), added_at=0.0)
ASSIGNED = replace(
    WARM, state=Assigned(key=KEY, pod=REF, since=3.0, host_interface="eni1", host_mac="0a:e2:00:00:00:01")
)
HELD = replace(WARM, state=Held(key=KEY, pod=REF, until=9.0, by_name=True))
EIP = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BOUND, claim="default/web-0")
PENDING = pod(phase="Pending")


def texts(changes):
    return [(change.step, change.text) for change in changes]


def steps(changes):
    return [(change.step, change.failed) for change in changes]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, None, []),
        (PENDING, None, ["gone"]),
        (None, PENDING, ["seen"]),
        (PENDING, PENDING, []),
        (PENDING, pod("pod-2", phase="Pending"), ["seen"]),
        (None, pod(), ["seen", "running"]),
        (PENDING, pod(), ["running"]),
        (pod(), pod(), []),
        (pod(), pod(deleting=True), ["leaving"]),
        (None, pod(deleting=True), ["seen", "leaving"]),
        (pod(), pod(phase="Failed"), ["leaving"]),
        (pod(phase="Failed"), pod(phase="Failed"), []),
        (None, pod(phase="Succeeded"), ["seen", "leaving"]),
        # A new incarnation: what the one before it was like says nothing about this one.
        (pod(deleting=True), pod("pod-2"), ["seen", "running"]),
        (pod(), pod("pod-2"), ["seen", "running"]),
    ],
)
def test_a_pods_ways_are_told_once_each(before, after, told):
    assert [change.step for change in of_pod(before, after, "node-a")] == told


def test_a_pod_that_goes_on_being_deleted_is_not_told_again():
    assert "leaving" not in [c.step for c in of_pod(pod(deleting=True), pod(deleting=True), "node-a")]


def test_a_running_pod_is_told_with_its_ip_or_without():
    assert texts(of_pod(PENDING, replace(pod(), pod_ip="10.0.1.7"), "n"))[0][1].endswith("with 10.0.1.7")
    assert texts(of_pod(PENDING, pod(), "n"))[0][1].endswith("with no IP")


def condition(kind, status, reason="QuotaExceeded", message="20 EIPs"):
    return {"type": kind, "status": status, "reason": reason, "message": message}


WAITS = claim(conditions=(condition("Provisioned", "False"),))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, None, []),
        (claim(), None, [("claim", False)]),
        (None, claim(), [("claim", False)]),
        (claim(), claim(), []),
        (claim(), claim(deleting=True), [("claim", False)]),
        (claim(deleting=True), claim(deleting=True), []),
        (claim(), claim(problem="spec is wrong"), [("claim", True)]),
        (None, claim(problem="spec is wrong"), [("claim", False), ("claim", True)]),
        (claim(problem="spec is wrong"), claim(problem="spec is wrong"), []),
        (claim(), claim(allocation=Allocation(attempt=1, started=0.0)), [("order", False)]),
        (
            claim(allocation=Allocation(attempt=1, started=0.0)),
            claim(allocation=Allocation(attempt=2, started=0.0)),
            [("order", False)],
        ),
        (
            claim(allocation=Allocation(attempt=2, started=0.0)),
            claim(allocation=Allocation(attempt=2, started=0.0)),
            [],
        ),
        (claim(), claim(address=OWN), [("order", False)]),
        (claim(address=OWN), claim(address=OWN), []),
        (claim(address=OWN), claim(address=GIVEN), [("order", False)]),
        (claim(), WAITS, [("order", True)]),
        (WAITS, WAITS, []),
        (WAITS, claim(conditions=(condition("Provisioned", "False", message="21"),)), [("order", True)]),
        (WAITS, claim(conditions=(condition("Provisioned", "True"),)), []),
        (claim(), claim(conditions=(condition("Usable", "False"),)), [("EIP", True)]),
        (claim(), claim(conditions=(condition("Ready", "False"),)), []),
        (claim(), claim(conditions=(condition("EgressThroughEIP", "True"),)), [("egress", False)]),
        (claim(), claim(conditions=(condition("EgressThroughEIP", "False"),)), [("egress", True)]),
        (claim(), claim(conditions=(condition("EgressThroughEIP", "Unknown"),)), []),
        (
            claim(conditions=(condition("EgressThroughEIP", "True"),)),
            claim(conditions=(condition("EgressThroughEIP", "True"),)),
            [],
        ),
    ],
)
def test_what_becomes_of_a_claim_is_told_once_each(before, after, told):
    assert steps(of_claim(before, after, "default/web-0")) == told


def test_whose_eip_a_claim_has_is_told():
    assert texts(of_claim(claim(), claim(address=OWN), "p")) == [("order", "EIP 198.18.0.1 (eip-1), ordered")]
    assert texts(of_claim(claim(), claim(address=GIVEN), "p")) == [
        ("order", "EIP 198.18.0.9 (eip-9), the user's own")
    ]


def test_an_order_has_the_request_id_that_the_controller_has_written_down():
    patch = status.provisioned(claim(), OWN, Reason.ALLOCATED, 1.0, request_id="r-7f1c")
    after = claim(address=OWN, conditions=tuple(patch["status"]["conditions"]))

    assert ("order", "EIP 198.18.0.1 (eip-1), ordered (RequestId r-7f1c)") in texts(
        of_claim(claim(), after, "p")
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, None, []),
        (None, WARM, []),
        (WARM, WARM, []),
        (WARM, ASSIGNED, [("address", False)]),
        (None, ASSIGNED, [("address", False)]),
        (ASSIGNED, ASSIGNED, []),
        (HELD, ASSIGNED, [("address", False)]),
        (ASSIGNED, HELD, [("DEL", False)]),
        (HELD, HELD, []),
        (ASSIGNED, None, [("address", True)]),
        (ASSIGNED, replace(WARM, state=Cooling(until=9.0)), [("DEL", False)]),
        (ASSIGNED, replace(ASSIGNED, missing_since=4.0), [("address", True)]),
        (replace(ASSIGNED, missing_since=4.0), replace(ASSIGNED, missing_since=4.0), []),
        (None, replace(ASSIGNED, missing_since=4.0), [("address", False), ("address", True)]),
        (
            ASSIGNED,
            replace(ASSIGNED, state=replace(ASSIGNED.state, key=replace(KEY, container_id="c2"))),
            [("address", False)],
        ),
        (
            ASSIGNED,
            replace(ASSIGNED, state=replace(ASSIGNED.state, pod=OTHER)),
            [("DEL", False), ("address", False)],
        ),
        (ASSIGNED, replace(ASSIGNED, eip=EIP), [("bind", False)]),
        (replace(ASSIGNED, eip=EIP), replace(ASSIGNED, eip=EIP), []),
        (replace(ASSIGNED, eip=EIP), ASSIGNED, [("bind", False)]),
        (
            replace(ASSIGNED, eip=EIP),
            replace(ASSIGNED, eip=replace(EIP, stage=BindStage.UNBINDING)),
            [("bind", False)],
        ),
        (
            replace(ASSIGNED, eip=EIP),
            replace(ASSIGNED, eip=replace(EIP, eip_id="eip-2")),
            [("bind", False)],
        ),
        # Whose EIP it was before says nothing of this Pod's.
        (
            replace(ASSIGNED, eip=EIP),
            replace(ASSIGNED, state=replace(ASSIGNED.state, pod=OTHER)),
            [("DEL", False), ("address", False)],
        ),
    ],
)
def test_what_becomes_of_an_address_is_told_to_the_pod_that_has_or_had_it(before, after, told):
    assert steps(of_address(before, after)) == told


def test_each_end_of_an_address_is_told_in_its_words():
    bound = replace(ASSIGNED, eip=EIP)
    ends = {
        None: "10.0.1.7 is gone from the node",
        replace(WARM, state=Cooling(until=9.0)): "gives 10.0.1.7 back, which is cooling now",
        replace(WARM, state=Unbinding(since=9.0), eip=EIP): "gives 10.0.1.7 back; eip-1 is being unbound",
    }

    assert [next(of_address(bound, after)).text for after in ends] == list(ends.values())
    assert {change.pod for after in ends for change in of_address(bound, after)} == {"default/web-0"}


def test_a_held_address_is_told_as_that_only_to_the_pod_that_it_was_held_for():
    assert texts(of_address(HELD, ASSIGNED))[0][1].endswith(", the one that was held for it")
    of_other = replace(ASSIGNED, state=replace(ASSIGNED.state, pod=OTHER))
    assert not [text for _, text in texts(of_address(HELD, of_other)) if "held for" in text]


@pytest.mark.parametrize("stage", BindStage)
def test_each_stage_of_a_binding_has_its_words(stage):
    (change,) = of_address(ASSIGNED, replace(ASSIGNED, eip=replace(EIP, stage=stage)))

    assert {
        BindStage.BINDING: "binding EIP 198.18.0.1 (eip-1) to 10.0.1.7 is begun",
        BindStage.BOUND: "EIP 198.18.0.1 (eip-1) is bound to 10.0.1.7",
        BindStage.UNBINDING: "unbinding EIP 198.18.0.1 (eip-1) is begun",
    }[stage] == change.text


def test_how_a_fixed_address_comes_is_told():
    key = SandboxKey(container_id="claim-1", ifname="")
    coming = replace(
        HELD, fixed="claim-1", missing_since=1.0, state=Held(key=key, pod=REF, until=9.0, by_name=True)
    )
    there = replace(coming, missing_since=None)

    assert texts(of_address(None, coming)) == [
        ("address", "its fixed address 10.0.1.7 is being assigned to eni-1")
    ]
    assert texts(of_address(coming, there)) == [
        ("address", "its fixed address 10.0.1.7 is at eni-1, and waits for its sandbox")
    ]
    assert texts(of_address(there, there)) == []
    ended = replace(HELD, fixed="claim-1")
    assert texts(of_address(replace(ASSIGNED, fixed="claim-1"), ended)) == [
        ("DEL", "the sandbox is gone; 10.0.1.7 is held for the Pod")
    ]
