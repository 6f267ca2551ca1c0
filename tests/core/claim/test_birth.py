"""A Pod asks: which claim is made for it, and what comes first on it."""

from dataclasses import replace

import pytest

from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.claim import actions as do
from ipamd.core.claim.eipclaim import Allocation, ClaimPod
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.state_machine import decide
from ipamd.core.kubernetes.annotation_names import EIP_ATTRIBUTES
from ipamd.core.model import EipOrder
from tests.testkit.claims import NOW, claim, facts, pod


@pytest.mark.parametrize(
    "nobody", [None, pod(wants=False), pod(phase="Succeeded"), pod(phase="Failed"), pod(deleting=True)]
)
def test_a_pod_that_wants_no_eip_gets_no_claim(nobody):
    assert decide(facts(pod=nobody)) == do.Idle()


def test_a_pod_that_asks_gets_a_claim():
    asking = pod()

    assert decide(facts(pod=asking)) == do.Create(
        pod=asking, request=EipRequest(order=EipOrder(), delete_policy=DeletePolicy.DELETE)
    )


def test_wrong_annotations_get_an_event_and_no_claim():
    wrong = replace(pod(), annotations={EIP_ATTRIBUTES: '{"ISP":"STARLINK"}'})

    action = decide(facts(pod=wrong))

    assert isinstance(action, do.RejectPod)
    assert action.reason is Reason.INVALID_ATTRIBUTES
    assert "STARLINK" in action.message


def test_a_claim_without_our_finalizer_gets_it_before_anything_else():
    assert decide(facts(claim(held=False), pod())) == do.AddFinalizer()


def test_label_and_pod_are_recorded_before_an_eip_is_ordered():
    fresh = claim(node="", pod=None)

    assert decide(facts(fresh, pod())) == do.SetNodeLabel(node="node-a")
    assert decide(facts(replace(fresh, node="node-a"), pod())) == do.RecordPod(
        pod=ClaimPod(uid="pod-1", node="node-a")
    )


def test_an_attempt_and_the_pod_that_it_is_for_are_recorded_by_one_action():
    fresh, served = claim(pod=None), ClaimPod(uid="pod-1", node="node-a")

    order = decide(facts(fresh, pod(), eips=()))

    assert order == do.Allocate(attempt=1, begun=False, order=EipOrder(), pod=served)


def test_an_attempt_that_was_begun_for_another_node_is_recorded_for_this_one_before_it_goes_on():
    moved = claim(
        pod=ClaimPod(uid="pod-1", node=""), allocation=Allocation(attempt=1, started=NOW), node="node-a"
    )

    assert decide(facts(moved, pod(), eips=())) == do.RecordPod(pod=ClaimPod(uid="pod-1", node="node-a"))


def test_an_unscheduled_pod_is_provisioned_already():
    unscheduled = claim(node="", pod=ClaimPod(uid="pod-1"))

    assert decide(facts(unscheduled, pod(node=""))) == do.LookAtCloud()
