"""What an operator is told of fixed addresses that do not come, or do not go."""

from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.failure_meanings.fixed_findings import of_fixed
from ipamd.core.findings.codes import FindingCode
from tests.testkit.vpc_ip_claims import UID, told_claim, vpc_ip_claim

FULL = {"type": "Provisioned", "status": "False", "reason": "SubnetFull", "message": "no address is left."}


def found(*claims, **errors):
    return [(f.code, f.subject, f.text) for f in of_fixed(claims, errors)]


def test_a_node_whose_claims_are_served_has_none():
    assert found(told_claim()) == []


def test_what_keeps_a_claim_from_an_address_is_told_with_its_pod():
    claim = vpc_ip_claim(address=None, conditions=(FULL,))

    assert found(claim) == [
        (FindingCode.FIXED_ADDRESS, "pod/default/web-0", "SubnetFull: no address is left")
    ]
    (broken,) = of_fixed([vpc_ip_claim(problem="spec.type is 'Car'; allowed is Pod")], {})
    assert broken.pods == ("default/web-0",)


def test_what_fails_on_the_node_is_told_and_what_only_waits_is_not():
    denied = cloud_error("AssignPrivateIpAddresses", "UnauthorizedOperation", "no permission")

    ((code, subject, _),) = found(told_claim(), **{UID: denied})
    assert (code, subject) == (FindingCode.CAM_DENIED, "action/AssignPrivateIpAddresses")
    assert found(told_claim(), **{UID: IpamError("there is no room")}) == [
        (FindingCode.FIXED_ADDRESS, "pod/default/web-0", "there is no room")
    ]
    assert found(told_claim(), **{UID: TryAgainError("it is at another node")}) == []
