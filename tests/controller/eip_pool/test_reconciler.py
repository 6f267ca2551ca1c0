"""One round of work on an EIPPool: what is looked at, what is carried out, and what becomes of a promise."""

from types import SimpleNamespace

import pytest

from ipamd.cloud.tasks import TaskState
from ipamd.controller.eip_pool.reconciler import PoolReconciler
from ipamd.core.eip_pool import plan
from ipamd.core.eip_pool.eippool import EipPool, PoolAllocation, PoolSpec
from ipamd.core.model import AcceptedOrder, Eip, EipOrder, EipStatus
from ipamd.kube import errors
from ipamd.runtime.reconcile import Result

NOW = 1_800_000_000.0
KEY = ("", "web")


def pool(**changes):
    fields = {
        "name": "web",
        "uid": "pool-1",
        "resource_version": "7",
        "generation": 1,
        "deleting": False,
        "held": True,
        "spec": PoolSpec(order=EipOrder(), least=0, most=3),
        "status": {},
    }
    return EipPool(**{**fields, **changes})


def eip(eip_id):
    return Eip(eip_id=eip_id, public_ip="198.18.0.1", status=EipStatus.UNBIND)


class Scene:
    """Plays cloud and cluster; `orders` has which promises were asked about, `done` what was carried out."""

    def __init__(self, made):
        self.pool = made
        self.eips: dict[str, Eip] = {}
        self.task = TaskState.RUNNING
        self.by_id: list[tuple[str, ...]] = []
        self.orders: list[AcceptedOrder] = []
        self.done: list[object] = []
        self.outcomes: list[object] = []
        self.written: list[dict[str, object]] = []
        self.told: list[tuple[str, ...]] = []
        ports = SimpleNamespace(steady=lambda: 0.0, clock=lambda: NOW, blind=str, fence=self, teller=self)
        self.reconciler = PoolReconciler(
            cluster=self, live=self, executor=self, selection=self, writer=self, ports=ports
        )

    # ---- live

    def at_pool(self, name):
        assert name == "web"
        return self.pool

    def at_all_of(self, _):
        return dict(self.eips)

    def at_eips(self, ids):
        self.by_id.append(ids)
        return {}

    def at_order(self, order):
        self.orders.append(order)
        return self.task

    # ---- cluster, executor, writer

    def holders(self, eip_id):
        return []

    def line(self, name):
        return []

    def deadline(self):
        return None

    def write_status(self, _, patch):
        self.written.append(patch["status"])

    def eip_pool(self, *words):
        self.told.append(words[2:4])

    def execute(self, _, action):
        self.done.append(action)
        outcome = self.outcomes.pop(0) if self.outcomes else Result(requeue_after=9.0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def round(self):
        return self.reconciler.reconcile(KEY)


def promised(eip_id="eip-9", task_id="task-1"):
    return PoolAllocation(attempt=1, started=NOW - 5.0, eip_id=eip_id, task_id=task_id)


def test_an_order_whose_answer_is_not_known_yet_has_no_task_to_ask_for():
    scene = Scene(pool(allocation=promised(eip_id="", task_id="")))

    scene.round()

    assert scene.orders == []
    assert scene.done == [plan.OrderEip(attempt=1, begun=True, order=EipOrder())]


def test_a_pool_that_has_ordered_nothing_asks_for_no_task():
    scene = Scene(pool(allocation=PoolAllocation(attempt=1, eip_id="eip-9", task_id="task-1")))

    scene.round()

    assert scene.orders == []


def test_what_was_promised_and_is_there_is_not_asked_for_any_more():
    scene = Scene(pool(allocation=promised(), created=("eip-9",)))
    scene.eips = {"eip-9": eip("eip-9")}

    scene.round()

    assert scene.orders == []
    assert scene.done == [plan.EndOrder()]


@pytest.mark.parametrize(
    ("task", "done"), [(TaskState.FAILED, [plan.EndOrder(failed=True)]), (TaskState.RUNNING, [])]
)
def test_a_promise_that_is_not_shown_ends_only_when_its_task_has_failed(task, done):
    scene = Scene(pool(allocation=promised()))
    scene.task = task

    scene.round()

    assert scene.orders == [AcceptedOrder(eip_id="eip-9", task_id="task-1")]
    assert scene.done == done


def test_what_the_list_lacks_is_asked_for_by_its_id():
    scene = Scene(pool(created=("eip-1", "eip-2")))
    scene.eips = {"eip-1": eip("eip-1")}

    scene.round()

    assert scene.by_id == [("eip-2",)]


def test_steps_follow_each_other_until_one_has_to_be_waited_for():
    scene = Scene(pool(held=False))
    scene.outcomes = [None, errors.ConflictError("changed"), None]

    assert scene.round() == Result(requeue_after=9.0)
    assert scene.done == [plan.HoldPool()] * 4


def test_how_the_pool_is_is_written_at_the_end_of_a_round_and_never_after_it_is_gone():
    scene = Scene(pool(held=False))
    scene.outcomes = [None, None]
    scene.round()
    assert len(scene.written) == 1

    gone = Scene(pool(deleting=True))
    gone.round()
    assert gone.done == [plan.LetPoolGo()]
    assert gone.written == []


def test_a_pool_that_comes_to_no_rest_is_a_failure_that_is_repeated():
    scene = Scene(pool(held=False))
    scene.outcomes = [None] * 100

    assert scene.round() == Result(requeue_after=0.5, failed=True)
    assert len(scene.done) == 20


def test_a_pool_that_is_gone_needs_nothing():
    scene = Scene(None)
    assert scene.round() == Result()

    scene.pool = pool(held=False)
    scene.outcomes = [errors.NotFoundError("gone")]
    assert scene.round() == Result()


MISSING = PoolSpec(address_ids=("eip-1",))


@pytest.mark.parametrize(
    ("made", "there", "told"),
    [
        (pool(held=False, spec=MISSING), True, []),
        (pool(held=False, spec=MISSING), False, [("Warning", "EIPNotFound")]),
        (pool(held=False, spec=MISSING, deleting=True), False, []),
    ],
)
def test_only_what_is_wrong_with_a_pool_that_stays_is_told(made, there, told):
    scene = Scene(made)
    scene.eips = {"eip-1": eip("eip-1")} if there else {}

    scene.round()

    assert len(scene.written) == 1
    assert scene.told == told
