"""What single actions on a claim change: what is written, asked of the cloud and told, and what is next."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.controller.claims.executor import Executor
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.ports import Ports
from ipamd.core.claim import actions as do
from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.model import AcceptedOrder
from ipamd.kube import errors
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime.reconcile import Result
from tests.runtime.manual_clock import ManualClock
from tests.testkit import claims

CLAIM = claims.claim()
RECORDED = claims.claim(address=claims.OWN)


class Writer:
    """Notes what is written, and answers with a newer claim."""

    def __init__(self):
        self.written: list[tuple[str, object]] = []
        self.refusal: Exception | None = None
        self.stored = replace(CLAIM, resource_version="9")

    def create(self, pod, request, owner):
        if self.refusal:
            raise self.refusal
        self.written.append(("create", owner))
        return CLAIM

    def read(self, namespace, name):
        assert (namespace, name) == ("default", "web-0")
        return self.stored

    def write_status(self, claim, patch):
        self.written.append(("status", patch["status"]))
        return replace(claim, resource_version="8")

    def delete(self, claim):
        self.written.append(("delete", claim.uid))

    def let_go(self, claim):
        self.written.append(("let go", claim.uid))


class Scene:
    def __init__(self):
        self.leads = True
        self.stopped_by = ""
        self.told: list[tuple[str, ...]] = []
        self.asked: list[tuple[str, ...]] = []
        self.freed: list[int] = []
        self.choice: object = None
        self.writer, self.in_flight = Writer(), InFlight(monotonic=ManualClock().now)
        self.ports = Ports(
            fence=SimpleNamespace(deadline=self._deadline),
            cloud=SimpleNamespace(
                release_eip=lambda eip_id, _: self.asked.append(("release", eip_id)),
                disassociate_eip=lambda eip_id, _: self.asked.append(("disassociate", eip_id)),
                release_completed=lambda: self.asked.append(("completed",)),
            ),
            writer=self.writer,
            teller=SimpleNamespace(
                claim=lambda _, *words: self.told.append(("claim", *words)),
                both=lambda _, *words: self.told.append(("both", *words)),
                pod=lambda _, *words: self.told.append(("pod", *words)),
                pod_once=lambda _, *words: self.told.append(("pod once", *words)),
            ),
            in_flight=self.in_flight,
            on_freed=self.freed.append,
            release_stopped=lambda: self.stopped_by,
            clock=lambda: claims.NOW,
        )
        self.executor = Executor(
            SimpleNamespace(give=None), SimpleNamespace(choose=lambda *_: self.choice), self.ports
        )

    def _deadline(self):
        if not self.leads:
            raise NotLeaderError("another one leads")

    def execute(self, action, claim=CLAIM, pod=None):
        return self.executor.execute(action, claims.facts(claim=claim, pod=pod))


@pytest.fixture
def scene():
    return Scene()


POD = claims.pod()
CREATE = do.Create(pod=POD, request=CLAIM.request)


def test_who_does_not_lead_does_nothing(scene):
    scene.leads = False

    with pytest.raises(NotLeaderError):
        scene.execute(CREATE, claim=None)
    assert scene.writer.written == []


def test_what_is_about_a_claim_needs_one(scene):
    with pytest.raises(ValueError, match="needs a claim"):
        scene.execute(do.DropFinalizer(), claim=None)


def test_of_a_claim_that_was_just_made_the_cloud_has_nothing(scene):
    facts = scene.execute(CREATE, claim=None)

    assert (facts.claim, facts.eips) == (CLAIM, ())


def test_one_that_was_there_already_is_read_and_the_cloud_not_known(scene):
    scene.writer.refusal = errors.AlreadyExistsError("it exists")

    facts = scene.execute(CREATE, claim=None)

    assert (facts.claim, facts.eips) == (scene.writer.stored, None)


@pytest.mark.parametrize("refusal", [errors.ForbiddenError("quota"), errors.InvalidObjectError("policy")])
def test_one_that_the_api_server_refuses_is_told_to_its_pod_and_tried_each_minute(scene, refusal):
    scene.writer.refusal = refusal

    assert scene.execute(CREATE, claim=None) == Result(requeue_after=60.0, failed=True)

    assert [words[:2] for words in scene.told] == [("pod once", "FailedCreateEIPClaim")]


def test_other_failures_of_a_create_are_nobody_s_to_mend(scene):
    scene.writer.refusal = errors.UnreachableError("away")

    with pytest.raises(errors.UnreachableError):
        scene.execute(CREATE, claim=None)
    assert scene.told == []


ADDRESS = do.RecordAddress(address=claims.OWN, reason=Reason.ALLOCATED)


@pytest.mark.parametrize(
    ("order", "request_id"),
    [
        (AcceptedOrder(eip_id="eip-1", task_id="t", request_id="r-1"), "r-1"),
        (AcceptedOrder(eip_id="eip-2", task_id="t", request_id="r-1"), ""),
        (None, ""),
    ],
)
def test_an_eip_is_recorded_with_the_request_that_it_was_ordered_by(scene, order, request_id):
    if order:
        scene.in_flight.order_accepted("claim-1", order)

    facts = scene.execute(ADDRESS)

    ((_, status),) = scene.writer.written
    assert status["address"]["id"] == "eip-1"
    assert ("r-1" in str(status)) is bool(request_id)
    assert facts.claim.resource_version == "8"
    assert scene.told == [("both", "Normal", "AllocatedEIP", "eip-1, 198.18.0.1")]


@pytest.mark.parametrize(
    ("choice", "outcome"),
    [
        (do.Wait(reason="it is changing", seconds=3.0), Result(requeue_after=3.0, failed=True)),
        (
            do.MarkNotProvisioned(reason=Reason.QUOTA_EXCEEDED, message="none is free"),
            Result(requeue_after=60.0, failed=True),
        ),
    ],
)
def test_a_choice_that_gives_nothing_backs_the_claim_off(scene, choice, outcome):
    scene.choice = choice

    assert scene.execute(do.Choose(address_ids=("eip-1",))) == outcome


def test_a_choice_that_gives_an_eip_goes_on_with_it(scene):
    scene.choice = RECORDED

    assert scene.execute(do.Choose(address_ids=("eip-1",))).claim == RECORDED


def test_a_refusal_is_written_once_and_told_each_time(scene):
    refusal = do.MarkNotProvisioned(reason=Reason.QUOTA_EXCEEDED, message="none is free")
    scene.execute(refusal)
    ((_, status),) = scene.writer.written
    told = claims.claim(conditions=tuple(status["conditions"]))

    scene.execute(refusal, claim=told)

    assert len(scene.writer.written) == 1
    assert scene.told == [("both", "Warning", "QuotaExceeded", "none is free")] * 2


def test_an_obstacle_is_written_once_and_told_to_the_pod(scene):
    action = do.Postpone(obstacle=Obstacle(Reason.NODE_NOT_SERVED, "no agent"))

    assert scene.execute(action) == Result(requeue_after=60.0)
    ((_, status),) = scene.writer.written
    scene.execute(action, claim=claims.claim(conditions=tuple(status["conditions"])))

    assert len(scene.writer.written) == 1
    assert scene.told == [("pod once", "NodeNotServed", "no agent")] * 2


@pytest.mark.parametrize(("event", "told"), [("Expired", [("claim", "Normal", "Expired", "why")]), ("", [])])
def test_a_claim_that_is_deleted_is_read_again_and_told_of_where_that_is_news(scene, event, told):
    action = do.DeleteClaim(reason="why", event=event)

    assert scene.execute(action).claim == scene.writer.stored
    assert scene.told == told

    scene.writer.stored = None
    assert scene.execute(action) == Result()


@pytest.mark.parametrize(("eni", "reason"), [("", "NodeGone"), ("eni-own", "Unbound")])
def test_an_eip_is_unbound_for_a_node_or_from_an_eni_that_it_is_not_to_stay_at(scene, eni, reason):
    assert scene.execute(do.DisassociateEip(eip_id="eip-1", leaves_eni=eni)) == Result(requeue_after=0.5)

    assert scene.asked == [("disassociate", "eip-1")]
    ((_, _, said, _),) = scene.told
    assert said == reason


def test_eips_are_released_one_after_another_until_that_is_stopped(scene):
    action = do.Release(eip_ids=("eip-1", "eip-2"), tagged=frozenset({"eip-1"}), looked=True)
    assert scene.execute(action) == Result(requeue_after=0.5)
    assert scene.asked == [("release", "eip-1"), ("release", "eip-2")]
    assert scene.in_flight.released("claim-1", frozenset({"eip-1", "eip-2"})) == {"eip-1", "eip-2"}

    scene.asked, scene.told, scene.stopped_by = [], [], "the switch"
    assert scene.execute(action) == Result(requeue_after=10.0)
    assert (scene.asked, scene.told) == ([], [("claim", "Warning", "ReleasesStopped", "eip-1: the switch")])


@pytest.mark.parametrize(
    ("claim", "released", "freed"),
    [
        (claims.claim(), 0, []),
        (RECORDED, 0, [1]),
        (RECORDED, 1, [1]),
        (claims.claim(address=claims.GIVEN), 0, []),
        (claims.claim(), 2, [2]),
    ],
)
def test_a_claim_that_goes_frees_quota_for_what_it_had_of_its_own(scene, claim, released, freed):
    for number in range(released):
        scene.in_flight.release_accepted("claim-1", f"eip-{number}", tagged=True, only=False)

    assert scene.execute(do.DropFinalizer(), claim=claim) == Result()

    assert scene.writer.written == [("let go", "claim-1")]
    assert scene.freed == freed
    assert scene.asked == [("completed",)] * len(freed)
    assert scene.in_flight.released("claim-1", frozenset()) == frozenset()


@pytest.mark.parametrize(
    "action",
    [
        do.MarkNotProvisioned(reason=Reason.QUOTA_EXCEEDED, message="none is free"),
        do.Postpone(obstacle=Obstacle(Reason.NODE_NOT_SERVED, "no agent")),
    ],
)
def test_what_keeps_a_claim_waiting_does_not_end_the_order_that_is_under_way(scene, action):
    ordered = claims.claim(allocation=Allocation(attempt=1, started=claims.NOW))

    scene.execute(action, claim=ordered)

    ((_, status),) = scene.writer.written
    assert "allocation" not in status
