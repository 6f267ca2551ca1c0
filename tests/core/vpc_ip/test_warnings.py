"""What the owner of a running Pod is told about its VpcIPClaim, and when nothing is said."""

import pytest

from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.kubernetes.annotation_names import (
    EXPIRED_DURATION,
    NETWORKS,
    NOMINATED_VPC_IP,
    VPC_IP_DELETE_POLICY,
)
from ipamd.core.vpc_ip import warnings
from ipamd.core.vpc_ip.facts import VpcIpFacts
from tests.testkit.pods import pod_view
from tests.testkit.vpc_ips import ADDRESS, fixed_claim

OTHER_WISH = {VPC_IP_DELETE_POLICY: "Never", NOMINATED_VPC_IP: "10.0.3.9"}
POD = pod_view(OTHER_WISH, nodeName="node-a")
CLAIM = fixed_claim(address=ADDRESS, pod=ClaimPod(uid="u1", node="node-a"))


def reasons(claim=CLAIM, pod=POD):
    return [note.reason for note in warnings.notes(VpcIpFacts(now=0.0, claim=claim, pod=pod))]


def test_annotations_that_differ_from_the_claim_are_told():
    assert reasons() == ["AnnotationsIgnored"]
    same = pod_view({VPC_IP_DELETE_POLICY: "Never"}, nodeName="node-a")
    assert reasons(pod=same) == []


@pytest.mark.parametrize(
    ("wish", "edit"),
    [
        ({VPC_IP_DELETE_POLICY: "Never", EXPIRED_DURATION: "5m"}, True),
        (OTHER_WISH, False),
        ({VPC_IP_DELETE_POLICY: "Never", NETWORKS: "tke-direct-eni"}, False),
    ],
    ids=["expiry", "address", "network"],
)
def test_to_edit_the_claim_is_the_advice_only_where_the_api_server_takes_it(wish, edit):
    (note,) = warnings.notes(VpcIpFacts(now=0.0, claim=CLAIM, pod=pod_view(wish, nodeName="node-a")))

    assert ("edit the claim" in note.message) is edit
    assert "run kubectl delete vipc web-0 -n default and delete the Pod" in note.message


def test_nothing_is_said_without_claim_or_pod_or_of_a_deleted_claim_or_another_pod():
    served = ClaimPod(uid="u0", node="node-a")

    assert reasons(claim=None) == []
    assert reasons(pod=None) == []
    assert reasons(claim=fixed_claim(address=ADDRESS, pod=CLAIM.pod, deleting=True)) == []
    assert reasons(claim=fixed_claim(address=ADDRESS, pod=served)) == []


JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "web", "uid": "j", "controller": True}


@pytest.mark.parametrize(
    ("maker", "said"),
    [
        ({"ownerReferences": [JOB]}, "(its Job gives each Pod a new one)"),
        ({"generateName": "web-"}, "(it was generated)"),
    ],
)
def test_an_address_that_is_kept_for_nobody_is_told_with_who_makes_the_names(maker, said):
    name = {"namespace": "default", "name": "web-7x2kq", "uid": "u1"}
    pod = pod_view({VPC_IP_DELETE_POLICY: "Never"}, nodeName="node-a", metadata={**name, **maker})

    (note,) = warnings.notes(VpcIpFacts(now=0.0, claim=CLAIM, pod=pod))

    assert (note.reason, said in note.message) == ("KeptForNobody", True)
