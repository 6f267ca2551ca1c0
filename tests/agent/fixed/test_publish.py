"""What the agent writes into a VpcIPClaim, what it leaves alone, and what Pods are told."""

from typing import Any

import pytest

from ipamd.agent.fixed.publish import VpcIpPublisher
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.vpc_ip.placement import WrongZoneError
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress, VpcIpClaim
from ipamd.kube import errors
from tests.testkit.pods import pod_ref
from tests.testkit.vpc_ip_claims import ADDRESS, IP, ON_A, ON_B, told_claim, vpc_ip_claim

POD = pod_ref("web-0", "pod-1")
ANOTHER = FixedAddress(ip="10.0.1.51", subnet_id=ADDRESS.subnet_id, zone=ADDRESS.zone)
TAKEN = cloud_error("AssignPrivateIpAddresses", "InvalidParameterValue.Duplicate", "taken", "r-1")


class Claims:
    """The API server: `there` is the claim as it is, `written` what was patched into its status."""

    def __init__(self):
        self.there: VpcIpClaim | None = vpc_ip_claim()
        self.looks = 0
        self.written: list[dict[str, Any]] = []
        self.error: errors.KubeError | None = None

    def live(self, namespace, name):
        assert (namespace, name) == ("default", "web-0")
        self.looks += 1
        return self.there

    def revise(self, claim, revision):
        if self.error:
            raise self.error
        if self.there is None or self.there.uid != claim.uid:
            return None
        patch = revision(self.there)
        if patch is not None:
            self.written.append(patch["status"])
        return self.there


class Told:
    def __init__(self):
        self.events: list[tuple[str, str]] = []

    def event(self, pod, reason, message):
        assert pod == POD
        self.events.append((reason, message))

    warning = event


class Scene:
    def __init__(self):
        self.claims, self.told = Claims(), Told()
        self.publisher = VpcIpPublisher("node-a", claims=self.claims, pods=self.told, clock=lambda: 1000.0)

    @property
    def bindings(self):
        """What was written of the binding; "untouched" where a patch said nothing of it."""
        return [patch.get("binding", "untouched") for patch in self.claims.written]

    @property
    def assigned(self):
        """Status and reason of Assigned as written last."""
        [said] = [c for c in self.claims.written[-1]["conditions"] if c["type"] == "Assigned"]
        return said["status"], said["reason"]


@pytest.fixture
def scene():
    return Scene()


def test_where_an_address_is_going_to_be_is_written_first(scene):
    scene.publisher.begin(scene.claims.there, POD, "eni-1")

    (binding,) = scene.bindings
    assert (binding["node"], binding["eniID"]) == ("node-a", "eni-1")
    assert scene.assigned == ("False", "Assigning")
    assert scene.claims.looks == 0


def test_what_is_written_already_is_looked_at_live(scene):
    scene.claims.there = vpc_ip_claim(binding=ON_A)

    assert scene.publisher.begin(scene.claims.there, POD, "eni-1") is scene.claims.there
    assert (scene.claims.looks, scene.claims.written) == (1, [])


@pytest.mark.parametrize(
    ("there", "because"),
    [
        (vpc_ip_claim(binding=ON_B), "the agent of node node-b to give back"),
        (vpc_ip_claim(address=ANOTHER), "another address"),
        (vpc_ip_claim(pod=ClaimPod(uid="pod-2", node="node-a")), "which serves Pod UID pod-2"),
        (vpc_ip_claim(uid="claim-2"), "does not exist any more"),
        (None, "does not exist any more"),
    ],
)
@pytest.mark.parametrize("seen", [vpc_ip_claim(), vpc_ip_claim(binding=ON_A)])
def test_a_claim_that_has_changed_gets_nothing_assigned(scene, seen, there, because):
    scene.claims.there = there

    with pytest.raises(TryAgainError, match=because):
        scene.publisher.begin(seen, POD, "eni-1")
    assert scene.claims.written == []


@pytest.mark.parametrize("there", [vpc_ip_claim(), vpc_ip_claim(binding=ON_A), told_claim(assigned_ip="")])
def test_an_address_that_is_assigned_is_written_and_told(scene, there):
    scene.claims.there = there

    scene.publisher.assigned(vpc_ip_claim(), POD, "eni-1", ", again")

    assert scene.assigned == ("True", "Assigned")
    assert scene.claims.written[-1]["assignedIP"] == IP
    text = f"the Pod's fixed address {IP} is assigned to eni-1, again"
    assert scene.told.events == [("AssignedVpcIP", text)]


def test_what_the_claim_says_already_is_not_written_again_and_without_a_note_nobody_is_told(scene):
    scene.claims.there = told_claim()

    scene.publisher.assigned(vpc_ip_claim(), POD, "eni-1")

    assert (scene.claims.written, scene.told.events) == ([], [])


@pytest.mark.parametrize(
    "there", [told_claim(binding=ON_B), told_claim(address=ANOTHER), told_claim(address=None)]
)
def test_a_claim_of_another_node_or_address_is_not_written(scene, there):
    scene.claims.there = there

    scene.publisher.assigned(vpc_ip_claim(), POD, "eni-2")
    scene.publisher.in_use(vpc_ip_claim(address=ANOTHER if there.address == ADDRESS else ADDRESS), TAKEN)

    assert scene.claims.written == []


def test_a_binding_is_taken_out_once_nothing_is_here(scene):
    scene.claims.there = told_claim()

    scene.publisher.withdraw(scene.claims.there, lambda _: True)
    assert scene.claims.written == []
    scene.publisher.withdraw(scene.claims.there, lambda _: False)

    assert scene.bindings == [None]
    assert scene.assigned == ("False", VpcIpReason.UNASSIGNED.value)


@pytest.mark.parametrize("binding", [ON_B, None])
def test_a_binding_of_another_node_or_none_is_left(scene, binding):
    scene.claims.there = told_claim(binding=binding)

    scene.publisher.withdraw(scene.claims.there, lambda _: False)
    scene.publisher.in_use(scene.claims.there, TAKEN)

    assert scene.claims.written == []


def test_one_that_somebody_else_has_is_at_no_eni_of_ours(scene):
    scene.claims.there = vpc_ip_claim(binding=ON_A)

    scene.publisher.in_use(scene.claims.there, TAKEN)

    assert scene.bindings == [None]
    assert scene.assigned == ("False", VpcIpReason.ADDRESS_IN_USE.value)


def test_why_it_is_not_assigned_is_told_to_the_pod_and_written(scene):
    scene.publisher.failed(scene.claims.there, POD, TAKEN)

    ((reason, text),) = scene.told.events
    assert (reason, "taken" in text) == ("FailedAssignVpcIP", True)
    assert scene.bindings == ["untouched"]
    assert scene.assigned[0] == "False"


def test_a_failure_of_the_api_server_is_told_and_not_written_there(scene):
    scene.publisher.failed(scene.claims.there, POD, errors.KubeError("down"))

    assert len(scene.told.events) == 1
    assert scene.claims.written == []


@pytest.mark.parametrize("there", [vpc_ip_claim(address=ANOTHER), vpc_ip_claim(binding=ON_B)])
def test_a_failure_is_none_of_a_claim_that_has_changed(scene, there):
    seen = scene.claims.there
    scene.claims.there = there

    scene.publisher.failed(seen, POD, TAKEN)

    assert scene.claims.written == []


def test_a_claim_that_cannot_be_written_leaves_the_pod_told(scene):
    scene.claims.error = errors.KubeError("down")

    scene.publisher.failed(scene.claims.there, POD, TAKEN)

    assert len(scene.told.events) == 1


def test_a_node_in_another_zone_is_no_repeat_and_told_as_it_is(scene):
    wrong = WrongZoneError("it is in zone ap-guangzhou-3, and the node is not")

    scene.publisher.failed(scene.claims.there, POD, wrong)

    assert scene.told.events == [("FailedAssignVpcIP", str(wrong))]
    assert scene.assigned == ("False", VpcIpReason.WRONG_SUBNET.value)
