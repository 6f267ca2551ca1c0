"""What the cloud refuses is told once for each action, with the Pods that wait for it."""

import pytest

from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import TryAgainError
from ipamd.core.failure_meanings.refusal_findings import of_refusal, one_for_each_action
from ipamd.core.findings.codes import FindingCode

POD = "default/web-0"


def refused(action="AssociateAddress", code="UnauthorizedOperation", pod=POD):
    return of_refusal(cloud_error(action, code, "no"), "the EIP", pod)


@pytest.mark.parametrize(
    ("action", "code", "finding"),
    [
        ("AssociateAddress", "UnauthorizedOperation", FindingCode.CAM_DENIED),
        ("AllocateAddresses", "AddressQuotaLimitExceeded", FindingCode.EIP_QUOTA),
        ("AssignPrivateIpAddresses", "LimitExceeded", FindingCode.CVM_LIMIT),
        ("AssignPrivateIpAddresses", "ResourceInsufficient.Subnet", FindingCode.SUBNET_FULL),
        ("AllocateAddresses", "AuthFailure.SecretIdNotFound", FindingCode.CREDENTIALS_REFUSED),
        ("AllocateAddresses", "ClientNetworkError", FindingCode.CLOUD_AWAY),
        ("AssociateAddress", "InvalidParameterValue", FindingCode.CLOUD_REFUSES),
    ],
)
def test_a_refusal_is_told_under_what_it_means(action, code, finding):
    assert refused(action, code).code is finding


def test_a_refusal_is_of_the_action_and_names_code_cause_and_pod():
    found = refused()

    assert (found.subject, found.pods) == ("action/AssociateAddress", (POD,))
    assert found.text == "AssociateAddress is refused with UnauthorizedOperation: no"
    assert "CAM" in found.advice
    assert refused(pod="").pods == ()


def test_what_is_no_answer_of_the_cloud_is_of_the_pod_or_of_what_failed():
    error = TryAgainError("the EIP is on its way", advice="wait")

    of_pod, of_node = of_refusal(error, "pool", POD), of_refusal(error, "pool")

    assert (of_pod.code, of_pod.subject, of_pod.pods) == (FindingCode.EIP_NOT_BOUND, f"pod/{POD}", (POD,))
    assert (of_node.code, of_node.subject, of_node.pods) == (FindingCode.CLOUD_REFUSES, "pool", ())
    assert of_pod.text == "the EIP is on its way"
    assert of_pod.advice == "wait"


def test_pods_that_wait_for_one_action_are_one_finding_and_other_actions_others():
    found = one_for_each_action(
        [refused(pod="a/1"), refused("DisassociateAddress", pod="a/2"), refused(pod="a/3")]
    )

    assert [(finding.subject, finding.pods) for finding in found] == [
        ("action/AssociateAddress", ("a/1", "a/3")),
        ("action/DisassociateAddress", ("a/2",)),
    ]
