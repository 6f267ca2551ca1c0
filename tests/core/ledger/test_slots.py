"""What the addresses of an ENI are used for, in words."""

from dataclasses import replace

import pytest

from ipamd.core.ledger.slots import Slot, SlotKind, slots, whole
from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Binding,
    BindStage,
    Cooling,
    Held,
    Occupied,
    Unassigning,
    Unbinding,
    Warm,
)
from ipamd.core.model import SandboxKey
from ipamd.core.timing.boottime import Boottime
from tests.testkit.pods import pod_ref

NOW = Boottime(100.0)
KEY = SandboxKey(container_id="c", ifname="eth0")
EIP = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BOUND, claim="default/web-0")
ASSIGNED = Assigned(key=KEY, pod=pod_ref(), since=NOW, host_interface="eni1", host_mac="02:00:00:00:00:01")


def address(state, ip="10.0.1.5", **changes):
    return Address(ip=ip, eni_id="eni-a", state=state, added_at=NOW, **changes)


@pytest.mark.parametrize(
    ("content", "kind", "label"),
    [
        (address(Warm(since=NOW)), SlotKind.FREE, "10.0.1.5: free"),
        (address(ASSIGNED), SlotKind.POD, "10.0.1.5: Pod default/web-0"),
        (
            address(ASSIGNED, eip=EIP),
            SlotKind.POD,
            "10.0.1.5: Pod default/web-0, EIP 198.18.0.1 (bound)",
        ),
        (
            address(Occupied(host_interface="e", host_mac="m", pod=None, since=NOW)),
            SlotKind.POD,
            "10.0.1.5: a Pod of before the store was lost",
        ),
        (
            address(Held(key=KEY, pod=pod_ref(), until=Boottime(130.0), by_name=False)),
            SlotKind.HELD,
            "10.0.1.5: held for Pod default/web-0, 30 s more",
        ),
        (address(Cooling(until=Boottime(90.0))), SlotKind.COOLING, "10.0.1.5: cools down, 0 s more"),
        (
            address(Unbinding(since=NOW), eip=EIP),
            SlotKind.COOLING,
            "10.0.1.5: its EIP is being unbound, EIP 198.18.0.1 (bound)",
        ),
        (address(Unassigning(since=NOW)), SlotKind.COOLING, "10.0.1.5: on its way back to the cloud"),
        (
            address(ASSIGNED, missing_since=NOW),
            SlotKind.QUARANTINED,
            "10.0.1.5: the cloud does not list it, of Pod default/web-0",
        ),
    ],
)
def test_an_address_says_what_it_is_used_for(content, kind, label):
    assert slots([content], 2, NOW)[1:] == (Slot(kind, label),)


def test_an_eni_has_a_slot_for_each_address_that_it_may_have():
    found = slots([address(Warm(since=NOW)), address(ASSIGNED, ip="10.0.1.6")], 6, NOW)

    assert [slot.kind for slot in found] == [
        SlotKind.PRIMARY,
        SlotKind.POD,
        SlotKind.FREE,
        SlotKind.NONE,
        SlotKind.NONE,
        SlotKind.NONE,
    ]


def test_more_addresses_than_it_may_have_are_all_shown():
    found = slots([address(Warm(since=NOW), ip=f"10.0.1.{n}") for n in range(4)], 3, NOW)

    assert len(found) == 5


def test_of_an_eni_that_one_pod_has_the_address_tells_all():
    assert whole(address(ASSIGNED), NOW) == Slot(SlotKind.POD, f"10.0.1.5: Pod {pod_ref()}")
    assert whole(None, NOW) == Slot(SlotKind.NONE, "no Pod can have it")


def test_a_fixed_address_on_its_way_has_its_place():
    key = SandboxKey(container_id="claim-1", ifname="")
    coming = replace(
        address(Held(key=key, pod=pod_ref(), until=NOW, by_name=True)), missing_since=NOW, fixed="claim-1"
    )

    (slot,) = slots([coming], 2, NOW)[1:]
    assert slot == Slot(SlotKind.HELD, f"10.0.1.5: being assigned, the fixed address of Pod {pod_ref()}")
