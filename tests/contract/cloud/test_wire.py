"""API v3 on the wire, as the SDK's CommonClient sees it."""

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from ipamd.core.cloud_errors.kind import CloudErrorKind as Kind
from tests.contract.cloud.account import refusal


def test_an_answer_has_a_request_id_of_its_own(account):
    client = account.common()
    ids = {client.call_json("DescribeAddressQuota", {})["Response"]["RequestId"] for _ in range(3)}
    assert len(ids) == 3
    assert all(ids)


def test_an_error_has_code_message_and_request_id(account):
    with pytest.raises(TencentCloudSDKException) as caught:
        account.common().call_json("ReleaseAddresses", {"AddressIds": ["eip-00000000"]})
    assert caught.value.code
    assert caught.value.message
    assert caught.value.requestId


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret_key": "not-the-key"}, "AuthFailure.SignatureFailure"),
        ({"secret_id": "AKIDnobody00000000000000000000000"}, "AuthFailure.SecretIdNotFound"),
    ],
)
def test_a_wrong_identity_is_a_matter_of_credentials(account, changes, code):
    client = account.common(**changes)
    assert refusal(lambda: client.call_json("DescribeAddressQuota", {})) == (code, Kind.CREDENTIALS)


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("DescribeNothing", {}, "InvalidAction"),
        ("DescribeAddressQuota", {"Surprise": 1}, "UnknownParameter"),
        ("DescribeNetworkInterfaceLimit", {}, "MissingParameter"),
    ],
)
def test_a_wrong_request_is_invalid(account, action, params, code):
    assert refusal(lambda: account.common().call_json(action, params)) == (code, Kind.INVALID)


def test_another_version_of_the_api_is_invalid(account):
    client = account.common(version="1999-01-01")
    assert refusal(lambda: client.call_json("DescribeAddressQuota", {})) == ("NoSuchVersion", Kind.INVALID)


def test_too_many_calls_in_a_second_are_throttled_and_not_all_refused(account):
    from concurrent.futures import ThreadPoolExecutor

    client = account.common()

    def call(_):
        try:
            client.call_json("DescribeAddressQuota", {})
        except TencentCloudSDKException as e:
            return e.code
        return "OK"

    with ThreadPoolExecutor(8) as threads:
        codes = set(threads.map(call, range(60)))
    assert codes == {"OK", "RequestLimitExceeded"}
