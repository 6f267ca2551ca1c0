"""What `ipamctl` is told of a pool: each address is counted once, by what it is doing."""

import time
from types import SimpleNamespace
from typing import Any

import pytest

from ipamd.agent.introspection import Identity, IntrospectionService
from ipamd.core import model, pool
from ipamd.core.exclusive_pool import EniTargets
from ipamd.core.ledger.ledger import Ledger
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
from ipamd.core.timing.boottime import Boottime
from ipamd.rpc import introspection_pb2 as messages
from tests.testkit.pods import pod_ref

NOW = Boottime(1000.0)
EIP = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.UNBINDING)
LIMITS = model.EniLimits(enis=2, ips_per_eni=10)
INSTANCE: Any = SimpleNamespace(instance_id="ins-1", zone="z", vpc_id="vpc-1", subnet_id="subnet-1", vcpus=4)


def used(number):
    key = model.SandboxKey(container_id=f"c{number}", ifname="eth0")
    return Assigned(
        key=key, pod=pod_ref(f"web-{number}"), since=1.0, host_interface="veth", host_mac="", netns="/n"
    )


def held(number):
    key = model.SandboxKey(container_id=f"c{number}", ifname="eth0")
    return Held(key=key, pod=pod_ref(), until=2000.0, by_name=False)


def occupied(_):
    return Occupied(host_interface="veth", host_mac="", pod=None, since=1.0)


# How many of each; no sum of two is what `|`, `^` or another operator makes of them.
NUMBERS = {
    "warm": (5, lambda _: Warm(since=1.0)),
    "used": (3, used),
    "occupied": (3, occupied),
    "held": (2, held),
    "cooling": (3, lambda _: Cooling(until=2000.0)),
    "unbinding": (3, lambda _: Unbinding(since=1.0)),
    "unassigning": (2, lambda _: Unassigning(since=1.0)),
}


def address(number, state, *, exclusive=False, missing=None):
    return Address(
        ip=f"10.0.{2 if exclusive else 1}.{number}",
        eni_id="eni-1",
        state=state,
        added_at=0.0,
        eip=EIP if isinstance(state, Unbinding) else None,
        exclusive=exclusive,
        missing_since=missing,
    )


def whole_ledger():
    states = [make(n) for number, make in NUMBERS.values() for n in range(number)]
    shared = [address(number, state) for number, state in enumerate(states, 10)]
    lost = [address(100, Warm(since=1.0), missing=1.0), address(101, used(101), missing=1.0)]
    whole = [address(number, Warm(since=1.0), exclusive=True) for number in range(4)]
    return Ledger.of([*shared, *lost, *whole])


def service(ledger, *, limit=0, components=(), enis=None, told=None):
    return IntrospectionService(
        Identity(node="node-a", region="r", instance=lambda: INSTANCE, started_at=Boottime(900.0)),
        shared_ledger=SimpleNamespace(current=ledger, now=lambda: NOW),
        pool=SimpleNamespace(
            terms=SimpleNamespace(limits=LIMITS, targets=pool.Targets(min_warm=2, max_warm=7)),
            activity="frozen",
        ),
        exclusive_pool=SimpleNamespace(
            limit=limit,
            targets=EniTargets(min_warm=1, max_warm=3, release_interval=1.0),
            activity="busy",
        ),
        enis=SimpleNamespace(
            other_public_ips=1, enis=enis or {}, exclusive=SimpleNamespace(enis={}), foreign=0
        ),
        eip_reconciler=SimpleNamespace(told=lambda: told or {}),
        problems=SimpleNamespace(
            all_problems=lambda: ["a problem"],
            notices=lambda: ["a notice"],
            components=SimpleNamespace(look=lambda: components),
        ),
    )


def test_every_address_of_a_pool_is_counted_once():
    status = service(whole_ledger(), limit=3).GetStatus(messages.GetStatusRequest(), None)

    shared, whole = status.pool, status.exclusive_enis
    assert (shared.total, shared.in_use, shared.warm, shared.held) == (23, 6, 5, 2)
    assert (shared.cooling, shared.quarantined) == (8, 2)
    assert (shared.min_warm, shared.max_warm, shared.limit, shared.activity) == (2, 7, 9, "frozen")
    assert (whole.total, whole.warm, whole.in_use, whole.quarantined) == (4, 4, 0, 0)
    assert (whole.min_warm, whole.max_warm, whole.limit, whole.activity) == (1, 3, 3, "busy")


def test_the_status_says_who_the_node_is_and_since_when():
    status = service(Ledger()).GetStatus(messages.GetStatusRequest(), None)

    assert (status.node, status.instance_id, status.zone, status.vpc_id) == ("node-a", "ins-1", "z", "vpc-1")
    assert (list(status.problems), list(status.notices)) == (["a problem"], ["a notice"])
    assert abs(status.started_at_unix - (time.time() - 100)) < 10
    assert "direct-eni" not in status.capacity
    assert len(status.addresses) == 0


def test_whole_enis_are_offered_where_there_are_some():
    status = service(Ledger(), limit=3).GetStatus(messages.GetStatusRequest(), None)

    assert status.capacity["direct-eni"] == 3


def test_addresses_are_told_on_request_in_the_order_of_their_numbers():
    ledger = Ledger.of(
        [address(100, Warm(since=1.0)), address(20, used(20)), address(3, Cooling(until=1100.0))]
    )

    status = service(ledger).GetStatus(messages.GetStatusRequest(addresses=True), None)

    assert [entry.ip for entry in status.addresses] == ["10.0.1.3", "10.0.1.20", "10.0.1.100"]
    cooling, used_entry, _ = status.addresses
    assert abs(cooling.until_unix - (time.time() + 100)) < 10
    assert (used_entry.pod, used_entry.until_unix) == ("default/web-20", 0)


@pytest.mark.parametrize(
    ("age", "detail", "troubles", "state"),
    [
        (None, "", (), "waiting"),
        (None, "off", (), "ok"),
        (5.0, "", (), "ok"),
        (5.0, "", ("away",), "trouble"),
        (None, "", ("away",), "trouble"),
    ],
)
def test_a_component_is_well_in_trouble_or_waited_for(age, detail, troubles, state):
    sight = SimpleNamespace(name="cloud", age=age, detail=detail, troubles=troubles)

    status = service(Ledger(), components=[sight]).GetStatus(messages.GetStatusRequest(), None)

    (told,) = status.components
    assert (told.name, told.state, list(told.troubles)) == ("cloud", state, list(troubles))
    if age is None:
        assert told.last_good_unix == 0
    else:
        assert abs(told.last_good_unix - (time.time() - age)) < 10


def test_pods_are_listed_by_name_whether_their_sandbox_is_known_or_not():
    stranger = Occupied(host_interface="veth9", host_mac="", pod=pod_ref("db-0"), since=1.0)
    ledger = Ledger.of(
        [address(10, used(1)), address(11, stranger), address(12, occupied(0)), address(13, held(13))]
    )

    listed = service(ledger).ListPods(messages.ListPodsRequest(), None).pods

    assert [(pod.name, pod.private_ip, pod.netns) for pod in listed] == [
        ("db-0", "10.0.1.11", ""),
        ("web-1", "10.0.1.10", "/n"),
    ]
    assert [pod.host_interface for pod in listed] == ["veth9", "veth"]


def test_enis_are_listed_with_what_of_them_is_in_use():
    link = SimpleNamespace(name="eth1", table=4003)
    enis = {
        name: SimpleNamespace(eni_id=name, mac="m", subnet_id="s", state=state, link=made)
        for name, state, made in (("eni-2", "", None), ("eni-1", "AVAILABLE", link))
    }
    ledger = Ledger.of([address(10, used(1)), address(11, occupied(0)), address(12, Warm(since=1.0))])

    first, second = service(ledger, enis=enis).ListEnis(messages.ListEnisRequest(), None).enis

    assert (first.eni_id, first.interface, first.route_table, first.state) == (
        "eni-1",
        "eth1",
        4003,
        "AVAILABLE",
    )
    assert (first.addresses, first.in_use, first.address_limit) == (3, 2, 9)
    assert (second.eni_id, second.interface, second.route_table, second.state) == ("eni-2", "", 0, "UNKNOWN")
    assert (second.addresses, second.in_use) == (0, 0)


def test_eips_are_listed_with_their_claim_or_pod_and_errors_also_of_those_that_are_nowhere():
    def bound(number, state, claim=""):
        eip = Binding(eip_id=f"eip-{number}", public_ip="p", stage=BindStage.BOUND, claim=claim)
        return Address(ip=f"10.0.1.{number}", eni_id="eni-1", state=state, added_at=0.0, eip=eip)

    ledger = Ledger.of(
        [
            bound(1, used(1), claim="default/a"),
            bound(2, used(2)),
            bound(3, Unbinding(since=1.0), claim="default/c"),
            bound(4, occupied(0)),
        ]
    )
    told = {"default/a": "no quota", "default/z": "no such EIP"}

    listed = service(ledger, told=told).ListEips(messages.ListEipsRequest(), None).eips

    assert [(e.namespace, e.name, e.eip_id, e.state, e.last_error) for e in listed] == [
        ("", "", "eip-4", "bound", ""),
        ("default", "a", "eip-1", "bound", "no quota"),
        ("default", "c", "eip-3", "unbinding", ""),
        ("default", "web-2", "eip-2", "bound", ""),
        ("default", "z", "", "unbound", "no such EIP"),
    ]
