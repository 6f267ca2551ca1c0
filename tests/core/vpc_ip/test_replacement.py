"""What is done about an address that somebody else has: by the controller, or by a person."""

import pytest

from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.vpc_ip import replacement
from tests.testkit.vpc_ip_claims import IP, vpc_ip_claim

IN_USE = {"type": "Assigned", "status": "False", "reason": "AddressInUse", "message": "it is in use"}
NOMINATED = VpcIpRequest(delete_policy=VpcIpPolicy.NEVER, nominated_ip=IP)


def test_one_that_no_pod_has_had_is_replaced_and_nobody_has_to_do_anything():
    claim = vpc_ip_claim(conditions=(IN_USE,))

    assert replacement.is_due(claim)
    assert replacement.advice(claim) == "another address is chosen for the Pod by itself"


@pytest.mark.parametrize("kept", [{"assigned_ip": IP}, {"request": NOMINATED}])
def test_one_that_a_pod_has_had_or_a_person_has_named_stays_and_both_ways_out_are_named(kept):
    claim = vpc_ip_claim(conditions=(IN_USE,), **kept)

    assert not replacement.is_due(claim)
    told = replacement.advice(claim)
    assert f"take {IP} off its user" in told
    assert "kubectl delete vipc web-0 -n default" in told
    assert "\n" not in told
