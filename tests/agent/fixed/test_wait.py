"""What an ADD for a Pod with a fixed address waits for, what it is told, and when it waits no longer."""

from dataclasses import replace

import pytest

from ipamd.agent.fixed.wait import FixedWait
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cni.errors import CniError
from ipamd.core.errors import TryAgainError
from ipamd.core.ledger.acquisition import Attachment
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.model import SandboxKey
from ipamd.core.timing.deadline import Deadline
from ipamd.store.database import Database
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ips import ADDRESS, EXCLUSIVE, KEPT, OWN_ENI, fixed_claim

POD = pod_ref()
ADD = Attachment(key=SandboxKey(container_id="c1", ifname="eth0"), pod=POD)
ADD_OF_ENI = replace(ADD, exclusive=True)


class Scene:
    """The watch of claims and the reconciler's last errors, as a test says."""

    def __init__(self, database):
        self.claim = None
        self.has_synced, self.problem = True, ""
        self.last = None
        self.asked = 0
        self.zone = "ap-test-1"
        self.waiting = FixedWait(
            node="node-a",
            zone=lambda: self.zone,
            shared_ledger=SharedLedger(database, Ledger()),
            claims=self,
            reconciler=self,
        )

    def known(self, pod):
        assert pod == POD
        return self.claim

    def ask_soon(self):
        self.asked += 1

    def error(self, uid):
        assert uid == "claim-1"
        return self.last

    def waited_for(self):
        return self.waiting.waited_for(POD)

    def wait(self, attachment=ADD, *, given_up=False):
        """Wait no time at all."""
        self.waiting.wait(attachment, Deadline.after(0.0, lambda: 0.0), lambda: given_up)


@pytest.fixture
def scene(tmp_path):
    with Database(tmp_path / "ipamd.db") as database:
        yield Scene(database)


def cloud_error(kind):
    return CloudError(kind, "no", action="Assign", code="Code", request_id="r-1")


def test_while_the_claims_are_not_known_they_are_asked_for_and_that_is_said(scene):
    scene.has_synced = False
    known = "the VpcIPClaims of this node, which are not known: "
    assert scene.waited_for() == f"{known}the API server has not answered yet"
    scene.problem = "forbidden"
    assert scene.waited_for() == f"{known}forbidden"

    with pytest.raises(TryAgainError, match="not at the node in time"):
        scene.wait()
    assert scene.asked == 1


def test_a_claim_that_is_known_is_not_asked_for(scene):
    with pytest.raises(TryAgainError):
        scene.wait()

    assert scene.asked == 0
    assert "which are not known" not in scene.waited_for()


@pytest.mark.parametrize(
    ("request_of", "address", "said"),
    [
        (KEPT, ADDRESS, "the cloud to assign 10.0.3.7"),
        (EXCLUSIVE, OWN_ENI, "the cloud to attach eni-own with 10.0.3.7"),
    ],
)
def test_what_the_cloud_has_to_do_is_said_with_the_last_attempt(scene, request_of, address, said):
    scene.claim = fixed_claim(request_of, address=address)
    assert scene.waited_for() == said

    scene.last = TryAgainError("busy")
    assert scene.waited_for() == f"{said} (last attempt: busy)"


def test_a_claim_without_an_address_waits_for_the_controller(scene):
    scene.claim = fixed_claim()

    assert "the cloud to" not in scene.waited_for()
    assert scene.waited_for()


def test_an_address_of_another_zone_is_waited_for_in_vain(scene):
    scene.claim, scene.zone = fixed_claim(address=ADDRESS), "ap-test-2"

    assert scene.waited_for() == "a node in zone ap-test-1, where its address 10.0.3.7 is"
    with pytest.raises(CniError, match="ap-test-1"):
        scene.wait()


def test_who_has_given_up_waits_no_longer(scene):
    scene.wait(given_up=True)


@pytest.mark.parametrize(
    ("last", "refused"),
    [
        (cloud_error(CloudErrorKind.PERMISSION), CloudErrorKind.PERMISSION.policy.retry_after > 0),
        (cloud_error(CloudErrorKind.QUOTA), True),
        (cloud_error(CloudErrorKind.BUSY), False),
        (TryAgainError("busy"), False),
        (None, False),
    ],
)
def test_only_what_lasts_ends_the_wait_before_its_time(scene, last, refused):
    scene.claim, scene.last = fixed_claim(address=ADDRESS), last

    with pytest.raises(CniError if refused else TryAgainError) as failed:
        scene.wait()

    assert ("not at the node in time" in str(failed.value)) is not refused


@pytest.mark.parametrize(
    ("claim", "attachment", "refused"),
    [
        (fixed_claim(KEPT, address=ADDRESS), ADD_OF_ENI, True),
        (fixed_claim(EXCLUSIVE, address=OWN_ENI), ADD, True),
        (fixed_claim(EXCLUSIVE, address=OWN_ENI), ADD_OF_ENI, False),
        (fixed_claim(KEPT, address=ADDRESS, deleting=True), ADD_OF_ENI, False),
    ],
)
def test_a_claim_for_another_kind_of_network_serves_the_pod_never(scene, claim, attachment, refused):
    scene.claim = claim

    with pytest.raises(CniError if refused else TryAgainError) as failed:
        scene.wait(attachment)

    assert ("not at the node in time" in str(failed.value)) is not refused


def test_without_claim_there_is_no_address_yet(scene):
    assert scene.waiting.ip_of(POD) == ""
    scene.claim = fixed_claim(address=ADDRESS)
    assert scene.waiting.ip_of(POD) == ADDRESS.ip
