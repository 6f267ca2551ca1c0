"""One round on a VpcIPClaim: what is done after one another, what is told of a failure, how it ends."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from ipamd.controller.vpc_ips.reconciler import VpcIpReconciler
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcipclaim import AddressOrder
from ipamd.kube import errors
from ipamd.runtime.reconcile import Result
from tests.testkit.vpc_ips import ADDRESS, EXCLUSIVE, KEPT, fixed_claim, pod_with_fixed_ip

KEY = ("default", "web-0")
NOW = 1_800_000_000.0
DONE = Result(requeue_after=9.0)


class Scene:
    """A claim and its Pod; looks change nothing, and what is carried out ends as a test says."""

    def __init__(self):
        self.claim, self.pod = fixed_claim(held=False), None
        self.known = {}
        self.outcomes = []
        self.done: list[object] = []
        self.begun: list[str] = []
        self.told: list[tuple[str, ...]] = []
        self.book = SimpleNamespace(claim=self._read, complete=True)
        self.reconciler = VpcIpReconciler(
            sight=self,
            executor=self,
            writer=SimpleNamespace(read=self._newer),
            teller=SimpleNamespace(
                claim=lambda _, *words: self.told.append(("claim", *words)),
                both=lambda _, *words: self.told.append(("both", *words)),
                pod_once=lambda _, *words: self.told.append(("pod", *words)),
            ),
        )

    def _read(self, key):
        assert key == KEY
        return self.claim

    def _newer(self, *key):
        assert key == KEY
        return replace(self.claim, resource_version="8")

    def begin(self, claim, key):
        assert key == KEY
        self.begun.append(claim.resource_version if claim else "")
        return VpcIpFacts(now=NOW, claim=claim, pod=self.pod, **self.known)

    def look(self, action, facts):
        return None

    def execute(self, action, facts):
        self.done.append(action)
        outcome = self.outcomes.pop(0) if self.outcomes else DONE
        if isinstance(outcome, Exception):
            raise outcome
        return facts if outcome == "nothing new" else outcome

    def reconcile(self):
        return self.reconciler.reconcile(KEY)


@pytest.fixture
def scene():
    return Scene()


def refusal(kind):
    return CloudError(kind, "no", action="Do", code="Code", request_id="r-1")


def test_while_the_copies_are_not_complete_nothing_is_decided(scene):
    scene.book.complete = False

    assert scene.reconcile() == Result(requeue_after=0.5)
    assert scene.begun == []


def test_a_claim_that_changed_meanwhile_is_read_again(scene):
    scene.outcomes = [errors.ConflictError("changed")]

    assert scene.reconcile() == DONE

    assert scene.begun == ["7", "8"]
    assert len(scene.done) == 2


def test_a_claim_that_is_gone_is_looked_at_soon(scene):
    scene.outcomes = [errors.NotFoundError("gone")]

    assert scene.reconcile() == Result(requeue_after=1.0)


def test_a_claim_that_does_not_come_to_rest_is_backed_off_from(scene):
    scene.outcomes = ["nothing new"] * 100

    assert scene.reconcile() == Result(failed=True)

    assert 20 < len(scene.done) < 100


def test_nothing_is_to_be_done_where_there_is_neither_claim_nor_pod(scene):
    scene.claim = None

    assert scene.reconcile() == Result()
    assert (scene.done, scene.told) == ([], [])


@pytest.mark.parametrize(
    ("kind", "told"),
    [(CloudErrorKind.PERMISSION, [("both", "FailedAddressRequest")]), (CloudErrorKind.BUSY, [])],
)
def test_of_what_is_not_done_for_a_claim_only_what_time_does_not_mend_is_told(scene, kind, told):
    scene.outcomes = [refusal(kind)]

    with pytest.raises(CloudError):
        scene.reconcile()

    assert [(to, reason) for to, _, reason, _ in scene.told] == told


def test_of_what_is_not_done_for_a_pod_without_claim_nobody_is_told(scene):
    scene.claim, scene.pod = None, pod_with_wish()
    scene.outcomes = [refusal(CloudErrorKind.PERMISSION)]

    with pytest.raises(CloudError):
        scene.reconcile()

    assert scene.told == []


def pod_with_wish(network="tke-route-eni", **spec):
    return pod_with_fixed_ip(network, nodeName="node-a", **spec)


@pytest.mark.parametrize(("request_of_claim", "hints"), [(EXCLUSIVE, 1), (KEPT, 0)])
def test_a_pod_whose_claim_says_something_else_is_told_when_the_round_ends(scene, request_of_claim, hints):
    scene.claim, scene.pod = fixed_claim(request_of_claim, held=False), pod_with_wish()

    scene.reconcile()

    assert [(to, reason) for to, reason, _ in scene.told] == [("pod", "AnnotationsIgnored")] * hints


RESERVED = model.Reservation(
    reservation_id="rsvip-1",
    ip=ADDRESS.ip,
    subnet_id=ADDRESS.subnet_id,
    vpc_id="vpc-1",
    state=model.ReservationState.UNBIND,
)
LEAVING = fixed_claim(deleting=True, held=True, address=ADDRESS)


def that_says_so(claim):
    """The deleted claim once it says that it waits."""
    patch = status.releasing(claim, NOW)
    assert patch
    return replace(claim, conditions=tuple(patch["status"]["conditions"]))


def test_what_is_not_given_back_is_told_on_its_claim_whatever_the_refusal(scene):
    scene.claim, scene.known = LEAVING, {"book": (), "reservations": (RESERVED,)}
    scene.outcomes = [refusal(CloudErrorKind.BUSY)]

    with pytest.raises(CloudError):
        scene.reconcile()

    assert [type(action) for action in scene.done] == [do.ReleaseReservation]
    assert [words[:3] for words in scene.told] == [("claim", "Warning", "FailedReleaseAddress")]


@pytest.mark.parametrize(
    ("known", "ended", "told"),
    [
        (
            {"reservations": (replace(RESERVED, state=model.ReservationState.BIND, resource_id="eni-1"),)},
            Result(requeue_after=10.0, failed=True),
            [("claim", "Warning", "AddressStillAssigned")],
        ),
        ({"reservations": (), "released": frozenset({"rsvip-1"})}, DONE, []),
    ],
)
def test_a_wait_for_what_somebody_has_to_do_is_told_and_backs_off(scene, known, ended, told):
    scene.claim, scene.known = that_says_so(LEAVING), {"book": (), **known}

    assert scene.reconcile() == ended

    assert [words[:3] for words in scene.told] == told


def test_a_wait_for_time_alone_is_told_to_nobody(scene):
    ordered = replace(LEAVING, address=None, allocation=AddressOrder(attempt=1, started=NOW - 1.0))
    scene.claim = that_says_so(ordered)
    scene.known = {"book": (), "reservations": ()}

    ended = scene.reconcile()

    assert (ended.failed, scene.told) == (False, [])
    assert ended.requeue_after is not None
    assert ended.requeue_after > 1.0
