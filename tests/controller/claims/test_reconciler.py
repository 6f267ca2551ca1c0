"""One round on a claim: what is gathered before it is decided on, and how the round ends."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.cloud.tasks import TaskState
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.reconciler import ClaimReconciler
from ipamd.controller.claims.sweep_waits import SweepWaits
from ipamd.core.claim.change_record import ChangeRecord
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.core.claim.eip_change import ChangeKind
from ipamd.core.claim.facts import LivePod
from ipamd.core.claim.kept_eni import KeptEni
from ipamd.core.claim.placement import Obstacle
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.model import AcceptedOrder
from ipamd.kube import errors
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime.reconcile import Result
from tests.runtime.manual_clock import ManualClock
from tests.testkit import claims

KEY = ("default", "web-0")
KEPT = KeptEni("eni-own", ends=False)
NOWHERE = Obstacle(Reason.NODE_NOT_SERVED, "no agent")


class Absences:
    """Notes what is asked, and says that it has been so for 99 seconds."""

    def __init__(self):
        self.asked = []

    def looked(self, key, mark, *, absent):
        self.asked.append((key, mark, absent))
        return 99.0


class Scene:
    """A claim and its Pod as caches and cloud show them; what is decided is noted and changes nothing."""

    def __init__(self):
        self.known_claim, self.known_pod = claims.claim(), claims.pod()
        self.obstacle = None
        self.outcomes = []
        self.done = []
        self.told: list[tuple[str, ...]] = []
        self.written: list[tuple[object, ...]] = []
        self.eips = ()
        self.task = TaskState.UNKNOWN
        self.tasks_asked = []
        self.asked_of_cloud = []
        self.may_write = True
        self.blind = [""]
        """What each question answers why the sweep is not believed; the last answer stays."""
        self.woken: list[tuple[str, str]] = []
        self.absences, self.obstacles = Absences(), Absences()
        self.in_flight = InFlight(monotonic=ManualClock().now)
        self.ports = Ports(
            fence=SimpleNamespace(deadline=self._deadline),
            cloud=None,
            writer=SimpleNamespace(
                read=lambda *key: self.known_claim, write_status=lambda *what: self.written.append(what)
            ),
            teller=SimpleNamespace(
                claim=lambda _, *words: self.told.append(words),
                both=lambda _, *words: self.told.append(words),
                pod_once=lambda _, *words: self.told.append(words),
            ),
            in_flight=self.in_flight,
            on_freed=None,
            release_stopped=str,
            absences=self.absences,
            obstacles=self.obstacles,
            blind=lambda: self.blind.pop(0) if self.blind[1:] else self.blind[0],
            sweep_waits=SweepWaits(self.woken.append),
            clock_doubt=lambda: "an hour apart",
            clock=lambda: claims.NOW,
        )

    def _deadline(self):
        if not self.may_write:
            raise NotLeaderError("another one leads")

    def reconcile(self, rules=None):
        cluster = SimpleNamespace(
            claim=lambda key: self.known_claim,
            pod=lambda key: self.known_pod,
            obstacle=lambda pod, *, early: self.obstacle,
            kept_eni=lambda key: KEPT,
            node=lambda name: None,
        )
        live = SimpleNamespace(
            at_cloud=self._at_cloud,
            at_order=self._at_order,
            at_pod=lambda claim: LivePod(self.known_pod),
        )
        return ClaimReconciler(
            claims.CLUSTER,
            cluster=cluster,
            live=live,
            executor=SimpleNamespace(execute=self._execute),
            ports=self.ports,
            rules=rules,
        ).reconcile(KEY)

    def _execute(self, action, facts):
        self.done.append((action, facts))
        outcome = self.outcomes.pop(0) if self.outcomes else Result()
        if isinstance(outcome, Exception):
            raise outcome
        return facts if outcome == "nothing new" else outcome

    def _at_cloud(self, claim, ordered, *, shown_by_tag, by_id, claims_due):
        assert claims_due == 1
        self.asked_of_cloud.append(ordered)
        if isinstance(self.eips, Exception):
            raise self.eips
        return self.eips

    def _at_order(self, order):
        self.tasks_asked.append(order.task_id)
        return self.task

    @property
    def facts(self):
        return self.done[-1][1]


@pytest.fixture
def scene():
    return Scene()


def refusal(kind):
    return CloudError(kind, "no", action="Do", code="Code", request_id="r-1")


def test_a_claim_that_does_not_come_to_rest_is_backed_off_from(scene):
    scene.outcomes = ["nothing new"] * 100

    assert scene.reconcile() == Result(failed=True)

    assert 2 <= len(scene.done) < 100


def test_a_claim_that_changed_meanwhile_is_read_again_and_one_that_is_gone_is_looked_at_soon(scene):
    newer = replace(scene.known_claim, resource_version="8")
    scene.ports.writer.read = lambda *key: newer
    scene.outcomes = [errors.ConflictError("changed"), errors.NotFoundError("gone")]

    assert scene.reconcile() == Result(requeue_after=1.0)

    assert [facts.claim.resource_version for _, facts in scene.done] == ["7", "8"]


def test_what_is_gathered_of_a_claim_with_its_pod(scene):
    scene.reconcile(ClusterRules(cascade=False, tagged_only=True))

    assert scene.facts.rules.tagged_only
    assert (scene.facts.cluster_id, scene.facts.now) == (claims.CLUSTER, claims.NOW)
    assert scene.facts.kept_eni == KEPT
    assert scene.facts.clock_doubt == "", "no date counts while the Pod is there"
    assert scene.absences.asked == [(KEY, "claim-1", False)]
    assert scene.obstacles.asked == [(KEY, "claim-1", False)]
    assert (scene.facts.absent_for, scene.facts.obstructed_for) == (99.0, 99.0)


def test_without_rules_of_its_own_those_of_tke_hold(scene):
    scene.reconcile()

    assert scene.facts.rules == ClusterRules()


def test_of_a_claim_alone_the_absence_is_measured_and_the_clock_asked(scene):
    scene.known_pod = None

    scene.reconcile()

    assert scene.absences.asked == [(KEY, "claim-1", True)]
    assert scene.facts.clock_doubt == "an hour apart"


def test_of_a_pod_alone_no_claim_is_asked_about(scene):
    scene.known_claim = None

    scene.reconcile()

    assert scene.absences.asked == [(KEY, "", False)]
    assert scene.facts.kept_eni is None


@pytest.mark.parametrize(("address", "obstructed"), [(None, True), (claims.OWN, False)])
def test_an_obstacle_counts_for_a_claim_without_an_eip(scene, address, obstructed):
    scene.obstacle = NOWHERE
    scene.known_claim = claims.claim(address=address)

    scene.reconcile()

    assert scene.obstacles.asked == [(KEY, "claim-1", obstructed)]


def test_an_obstacle_before_there_is_a_claim_is_not_measured(scene):
    scene.obstacle = NOWHERE
    scene.known_claim = None

    scene.reconcile()

    assert scene.obstacles.asked == [(KEY, "", False)]


def deleted(**changes):
    return claims.claim(deleting=True, **changes)


@pytest.mark.parametrize("task", [TaskState.FAILED, TaskState.SUCCESS, TaskState.RUNNING])
def test_a_deleted_claim_waits_for_its_order_that_is_not_shown_unless_its_task_has_failed(scene, task):
    scene.known_claim, scene.known_pod = deleted(), None
    scene.in_flight.order_accepted("claim-1", AcceptedOrder(eip_id="eip-1", task_id="t"))
    scene.task = task

    scene.reconcile()

    assert scene.asked_of_cloud == ["eip-1"]
    assert [(facts.ordered, facts.order_failed) for _, facts in scene.done] == (
        [("eip-1", True)] if task is TaskState.FAILED else []
    )


def test_a_refusal_of_the_look_that_a_person_has_to_mend_is_told_and_stands_in_the_claim(scene):
    scene.known_claim, scene.known_pod = claims.claim(), claims.pod()
    scene.eips = refusal(CloudErrorKind.PERMISSION)

    with pytest.raises(CloudError):
        scene.reconcile()

    assert [words[:2] for words in scene.told] == [("Warning", "FailedDescribeEIP")]
    [(claim, patch)] = scene.written
    assert claim == scene.known_claim
    assert "PermissionDenied" in str(patch)


@pytest.mark.parametrize("case", ["another leads", "it has an EIP", "it is deleted"])
def test_it_does_not_stand_in_a_claim_that_waits_for_none_or_is_not_ours_to_write(scene, case):
    scene.eips = refusal(CloudErrorKind.PERMISSION)
    if case == "another leads":
        scene.may_write = False
    elif case == "it has an EIP":
        scene.known_claim, scene.known_pod = claims.claim(address=claims.OWN, deleting=True), None
    else:
        scene.known_claim, scene.known_pod = deleted(), None

    with pytest.raises(CloudError):
        scene.reconcile()

    assert scene.told
    assert scene.written == []


def test_a_look_that_fails_by_itself_is_told_to_nobody(scene):
    scene.eips = refusal(CloudErrorKind.THROTTLED)

    with pytest.raises(CloudError):
        scene.reconcile()

    assert scene.told == []
    assert scene.written == []


@pytest.mark.parametrize(
    ("claim", "pod", "hints"),
    [
        (claims.claim(), claims.pod(), ["EIPResourceMissing"]),
        (deleted(), claims.pod(), []),
        (claims.claim(), claims.pod("pod-2"), []),
        (None, claims.pod(), []),
        (claims.claim(), claims.pod(phase="Succeeded"), []),
        (claims.claim(), None, []),
    ],
)
def test_only_a_pod_that_its_claim_serves_is_told_what_its_claim_does_not_say(scene, claim, pod, hints):
    scene.known_claim, scene.known_pod = claim, pod

    scene.reconcile()

    assert scene.done
    assert [words[0] for words in scene.told] == hints


@pytest.mark.parametrize(("phase", "hints"), [("Running", ["AnnotationNotKnown"]), ("Failed", [])])
def test_what_a_pod_may_misunderstand_is_told_with_a_claim_or_without_until_it_has_ended(scene, phase, hints):
    stray = "networking.tke.cloud.tencent.com/eip-attributes"
    scene.known_claim = None
    scene.known_pod = replace(claims.pod(wants=False, phase=phase), strays=(stray,))

    scene.reconcile()

    assert [words[0] for words in scene.told] == hints


CHANGING = ChangeRecord(kind=ChangeKind.BANDWIDTH, value="5", started=claims.NOW)


@pytest.mark.parametrize(
    ("change", "accepted", "task", "failed", "asked"),
    [
        (CHANGING, True, TaskState.FAILED, True, ["t-change"]),
        (CHANGING, True, TaskState.SUCCESS, False, ["t-change"]),
        (CHANGING, True, TaskState.UNKNOWN, False, ["t-change"]),
        (CHANGING, False, TaskState.FAILED, False, []),
        (None, True, TaskState.FAILED, False, []),
    ],
)
def test_a_change_has_failed_when_the_task_of_its_step_has(scene, change, accepted, task, failed, asked):
    scene.known_claim, scene.known_pod = deleted(change=change), None
    scene.eips, scene.task = (claims.eip(),), task
    if accepted:
        scene.ports.changes.accepted("claim-1", "eip-1", "t-change")

    scene.reconcile()

    assert {facts.change_failed for _, facts in scene.done} == {failed}
    assert scene.tasks_asked == asked


@pytest.mark.parametrize(
    ("blind", "woken"), [(["too many are not shown"], 0), (["too many are not shown", ""], 1)]
)
def test_who_waits_for_a_pass_is_woken_by_the_next_one_or_at_once_if_it_has_just_ended(scene, blind, woken):
    scene.known_claim, scene.known_pod = deleted(address=claims.OWN), None
    scene.blind = blind

    ended = scene.reconcile()

    assert (ended.failed, [words[1] for words in scene.told]) == (True, ["EIPsNotShown"])
    assert scene.woken == [KEY] * woken
    scene.ports.sweep_waits.wake()
    assert scene.woken == [KEY]


def test_who_waits_for_something_else_is_woken_by_no_pass(scene):
    scene.known_claim, scene.known_pod = deleted(), None
    scene.in_flight.order_accepted("claim-1", AcceptedOrder(eip_id="eip-1", task_id="t"))

    assert scene.reconcile().requeue_after is not None

    assert scene.told == [], "only a wait with a warning is told"
    scene.ports.sweep_waits.wake()
    assert scene.woken == []
