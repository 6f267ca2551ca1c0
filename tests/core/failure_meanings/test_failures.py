"""What a refusal says about the claim, and whether a person has to act."""

import pytest

from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.failure_meanings import failures
from ipamd.core.failure_meanings.by_kind import BY_KIND


def bind(code):
    return failures.bind_reason(cloud_error("AssociateAddress", code, "no"))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("LimitExceeded.InstanceAddressQuota", Reason.QUOTA_EXCEEDED),
        ("UnauthorizedOperation", Reason.PERMISSION_DENIED),
        ("InvalidAddressId.Blocked", Reason.EIP_BLOCKED),
        ("OperationDenied.AddressInArrears", Reason.EIP_IN_ARREARS),
        ("ClientBoundElsewhere", Reason.EIP_BOUND_ELSEWHERE),
        ("AuthFailure.SignatureExpire", Reason.CLOCK_WRONG),
        ("AuthFailure.SecretIdNotFound", Reason.CREDENTIALS_REFUSED),
        ("InvalidParameterValue", Reason.BIND_REFUSED),
    ],
)
def test_a_bind_that_only_a_person_mends_has_failed(code, reason):
    assert bind(code) is reason
    assert reason in FAILURES


@pytest.mark.parametrize(
    "code", ["InternalError", "ResourceInUse", "RequestLimitExceeded", "ClientNetworkError"]
)
def test_one_that_a_repeat_may_mend_has_not(code):
    assert bind(code) is Reason.BIND_FAILED
    assert Reason.BIND_FAILED not in FAILURES
    assert failures.bind_reason(TryAgainError("wait")) is Reason.BIND_FAILED


@pytest.mark.parametrize("code", ["AuthFailure.SignatureExpire", "AuthFailure.SecretIdNotFound"])
def test_a_refusal_of_who_asks_does_not_say_that_no_eip_was_made(code):
    assert not failures.of_order(cloud_error("AllocateAddresses", code, "no")).refused


@pytest.mark.parametrize("kind", [kind for kind in CloudErrorKind if kind.policy.needs_operator])
def test_what_only_a_person_mends_is_a_failure_of_the_claim(kind):
    """One that said CloudError would be tried again for ever."""
    order = BY_KIND[kind].order

    assert order.reason in FAILURES
    assert order.pause > 0


@pytest.mark.parametrize(
    ("code", "answers", "spent"),
    [
        ("UnsupportedOperation.DeliveryFailed", False, True),
        ("UnsupportedOperation.IdempotentParameterMismatch", True, False),
        ("AddressQuotaLimitExceeded", True, False),
        ("ClientNoTimeLeft", True, False),
        ("ClientNetworkError", False, False),
        ("InternalError", False, False),
    ],
)
def test_a_token_is_spent_only_when_no_order_with_it_can_bring_an_eip(code, answers, spent):
    error = cloud_error("AllocateAddresses", code, "no")

    assert failures.spends_token(error) is spent
    assert failures.is_answer(error) is answers
