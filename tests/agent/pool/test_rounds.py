"""What the pool does in its rounds, and what it says of itself; the cloud is played by the test."""

import threading

import pytest

from ipamd.agent.enis import NodeEni
from ipamd.agent.pool.executor import SubnetRefusedError
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.pool import Pool, PoolTerms
from ipamd.agent.pool.writes import CREATION
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model, pool
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Assigned, Cooling, Unassigning, Warm
from ipamd.net.model import EniLink
from ipamd.store.database import Database
from tests.testkit.eventually import comes_about, eventually
from tests.testkit.pods import pod_ref

FULL = cloud_error("AssignPrivateIpAddresses", "ResourceInsufficient.Subnet", "no address left", "r-1")
NO_MONEY = cloud_error("AssignPrivateIpAddresses", "LimitExceeded", "no more", "r-2")
LINK = EniLink(mac="m", name="eth1", ifindex=3, table=4003, mark=1, mtu=1500)


def eni(number=1, *, problem="", link=LINK, unusable=0, state="AVAILABLE"):
    return NodeEni(
        eni_id=f"eni-{number}",
        mac="m",
        subnet_id=f"subnet-{number}",
        gateway="",
        problem=problem,
        link=None if problem else link,
        unusable=unusable,
        state=state,
    )


class Cloud:
    """What the pool asks of its executor and of the node's ENIs: assigns until it is told an error."""

    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, ledger.Ledger())
        self.subnet_ids = ("subnet-1", "subnet-2")
        self.enis: dict[str, NodeEni] = {}
        self.foreign = 0
        self.are_known = True
        self.left_over: list[str] = []
        self.resumed: list[str] = []
        self.assigned: list[pool.AssignIps] = []
        self.created: list[tuple[pool.CreateEni, frozenset[str]]] = []
        self.given_back: list[tuple[str, tuple[str, ...]]] = []
        self.looks = 0
        self.refusal: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def add(self, made, *states):
        self.enis[made.eni_id] = made
        now = self.shared_ledger.now()
        addresses = [
            Address(ip=f"10.0.{made.eni_id[-1]}.{number}", eni_id=made.eni_id, state=state, added_at=now)
            for number, state in enumerate(states, 10)
        ]
        self.shared_ledger.apply(lambda current: current.changed(*addresses))

    def unfinished(self):
        return tuple(self.left_over)

    def resume(self, intent):
        self.resumed.append(intent)

    def look(self):
        self.looks += 1
        self._answer()
        self.are_known = True

    def assign(self, action):
        self._answer()
        self.assigned.append(action)
        number = 20 + len(self.assigned) * 10
        ips = [f"10.0.9.{number + index}" for index in range(action.count)]
        self.shared_ledger.note(
            lambda current: ledger.adopt(current, action.eni_id, ips, self.shared_ledger.now())
        )

    def create(self, action, closed):
        self._answer()
        self.created.append((action, closed))
        self.add(eni(len(self.enis) + 1))
        return f"subnet-{len(self.enis)}"

    def unassign(self, eni_id, ips):
        self._answer()
        self.given_back.append((eni_id, ips))
        self.shared_ledger.note(lambda current: ledger.forget(current, ips))

    def _answer(self):
        assert self.gate.wait(30)
        if self.refusal:
            raise self.refusal


class Scene:
    def __init__(self, database):
        self.cloud = Cloud(database)
        self.freeze = PoolFreeze(database, wall=lambda: 0.0)
        self.targets = pool.Targets(min_warm=2, max_warm=3, release_interval=0.01)
        self.limits = model.EniLimits(enis=3, ips_per_eni=6)
        self.disabled_by = ""
        self.told_foreign: list[int] = []
        self.pool = Pool(
            self._terms,
            shared_ledger=self.cloud.shared_ledger,
            enis=self.cloud,
            actions=self.cloud,
            freeze=self.freeze,
        )

    def _terms(self, foreign):
        self.told_foreign.append(foreign)
        return PoolTerms(
            limits=self.limits, targets=self.targets, cooldown=30.0, disabled_by=self.disabled_by
        )

    @property
    def warm(self):
        return self.cloud.shared_ledger.current.pooled.free()

    def refused(self, subject, error):
        """Let a write for a subject have been refused."""
        self.pool.writes.growth.failed(subject, error)

    def used(self, number=1):
        key = model.SandboxKey(container_id=f"c{number}", ifname="eth0")
        return Assigned(key=key, pod=pod_ref(), since=1.0, host_interface="veth", host_mac="")


@pytest.fixture
def scene(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        made = Scene(database)
        yield made
        made.cloud.gate.set()
        made.pool.stop(10.0)


def test_addresses_are_assigned_to_what_there_is_until_enough_are_warm(scene):
    scene.cloud.add(eni(1))

    scene.pool.start()

    eventually(lambda: scene.warm == 2)
    assert [(action.eni_id, action.count) for action in scene.cloud.assigned] == [("eni-1", 2)]
    assert scene.cloud.created == []
    assert scene.pool.activity == ""
    assert set(scene.told_foreign) == {0}


def test_a_node_without_eni_gets_one(scene):
    scene.pool.start()

    eventually(lambda: scene.cloud.created)
    ((action, closed),) = scene.cloud.created
    assert (action.count, closed) == (2, frozenset())


def test_creations_that_a_crash_cut_short_come_first(scene):
    scene.cloud.left_over.append("intent-1")

    scene.pool.start()

    eventually(lambda: scene.cloud.resumed == ["intent-1"])


def test_surplus_goes_back_one_address_at_a_time_and_what_a_crash_has_left_retired_too(scene):
    old = Unassigning(since=1.0)
    scene.cloud.add(eni(1), *[Warm(since=1.0)] * 5)
    scene.cloud.add(eni(2), old, old)

    scene.pool.start()

    eventually(lambda: scene.warm == 3)
    eventually(lambda: len(scene.cloud.given_back) == 3)
    assert ("eni-2", ("10.0.2.10", "10.0.2.11")) in scene.cloud.given_back
    assert [len(ips) for eni_id, ips in scene.cloud.given_back if eni_id == "eni-1"] == [1, 1]


def test_what_cannot_be_given_back_is_not_tried_again_at_once_and_lets_the_eni_grow(scene):
    scene.cloud.add(eni(1), *[Warm(since=1.0)] * 5)
    scene.cloud.refusal = NO_MONEY

    scene.pool.start()

    eventually(lambda: scene.pool.writes.returns.is_closed("eni-1"))
    assert (
        scene.pool.activity
        == "eni-1: AssignPrivateIpAddresses failed with LimitExceeded: no more (RequestId r-2)"
    )
    assert scene.pool.refusals() == [], "nobody waits for that"
    (seen,) = scene.pool.facts().enis
    assert (seen.keeps, seen.refused) == (True, False)


def test_a_frozen_pool_orders_nothing_and_gives_nothing_back_until_it_is_thawed(scene):
    scene.freeze.on_change(scene.pool.trigger)
    scene.freeze.freeze()
    scene.cloud.add(eni(1), Unassigning(since=1.0))
    scene.pool.start()
    assert not comes_about(lambda: scene.cloud.assigned or scene.cloud.given_back, 0.2)
    assert scene.pool.activity == "frozen by an operator"

    scene.freeze.thaw()

    eventually(lambda: scene.warm == 2 and scene.cloud.given_back)


def test_who_does_not_know_its_enis_looks_and_orders_nothing(scene):
    scene.cloud.are_known = False
    scene.cloud.refusal = NO_MONEY
    scene.pool.start()
    eventually(lambda: scene.pool.writes.growth.is_closed(CREATION))
    assert scene.cloud.looks == 1
    assert scene.cloud.created == []

    scene.pool.trigger()
    assert not comes_about(lambda: scene.cloud.looks > 1, 0.2), "it waits for its pause"


def test_it_says_what_is_under_way_and_that_a_pod_may_wait_for_it(scene):
    scene.cloud.add(eni(1))
    scene.cloud.gate.clear()

    with scene.pool.demand():
        scene.pool.start()
        eventually(scene.pool.writes.arriving)
        facts = scene.pool.facts()
        assert (facts.waiting, facts.creating) == (1, False)
        assert facts.arriving == sum(scene.pool.writes.arriving().values()) > 0
        assert facts.enis[0].busy
        assert scene.pool.obstacle() is None
        assert "addresses for eni-1" in scene.pool.waited_for()
    assert scene.pool.facts().waiting == 0


def test_a_creation_under_way_is_one(scene):
    scene.cloud.gate.clear()
    scene.pool.start()
    eventually(scene.pool.writes.arriving)

    assert scene.pool.facts().creating


def test_only_a_full_subnet_is_closed_by_a_refusal(scene):
    scene.cloud.add(eni(1))
    scene.cloud.add(eni(2))
    scene.cloud.subnet_ids = ("subnet-2", "subnet-3")
    assert scene.pool.facts().closed_subnets == frozenset()

    scene.refused("eni-1", FULL)
    scene.refused("eni-2", NO_MONEY)
    scene.refused("subnet-3", TryAgainError("not now"))
    facts = scene.pool.facts()
    assert facts.closed_subnets == {"subnet-1"}
    assert [seen.refused for seen in facts.enis] == [True, True]
    assert facts.may_create

    scene.refused("subnet-3", FULL)
    assert scene.pool.facts().closed_subnets == {"subnet-1", "subnet-3"}

    for subject in ("eni-1", "subnet-3"):
        scene.pool.writes.growth.succeeded(subject)
    assert scene.pool.facts().closed_subnets == frozenset()


def test_a_subnet_that_refuses_an_eni_for_any_reason_is_not_chosen_next(scene):
    scene.refused("subnet-2", NO_MONEY)

    scene.pool.start()

    eventually(lambda: scene.cloud.created)
    assert scene.cloud.created[0][1] == {"subnet-2"}


def test_a_subnet_that_refuses_leaves_the_next_one_to_be_tried_at_once(scene):
    scene.cloud.refusal = SubnetRefusedError("subnet-1", FULL)
    scene.pool.start()
    eventually(lambda: scene.pool.writes.growth.is_closed("subnet-1"))

    scene.cloud.refusal = None

    eventually(lambda: scene.cloud.created)
    assert scene.cloud.created[0][1] == {"subnet-1"}


@pytest.mark.parametrize(
    ("made", "addresses"),
    [
        (eni(1), 2),
        (eni(1, unusable=2), 4),
        (eni(1, problem="no route"), 5),
        (eni(1, link=None), 5),
    ],
)
def test_an_eni_has_the_room_that_its_addresses_leave_and_none_where_it_cannot_carry_pods(
    scene, made, addresses
):
    scene.cloud.add(made, Warm(since=1.0), scene.used())

    (seen,) = scene.pool.facts().enis

    assert (seen.addresses, seen.broken) == (addresses, bool(made.problem))


def test_room_for_fixed_addresses_is_made_once_and_its_lack_is_said(scene):
    scene.cloud.add(eni(1), Warm(since=1.0), Warm(since=1.0))
    scene.pool.start()
    assert scene.pool.no_room("subnet-1") == ""

    for _ in range(2):
        scene.pool.make_room({"subnet-2": 1})

    eventually(lambda: scene.cloud.created)
    assert scene.cloud.created[0][0].subnet_id == "subnet-2"


@pytest.mark.parametrize(
    ("states", "least", "said"),
    [
        ([], 2, 1),
        ([], 0, 0),
        ([Warm(since=1.0)], 2, 0),
        ([Cooling(until=1e9)], 2, 0),
        ([Unassigning(since=1.0)], 2, 1),
    ],
)
def test_a_pool_is_dry_when_it_should_have_an_address_and_none_is_there_or_comes_free(
    scene, states, least, said
):
    scene.targets = pool.Targets(min_warm=least, max_warm=3)
    scene.cloud.add(eni(1), *states)

    sentences = scene.pool.dry()

    assert sentences == ["none has come: the cloud has not been asked for more addresses yet"] * said


def test_a_full_node_says_what_a_pod_waits_for(scene):
    scene.limits = model.EniLimits(enis=2, ips_per_eni=3)
    scene.cloud.add(eni(1), scene.used(), Cooling(until=1e9))

    assert scene.pool.waited_for() == (
        "all addresses that the node can have are taken, 1 of them become free after their cool-down, "
        "0 are held for Pods that may come back and give way"
    )
    assert scene.pool.advice() == ""


def test_the_advice_of_the_first_refusal_that_has_one_is_given(scene):
    scene.cloud.add(eni(1))
    scene.refused("eni-1", TryAgainError("busy"))
    assert scene.pool.advice() == ""

    scene.refused("subnet-1", FULL)
    scene.refused(CREATION, TryAgainError("busy", advice="wait"))

    assert scene.pool.advice() == FULL.advice
    assert scene.pool.refusals()[0] == FULL


def test_a_disabled_node_and_one_whose_enis_are_broken_say_so(scene):
    scene.limits = model.EniLimits(enis=2, ips_per_eni=3)
    scene.cloud.add(eni(1, problem="no route"))
    assert "1 ENIs of the node cannot carry Pods: no route" in str(scene.pool.obstacle())

    scene.cloud.enis = {"eni-1": eni(1, problem="not listed", state="MISSING")}
    assert "cannot carry Pods" not in str(scene.pool.obstacle())

    scene.disabled_by = "NodeENIConfig all"
    assert "disabled by NodeENIConfig all" in str(scene.pool.obstacle())
