"""Which facts of a node decide what is due for its fixed addresses, and who is told of the room they need."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.agent.fixed.plan import AttachPlan
from ipamd.core.annotations.networks import DIRECT_ENI
from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import ClaimBinding, ClaimPod
from ipamd.core.kubernetes.annotation_names import NETWORKS
from ipamd.core.ledger import fixed_addresses
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.pool import EniCapacity
from ipamd.core.timing.boottime import Boottime
from ipamd.core.vpc_ip.attach_actions import (
    AssignFixed,
    AttachEni,
    MakeEniRoom,
    MakeRoom,
    TellMisplaced,
    UnassignFixed,
    WithdrawBinding,
)
from tests.testkit import claims
from tests.testkit.pods import pod_ref, pod_view
from tests.testkit.vpc_ip_claims import ADDRESS, ASSIGNED_SAID, IP, ON_A, SUBNET, UID, vpc_ip_claim

POD = pod_ref("web-0", "pod-1")
SHARED = vpc_ip_claim()
OWN = vpc_ip_claim(
    exclusive=True,
    request=VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, exclusive=True),
    address=replace(ADDRESS, eni_id="eni-7"),
)
EMPTY = Ledger()
RUNS = pod_view(uid="pod-1")
RUNS_WITH_OWN = pod_view({NETWORKS: DIRECT_ENI}, uid="pod-1")


class Pool:
    """One ENI in the claim's subnet, and what it is asked to have room for."""

    def __init__(self):
        self.enis = (EniCapacity(eni_id="eni-1", subnet_id=SUBNET, addresses=3),)
        self.room: dict[str, int] = {"subnet-before": 1}

    def facts(self):
        return SimpleNamespace(enis=self.enis, limits=SimpleNamespace(ips_per_eni=10))

    def make_room(self, demand):
        self.room = dict(demand)


class Places:
    is_on, places = True, 1

    def __init__(self):
        self.kept = 9

    def make_room(self, coming):
        self.kept = coming


class Node:
    """A node of which a test says the facts; all watches have caught up."""

    def __init__(self, *of_node, pods=(RUNS,), ledger=EMPTY):
        self.of_node, self.pods = of_node, {pod.ref: pod for pod in pods}
        self.ledger, self.enis_known, self.attached, self.eip_claim = ledger, True, {}, None
        self.claims_synced = self.pods_synced = True
        self.pool, self.places = Pool(), Places()

    @property
    def plan(self):
        return AttachPlan(
            node="node-a",
            zone=lambda: ADDRESS.zone,
            shared_ledger=SimpleNamespace(current=self.ledger, now=lambda: Boottime(1000.0)),
            claims=SimpleNamespace(
                is_empty=not self.of_node, all=lambda: self.of_node, has_synced=self.claims_synced
            ),
            pods=SimpleNamespace(known=self.pods.get, has_synced=self.pods_synced),
            enis=SimpleNamespace(
                are_known=self.enis_known,
                exclusive=SimpleNamespace(
                    enis={
                        eni_id: SimpleNamespace(is_attached=attached)
                        for eni_id, attached in self.attached.items()
                    }
                ),
            ),
            pool=self.pool,
            places=self.places,
            eip_claims=SimpleNamespace(known=lambda pod: self.eip_claim if pod == POD else None),
        )

    @property
    def actions(self):
        return [type(action) for action in self.plan.due().actions]


def leaving():
    """An address whose claim does not want it here any more."""
    hold = fixed_addresses.FixedHold(claim_uid=UID, pod=POD, until=Boottime(900.0))
    held = fixed_addresses.confirm_assigned(
        fixed_addresses.begin_assign(EMPTY, IP, "eni-1", hold, Boottime(800.0)).ledger, IP, UID
    ).ledger
    return fixed_addresses.let_go(held, held.addresses[IP], Boottime(990.0)).ledger


def test_nothing_is_due_while_it_is_not_known_which_addresses_the_node_has():
    node = Node(SHARED)
    node.enis_known = False

    assert node.plan.due() is None
    assert (node.pool.room, node.places.kept) == ({"subnet-before": 1}, 9), "nothing is known of it either"


def test_a_node_without_fixed_addresses_keeps_no_room_any_more():
    node = Node()

    due = node.plan.due()

    assert (due.actions, due.claims) == ((), frozenset())
    assert (node.pool.room, node.places.kept) == ({}, 0)
    assert node.plan.is_needless
    assert not Node(SHARED).plan.is_needless
    assert not Node(ledger=leaving()).plan.is_needless


def test_the_address_of_a_pod_that_may_get_a_sandbox_is_assigned():
    node = Node(SHARED)

    due = node.plan.due()

    assert due.actions == (AssignFixed(claim=SHARED, pod=POD, ip=IP, eni_id="eni-1"),)
    assert due.claims == {UID}
    assert (node.pool.room, node.places.kept) == ({SUBNET: 1}, 0)


def test_an_eni_that_is_full_needs_room_in_the_claims_subnet():
    node = Node(SHARED)
    node.pool.enis = (EniCapacity(eni_id="eni-1", subnet_id=SUBNET, addresses=9),)

    assert node.actions == [MakeRoom]
    assert node.pool.room == {SUBNET: 1}


@pytest.mark.parametrize(
    "pods",
    [
        pytest.param((), id="nobody knows it"),
        pytest.param((replace(RUNS, deleting=True),), id="it is being deleted"),
        pytest.param((pod_view(uid="pod-2"),), id="another of its name"),
        pytest.param((RUNS_WITH_OWN,), id="it asks for an ENI of its own"),
    ],
)
def test_no_address_comes_for_a_pod_that_gets_no_sandbox_with_it(pods):
    node = Node(SHARED, pods=pods)

    assert node.actions == []
    assert node.pool.room == {}


def test_no_eni_comes_for_a_pod_that_asks_for_none():
    assert Node(OWN, pods=[RUNS]).actions == []


@pytest.mark.parametrize("behind", ["claims_synced", "pods_synced"])
def test_before_the_watches_have_caught_up_only_what_was_let_go_is_unassigned(behind):
    other = vpc_ip_claim(name="web-1", uid="claim-2", address=replace(ADDRESS, ip="10.0.1.51"))
    node = Node(other, pods=[pod_view(name="web-1", uid="pod-1")], ledger=leaving())
    assert set(node.actions) == {AssignFixed, UnassignFixed}

    setattr(node, behind, False)

    assert node.actions == [UnassignFixed]


def test_the_eni_of_a_pod_is_attached_where_a_place_is_free():
    node = Node(OWN, pods=[RUNS_WITH_OWN])

    assert node.actions == [AttachEni]
    assert node.places.kept == 1
    node.places.places = 0
    assert node.actions == [MakeEniRoom]
    node.places.is_on = False
    assert node.actions == [TellMisplaced]


@pytest.mark.parametrize(("attached", "action"), [(True, AttachEni), (False, MakeEniRoom)])
def test_an_eni_that_is_being_attached_needs_no_further_place(attached, action):
    node = Node(OWN, pods=[RUNS_WITH_OWN])
    node.places.places = 0
    node.attached = {"eni-7": attached}

    assert node.actions == [action]


def eip_claim(*, node="node-a", eni_id="eni-7"):
    binding = ClaimBinding(node=node, eni_id=eni_id, private_ip=IP, pod_uid="pod-1")
    return claims.claim(binding=binding)


@pytest.mark.parametrize(
    ("binding", "stays"),
    [
        ({}, True),
        ({"node": "node-b"}, False),
        ({"eni_id": "eni-8"}, False),
        (None, False),
    ],
)
def test_a_claim_says_that_its_eni_is_here_for_as_long_as_the_eip_says_so(binding, stays):
    gone = ClaimPod(uid="pod-1", node="node-b")
    told = replace(OWN, binding=ON_A, assigned_ip=IP, conditions=(ASSIGNED_SAID,), pod=gone)
    node = Node(told, pods=[])
    node.eip_claim = None if binding is None else eip_claim(**binding)

    assert node.actions == ([] if stays else [WithdrawBinding])


def test_the_eip_of_a_claim_without_an_eni_of_its_own_keeps_nothing_here():
    told = replace(SHARED, binding=ON_A, pod=ClaimPod(uid="pod-1", node="node-b"))
    node = Node(told, pods=[])
    node.eip_claim = eip_claim(eni_id="")

    assert node.actions == [WithdrawBinding]
