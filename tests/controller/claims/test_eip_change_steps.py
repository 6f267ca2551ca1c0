"""One step of a change of a claim's EIP: what the cloud is asked, what the claim says then, who is told."""

from types import SimpleNamespace

import pytest

from ipamd.controller.claims.eip_changes import EipChanges
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.core.claim import eipclaim
from ipamd.core.claim.actions import ChangeEip, FinishChange, RefuseChange
from ipamd.core.claim.change_record import CONFIRM
from ipamd.core.claim.eip_change import SetBandwidth
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.model import AcceptedOrder
from ipamd.kube.resources import EIPCLAIMS
from ipamd.runtime.reconcile import Result
from tests.testkit import kubernetes_objects as objects

NOW = 1_800_000_000.0
FIFTY = ChangeEip(eip_id="eip-1", step=SetBandwidth(mbps=50))


def error(code):
    return cloud_error("ModifyAddressesBandwidth", code, "no", "r-1")


class Cloud:
    """Takes a step, or raises what a test has put here."""

    def __init__(self):
        self.asked: list[str] = []
        self.allowed: tuple[int, int] | None = (1, 100)
        self.task = "task-1"
        self.early: CloudError | None = None
        self.late: CloudError | None = None

    def check_change(self, eip_id, step):
        if self.early:
            raise self.early

    def describe_bandwidth_range(self, eip_id, deadline):
        if self.allowed is None:
            raise error("InternalError")
        return self.allowed

    def change_eip(self, eip_id, step, deadline):
        self.asked.append(f"{eip_id}: {step}")
        if self.late:
            raise self.late
        return self.task


class Scene:
    def __init__(self, client):
        self.client, self.cloud = client, Cloud()
        self.told: list[tuple[str, str, str]] = []
        writer = ClaimWriter(client)
        self.ports = Ports(
            fence=SimpleNamespace(deadline=lambda: None),
            cloud=self.cloud,
            writer=writer,
            teller=SimpleNamespace(both=lambda _, *words: self.told.append(words)),
            in_flight=None,
            on_freed=None,
            release_stopped=str,
            clock=lambda: NOW,
        )
        self.changes = EipChanges(self.ports)
        attributes = {"isp": "BGP", "bandwidthMbps": 50, "chargeType": "TRAFFIC_POSTPAID_BY_HOUR"}
        obj = objects.claim("web-0", namespace="default")
        obj["spec"] = {"attributes": attributes, "deletePolicy": "Delete"}
        client.create(EIPCLAIMS, obj)

    @property
    def claim(self):
        return eipclaim.read(self.client.get(EIPCLAIMS, "web-0", "default"))

    @property
    def says(self):
        told = eipclaim.condition(self.claim.conditions, eipclaim.UP_TO_DATE)
        return told.get("status"), told.get("reason")

    @property
    def reasons(self):
        return [reason for _, reason, _ in self.told]

    def confirm(self, charge_type):
        body = {"metadata": {"annotations": {CONFIRM: charge_type}}}
        self.client.patch(EIPCLAIMS, "web-0", body, "default")

    def change(self):
        return self.changes.change(self.claim, FIFTY)


@pytest.fixture
def scene(client):
    return Scene(client)


def test_a_step_is_written_down_told_and_given_to_the_cloud(scene):
    assert scene.change() == Result(requeue_after=0.3)

    assert scene.cloud.asked == ["eip-1: bandwidth 50 Mbps"]
    assert (scene.claim.change.value, scene.claim.change.started) == ("50", NOW)
    assert scene.says == ("False", "Changing")
    assert scene.told == [("Normal", "Changing", "eip-1: bandwidth 50 Mbps")]
    assert scene.ports.changes.of(scene.claim.uid) == AcceptedOrder(eip_id="eip-1", task_id="task-1")


def test_a_new_step_has_nothing_of_the_task_of_the_one_before(scene):
    scene.change()
    scene.cloud.late = error("InternalError")
    scene.change()

    assert scene.ports.changes.of(scene.claim.uid) is None


@pytest.mark.parametrize("allowed", [(50, 50), (1, 50), (50, 100)])
def test_a_bandwidth_at_the_ends_of_the_range_is_asked_for(scene, allowed):
    scene.cloud.allowed = allowed
    scene.change()

    assert len(scene.cloud.asked) == 1


def test_one_is_asked_for_while_nobody_says_what_is_allowed(scene):
    scene.cloud.allowed = None

    assert scene.change() == Result(requeue_after=0.3)

    assert scene.cloud.asked == ["eip-1: bandwidth 50 Mbps"]
    assert scene.says == ("False", "Changing")


@pytest.mark.parametrize("allowed", [(51, 100), (1, 49)])
def test_one_outside_is_refused_until_the_claim_is_edited(scene, allowed):
    scene.cloud.allowed = allowed

    assert scene.change() == Result()

    assert scene.cloud.asked == []
    assert scene.claim.change.refused_generation == scene.claim.generation
    assert scene.says == ("False", "ChangeRefused")
    assert f"allowed are {allowed[0]} to {allowed[1]} Mbps" in scene.told[-1][2]


def test_what_may_have_been_done_is_looked_for_and_not_said_to_be_refused(scene):
    scene.cloud.late = error("InternalError")

    result = scene.change()

    assert (result.requeue_after, result.failed) == (1.0, False)
    assert scene.claim.change.started == NOW
    assert scene.says == ("False", "Changing")


def test_a_throttled_step_is_not_under_way_and_tried_again_by_itself(scene):
    scene.cloud.late = error("RequestLimitExceeded")

    with pytest.raises(CloudError):
        scene.change()

    assert scene.claim.change.started is None
    assert scene.reasons == ["Changing"]


@pytest.mark.parametrize("when", ["early", "late"])
def test_what_the_cloud_may_grant_later_is_said_and_tried_again_after_a_pause(scene, when):
    setattr(scene.cloud, when, error("UnauthorizedOperation"))

    result = scene.change()

    assert result.failed
    assert result.requeue_after >= 30.0
    assert scene.claim.change is None
    assert scene.says == ("False", "ChangeRefused")
    assert len(scene.cloud.asked) == (when == "late")


@pytest.mark.parametrize(
    "code", ["InvalidParameterValue.Range", "LimitExceeded.ModifyAddressInternetChargeTypeQuota"]
)
def test_what_no_time_mends_is_not_tried_again(scene, code):
    scene.cloud.late = error(code)

    assert scene.change() == Result()

    assert scene.claim.change.refused_generation == scene.claim.generation
    assert "the EIP stays as it is until the claim is edited" in scene.told[-1][2]


def test_a_change_that_is_done_is_told_and_its_confirmation_used_up(scene):
    scene.change()
    scene.confirm("TRAFFIC_POSTPAID_BY_HOUR")

    claim = scene.changes.finish(scene.claim, FinishChange(message="it has 50 Mbps"))

    assert claim.change is None
    assert claim.confirmed == ""
    assert claim.attributes is not None
    assert scene.says == ("True", "Changed")
    assert scene.told[-1] == ("Normal", "Changed", "it has 50 Mbps")
    assert scene.ports.changes.of(claim.uid) is None


def test_one_that_was_refused_and_is_right_by_now_is_told_as_well(scene):
    scene.changes.refuse(scene.claim, RefuseChange(message="no"))
    scene.changes.finish(scene.claim, FinishChange(message="as the claim says"))

    assert scene.reasons == ["ChangeRefused", "Changed"]


def test_an_eip_that_nobody_wanted_to_change_is_noted_without_a_word(scene):
    claim = scene.changes.finish(scene.claim, FinishChange(message="as the claim says"))

    assert claim.attributes is not None
    assert scene.says == (None, None)
    assert scene.told == []

    scene.change()
    scene.changes.finish(scene.claim, FinishChange(message="it has 50 Mbps"))
    scene.changes.finish(scene.claim, FinishChange(message="it has 50 Mbps"))
    assert scene.reasons == ["Changing", "Changed"]


@pytest.mark.parametrize(
    ("confirmed", "left"), [("TRAFFIC_POSTPAID_BY_HOUR", ""), ("BANDWIDTH_PACKAGE", "BANDWIDTH_PACKAGE")]
)
def test_a_refusal_uses_up_the_confirmation_of_what_it_refuses(scene, confirmed, left):
    scene.confirm(confirmed)

    assert scene.changes.refuse(scene.claim, RefuseChange(message="the third change")) == Result()

    assert scene.claim.confirmed == left
    assert scene.claim.change.refused_generation == scene.claim.generation
    assert scene.told == [("Warning", "ChangeRefused", "the third change")]
