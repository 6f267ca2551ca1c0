"""What the pool of whole ENIs has done, waits for and says; the cloud's part is played by the test."""

import time

import pytest

from ipamd.agent.exclusive.pool import ExclusivePool, ExclusiveTerms
from ipamd.agent.pool.executor import SubnetRefusedError
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.obstacle import NodeDisabledError
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.exclusive_pool import EniTargets
from ipamd.core.ledger import acquisition, ledger
from ipamd.core.ledger.states import Address, Unassigning, Warm
from ipamd.core.model import SandboxKey
from ipamd.store.database import Database
from tests.testkit.eventually import eventually
from tests.testkit.pods import pod_ref

NO_MONEY = cloud_error("CreateAndAttachNetworkInterface", "LimitExceeded", "no more", "r-1")
TWO = EniTargets(min_warm=1, max_warm=2, release_interval=0.05)


class Cloud:
    """Makes ENIs until it is told an error, and takes them back; the ledger learns of both."""

    def __init__(self, database):
        self.shared_ledger = SharedLedger(database, ledger.Ledger())
        self.subnet_ids = ("subnet-1", "subnet-2")
        self.enis: dict[str, str] = {}
        self.foreign = 0
        self.are_known = True
        self.left_over: list[str] = []
        self.resumed: list[str] = []
        self.closed: list[frozenset[str]] = []
        self.removed: list[str] = []
        self.refusals: list[Exception] = []
        self.keeps: Exception | None = None

    @property
    def attached(self):
        return len(self.enis)

    def add(self, number):
        eni_id, ip = f"eni-{number}", f"10.0.1.{number}"
        self.enis[eni_id] = ip
        now = self.shared_ledger.now()
        address = Address(ip=ip, eni_id=eni_id, state=Warm(since=now), added_at=now, exclusive=True)
        self.shared_ledger.apply(lambda current: current.changed(address))

    def give(self, name="game-0", *, hold=None):
        """Let a Pod have one, and its sandbox be gone again when the address is held."""
        key, now = SandboxKey(container_id=f"c-{name}", ifname="eth0"), self.shared_ledger.now()
        attachment = acquisition.Attachment(key=key, pod=pod_ref(name, name), exclusive=True)
        self.shared_ledger.apply(lambda current: acquisition.acquire(current, attachment, 30.0, now))
        if hold is not None:
            held = ledger.AddressHold(until=now + hold, by_name=False)
            self.shared_ledger.apply(lambda current: ledger.release(current, key, held, 30.0, now))

    # ---- what the pool asks of its executor

    def unfinished(self):
        return tuple(self.left_over)

    def resume(self, intent):
        self.left_over.remove(intent)
        self.resumed.append(intent)

    def create(self, action, closed):
        assert action.count == 0
        self.closed.append(closed)
        if self.refusals:
            raise self.refusals.pop(0)
        self.add(len(self.closed) + 100)

    def remove(self, eni_id, ip):
        if self.keeps is not None:
            raise self.keeps
        assert self.enis.pop(eni_id) == ip
        self.removed.append(eni_id)
        self.shared_ledger.apply(lambda current: ledger.forget(current, [ip]))


class Scene:
    def __init__(self, database):
        self.cloud = Cloud(database)
        self.freeze = PoolFreeze(database, wall=lambda: 0.0)
        self.terms = ExclusiveTerms(quota=3, targets=TWO)
        self.pool = ExclusivePool(
            lambda: self.terms,
            shared_ledger=self.cloud.shared_ledger,
            node_enis=self.cloud,
            enis=self.cloud,
            actions=self.cloud,
            freeze=self.freeze,
        )

    @property
    def ledger(self):
        return self.cloud.shared_ledger.current.exclusive

    def full(self):
        """All that the node may have are there, none is free, and one should be."""
        for number in (10, 11, 12):
            self.cloud.add(number)
            self.cloud.give(f"game-{number}")

    def begin(self):
        self.pool.start()
        self.pool.trigger()


@pytest.fixture
def scene(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        made = Scene(database)
        yield made
        made.pool.stop(10.0)


def test_nothing_runs_where_the_mode_is_off_and_nothing_is_left_of_it(scene):
    scene.terms = ExclusiveTerms(quota=0, targets=TWO)
    scene.begin()

    assert scene.pool.stop(0.0)
    assert (scene.cloud.closed, scene.pool.limit, scene.pool.is_on) == ([], 0, False)
    assert scene.pool.targets == TWO.none


def test_what_is_left_of_a_mode_that_was_switched_off_is_seen_to(scene):
    scene.terms = ExclusiveTerms(quota=0, targets=TWO)
    scene.cloud.add(10)
    scene.begin()

    eventually(lambda: not scene.cloud.enis)


def test_a_creation_that_was_cut_short_is_seen_to_though_the_mode_is_off(scene):
    scene.terms = ExclusiveTerms(quota=0, targets=TWO)
    scene.cloud.left_over = ["cut short"]
    scene.begin()

    eventually(lambda: scene.cloud.resumed)


def test_what_a_crash_cut_short_comes_first_and_only_then_a_new_one(scene):
    scene.cloud.left_over = ["cut short"]
    scene.begin()

    eventually(lambda: scene.cloud.enis)
    assert scene.cloud.resumed == ["cut short"]
    assert scene.cloud.closed == [frozenset()]
    eventually(lambda: scene.pool.activity == "")


def test_nothing_is_planned_before_the_enis_of_the_node_are_known(scene):
    scene.cloud.are_known = False
    scene.cloud.left_over = ["cut short"]
    scene.begin()
    eventually(lambda: scene.cloud.resumed)
    assert scene.pool.stop(10.0)

    assert scene.cloud.closed == []


@pytest.mark.parametrize(
    ("terms", "limit"),
    [
        ({}, 3),
        ({"most": 2}, 2),
        ({"most": 9}, 3),
        ({"disabled_by": "label x"}, 0),
        ({"quota": 1}, 0),
        ({"quota": 0}, 0),
    ],
)
def test_the_limit_is_what_the_instance_takes_without_others_and_what_is_configured(scene, terms, limit):
    scene.cloud.foreign = 1
    scene.terms = ExclusiveTerms(**{"quota": 4, "targets": TWO, **terms})

    assert scene.pool.limit == limit


def test_others_that_have_all_leave_the_mode_off(scene):
    scene.cloud.foreign = 2
    assert scene.pool.is_on
    for foreign in (3, 4):
        scene.cloud.foreign = foreign
        assert not scene.pool.is_on


def test_a_disabled_node_wants_none(scene):
    scene.terms = ExclusiveTerms(quota=3, targets=TWO, disabled_by="annotation x")

    assert scene.pool.targets == TWO.none
    assert isinstance(scene.pool.obstacle(), NodeDisabledError)
    scene.cloud.add(10)
    assert scene.pool.obstacle() is None, "what is there may be used up"


def test_at_its_target_it_does_nothing_and_says_nothing(scene):
    scene.cloud.add(10)

    assert scene.pool.activity == ""


def test_a_full_node_says_that_all_are_there_and_what_a_pod_can_do(scene):
    scene.full()

    assert scene.pool.activity == "all 3 ENIs that Pods of this node may have are there"
    obstacle = scene.pool.obstacle()
    assert "all 3 ENIs that Pods of this node may have are in use" in obstacle.message
    assert "direct-eni, which the scheduler counts" in obstacle.advice


def test_a_node_with_room_waits_for_one_to_come_free_and_nothing_is_in_the_way(scene):
    assert scene.pool.activity == "an ENI of another Pod to come free"
    assert scene.pool.obstacle() is None
    assert scene.pool.advice() == ""


def test_a_full_node_where_a_hold_ends_or_one_is_free_is_worth_waiting_for(scene):
    for number in (10, 11, 12):
        scene.cloud.add(number)
    assert scene.pool.obstacle() is None
    for number in (10, 11):
        scene.cloud.give(f"game-{number}")
    scene.cloud.give("game-12", hold=100.0)

    assert scene.pool.obstacle() is None


def test_what_the_cloud_refuses_is_said_to_who_waits_and_not_asked_again_at_once(scene):
    scene.cloud.refusals = [NO_MONEY]
    scene.begin()
    eventually(scene.pool.obstacle)
    scene.pool.trigger()

    assert scene.pool.obstacle() is NO_MONEY
    assert scene.pool.activity == f"new ENI for a Pod: {NO_MONEY.message}"
    assert scene.pool.advice() == NO_MONEY.advice != ""
    assert scene.pool.stop(10.0)
    assert len(scene.cloud.closed) == 1


def test_a_subnet_that_refuses_is_left_out_of_the_next_choice(scene):
    refused = cloud_error("CreateAndAttachNetworkInterface", "ResourceInsufficient.Subnet", "full", "r-1")
    scene.cloud.refusals = [SubnetRefusedError("subnet-1", refused)]
    scene.begin()
    eventually(lambda: scene.cloud.closed)
    scene.pool.trigger()
    eventually(lambda: scene.cloud.enis)

    assert scene.cloud.closed == [frozenset(), frozenset({"subnet-1"})]
    assert scene.pool.obstacle() is None


def test_each_pod_that_waits_is_served_beyond_the_target_and_counted_no_longer(scene):
    scene.terms = ExclusiveTerms(quota=9, targets=TWO)
    scene.begin()
    with scene.pool.demand():
        eventually(lambda: scene.pool.activity == "")
        assert len(scene.ledger.available_enis) == 2
    for name in ("game-0", "game-1"):
        scene.cloud.give(name)
    scene.pool.trigger()
    eventually(lambda: scene.pool.activity == "")

    assert len(scene.ledger.available_enis) == 1


def test_who_comes_is_served_before_the_next_regular_round(scene):
    scene.terms = ExclusiveTerms(quota=30, targets=EniTargets(min_warm=0, max_warm=30))
    scene.begin()
    eventually(lambda: scene.pool.activity == "")

    # Regular rounds would need 5 s for each.
    began = time.monotonic()
    for number in range(10):
        with scene.pool.demand():
            eventually(lambda: scene.ledger.available_enis)
        scene.cloud.give(f"game-{number}")
    assert time.monotonic() - began < 40.0


def test_surplus_goes_back_one_by_one(scene):
    scene.terms = ExclusiveTerms(quota=3, targets=EniTargets(min_warm=1, max_warm=1, release_interval=0.05))
    for number in (10, 11, 12):
        scene.cloud.add(number)
    scene.begin()

    eventually(lambda: len(scene.cloud.enis) == 1)
    assert len(scene.cloud.removed) == 2
    assert scene.pool.activity == ""


def test_what_the_cloud_does_not_take_back_is_asked_again_later_and_stops_no_other_one(scene):
    scene.terms = ExclusiveTerms(quota=3, targets=EniTargets(min_warm=0, max_warm=0, release_interval=0.05))
    scene.cloud.add(10)
    scene.cloud.keeps = NO_MONEY
    failures: list[str] = []

    assert scene.pool.drain(failures) == []
    assert failures == [f"eni-10 could not be taken off the node: {NO_MONEY}"]
    scene.cloud.keeps = None
    scene.cloud.add(11)
    scene.begin()
    eventually(lambda: scene.cloud.removed)

    assert scene.pool.stop(10.0)
    assert scene.cloud.removed == ["eni-11"]
    assert [address.eni_id for address in scene.ledger.in_state(Unassigning)] == ["eni-10"]


def test_a_drain_gives_back_what_is_free_and_nothing_that_a_pod_has(scene):
    scene.full()
    scene.cloud.add(13)
    failures: list[str] = []

    assert scene.pool.drain(failures) == ["eni-13"]
    assert (failures, set(scene.cloud.enis)) == ([], {"eni-10", "eni-11", "eni-12"})
    assert scene.pool.drain(failures) == []


def test_a_frozen_pool_orders_nothing_gives_nothing_back_and_says_nothing_of_itself(scene):
    scene.freeze.freeze()
    scene.terms = ExclusiveTerms(quota=3, targets=EniTargets(min_warm=0, max_warm=0, release_interval=0.05))
    scene.cloud.add(10)
    scene.cloud.left_over = ["cut short"]
    scene.begin()
    eventually(lambda: scene.cloud.resumed)
    assert scene.pool.stop(10.0)
    assert set(scene.cloud.enis) == {"eni-10"}

    scene.cloud.give()
    scene.terms = ExclusiveTerms(quota=3, targets=TWO)
    assert scene.pool.activity == ""
    assert isinstance(scene.pool.obstacle(), TryAgainError)
    assert "frozen" in scene.pool.obstacle().message
    assert scene.cloud.closed == []
