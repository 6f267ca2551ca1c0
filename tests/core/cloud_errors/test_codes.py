"""What a caller and a person learn from an error code of the cloud."""

import pytest

from ipamd.core.cloud_errors.codes import cloud_error, meaning
from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind

DENIED = (
    "[request id:1b2c]you are not authorized to perform operation (cvm:AllocateAddresses)\n"
    "resource (qcs::cvm:ap-guangzhou:uin/100000000001:eip/*) has no permission"
)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("RequestLimitExceeded", Kind.THROTTLED),
        ("RequestLimitExceeded.UinLimitExceeded", Kind.THROTTLED),
        ("LimitExceeded.ActionLimited", Kind.THROTTLED),
        ("OperationDenied.MutexTaskRunning", Kind.BUSY),
        ("DesOperation.MutexTaskRunning", Kind.BUSY),
        ("UnsupportedOperation.MutexOperationTaskRunning", Kind.BUSY),
        ("UnsupportedOperation.IdempotentProcessing", Kind.BUSY),
        ("LimitExceeded", Kind.QUOTA),
        ("LimitExceeded.InstanceAddressQuota", Kind.QUOTA),
        ("AddressQuotaLimitExceeded", Kind.QUOTA),
        ("AddressQuotaLimitExceeded.DailyAllocate", Kind.QUOTA),
        ("ResourceInsufficient", Kind.QUOTA),
        ("ResourceInsufficient.Subnet", Kind.SUBNET_FULL),
        ("FailedOperation.BalanceInsufficient", Kind.MONEY),
        ("OperationDenied.AddressInArrears", Kind.MONEY),
        ("UnauthorizedOperation", Kind.PERMISSION),
        ("AuthFailure.UnauthorizedOperation", Kind.PERMISSION),
        ("AuthFailure.TokenFailure", Kind.CREDENTIALS),
        ("AuthFailure.SecretIdNotFound", Kind.CREDENTIALS),
        ("InvalidAddressId.NotFound", Kind.NOT_FOUND),
        ("InvalidParameterValue.ResourceNotFound", Kind.NOT_FOUND),
        ("ResourceNotFound", Kind.NOT_FOUND),
        ("UnsupportedOperation.AddressStatusNotPermit", Kind.WRONG_STATE),
        ("UnsupportedOperation.InvalidState", Kind.WRONG_STATE),
        ("InvalidAddressIdStatus.NotPermit", Kind.WRONG_STATE),
        ("InvalidPrivateIpAddress.AlreadyBindEip", Kind.WRONG_STATE),
        ("OperationDenied.AddressDeletionProtectionEnabled", Kind.WRONG_STATE),
        ("InvalidParameterValue.Malformed", Kind.INVALID),
        ("InvalidParameterValue.BandwidthOutOfRange", Kind.INVALID),
        ("InvalidAccount.NotSupported", Kind.INVALID),
        ("UnsupportedOperation.DeliveryFailed", Kind.NEW_TOKEN),
        ("FailedOperation.TaskFailed", Kind.TASK_FAILED),
        ("ClientNetworkError", Kind.UNKNOWN_OUTCOME),
        ("ServerNetworkError", Kind.UNKNOWN_OUTCOME),
        ("InternalError.ModuleError", Kind.INTERNAL),
        ("FailedOperation.NetDetectTimeOut", Kind.INTERNAL),
        ("ACodeOfTheFuture.WithDetail", Kind.INTERNAL),
        ("", Kind.INTERNAL),
    ],
)
def test_a_code_or_else_its_family_decides_the_kind(code, kind):
    assert meaning(code).kind is kind


def test_a_denied_eip_action_names_what_cam_denied_and_the_policy_that_allows_it():
    error = cloud_error("AllocateAddresses", "UnauthorizedOperation", DENIED, "1b2c")
    assert error.kind is Kind.PERMISSION
    assert "cvm:AllocateAddresses" in error.advice
    assert "QcloudAccessForIPAMDRoleInQcloudAllocateEIP" in error.advice
    assert "with the CAM role of the CVM that asks" in error.advice


def test_a_denied_eni_action_names_the_policy_for_enis():
    error = cloud_error("AssignPrivateIpAddresses", "UnauthorizedOperation.CamNoAuth", "no")
    assert "grant AssignPrivateIpAddresses" in error.advice
    assert "QcloudAccessForIPAMDofTKERole" in error.advice


@pytest.mark.parametrize("action", ["CreateReserveIpAddresses", "vpc:DescribeUsedIpAddress"])
def test_a_denied_reservation_names_the_policy_that_has_it_for_sure(action):
    error = cloud_error(action, "UnauthorizedOperation", "no")
    assert f"grant {action} in CAM: associate the policy deploy/cam-policy.json" in error.advice


def test_an_account_that_is_not_entitled_is_not_told_to_grant_a_policy():
    error = cloud_error("AllocateAddresses", "UnauthorizedOperation.InvalidAccount", "not verified")
    assert error.kind is Kind.PERMISSION
    assert "Policy" not in error.advice
    assert "account" in error.advice


def test_the_text_has_action_code_cause_request_id_and_advice():
    error = cloud_error("AllocateAddresses", "AddressQuotaLimitExceeded", "used up", "r-1")
    assert str(error).startswith(
        "AllocateAddresses failed with AddressQuotaLimitExceeded: used up (RequestId r-1); "
    )
    assert "quota" in error.advice


def test_a_restated_error_keeps_all_but_the_cause():
    error = cloud_error("DeleteNetworkInterface", "ResourceInUse", "attached", "r-2")
    again = error.restated("attached; left as it is")
    assert again is not error
    assert (again.kind, again.action, again.code) == (error.kind, error.action, error.code)
    assert (again.request_id, again.advice) == (error.request_id, error.advice)
    assert "left as it is" in str(again)


def test_a_restated_error_may_have_another_kind():
    error = cloud_error("AssignPrivateIpAddresses", "ResourceInUse", "taken", "r-3")
    assert error.restated("taken", Kind.ADDRESS_IN_USE).kind is Kind.ADDRESS_IN_USE
