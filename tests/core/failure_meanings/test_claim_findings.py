"""What the conditions of a claim say that an operator has to know: refusals, and an EIP that is no way."""

import pytest

from ipamd.core.failure_meanings.claim_findings import of_claim
from ipamd.core.findings.codes import FindingCode
from tests.testkit.claims import claim


def condition(kind, status="False", reason="QuotaExceeded", message="20 EIPs."):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def found(*conditions):
    return list(of_claim(claim(conditions=conditions)))


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("QuotaExceeded", FindingCode.EIP_QUOTA),
        ("PermissionDenied", FindingCode.CAM_DENIED),
        ("EIPInArrears", FindingCode.ARREARS),
        ("ClockWrong", FindingCode.CLOCK_WRONG),
        ("CredentialsRefused", FindingCode.CREDENTIALS_REFUSED),
        ("NoSuchEntry", FindingCode.CLAIM_FAILED),
    ],
)
@pytest.mark.parametrize("kind", ["Provisioned", "Usable"])
def test_what_only_a_person_mends_is_told_under_what_it_means(kind, reason, code):
    (finding,) = found(condition(kind, reason=reason))

    assert (finding.code, finding.subject, finding.pods) == (code, "pod/default/web-0", ("default/web-0",))
    assert finding.text == f"{reason}: 20 EIPs"


@pytest.mark.parametrize(
    "condition",
    [
        condition("Provisioned", status="True"),
        condition("Provisioned", status="Unknown"),
        condition("Provisioned", reason="Waiting"),
        condition("Bound"),
        condition("EgressThroughEIP", status="True", reason="NoNatGateway"),
        condition("EgressThroughEIP", status="Unknown", reason="NotAsked"),
    ],
)
def test_what_passes_by_itself_or_is_well_is_none(condition):
    assert found(condition) == []


def test_the_first_refusal_is_told_and_not_what_follows_from_it():
    findings = found(
        condition("Usable", reason="EIPInArrears"),
        condition("Provisioned", reason="PermissionDenied"),
        condition("EgressThroughEIP", reason="NatGatewayFirst"),
    )

    assert [finding.code for finding in findings] == [FindingCode.CAM_DENIED]


def test_a_nat_gateway_that_takes_the_packets_first_is_told():
    (finding,) = found(condition("EgressThroughEIP", reason="NatGatewayFirst", message=None))

    assert finding.code is FindingCode.NAT_GATEWAY_FIRST
    assert finding.text == "NatGatewayFirst: no message"
