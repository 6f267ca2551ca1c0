"""Who calls an operation of the cloud may know the requests that it made."""

import threading

import pytest

from ipamd.cloud.witness import witnessed
from ipamd.core.cloud_errors.error import CloudError
from tests.cloud.scripted_http import always, response


def test_a_request_that_succeeded_is_heard_with_its_id_and_time(open_cloud, serve):
    cloud = open_cloud(serve(always(response({"QuotaSet": []}))).url)

    with witnessed() as calls:
        cloud.describe_eip_quota()
    cloud.describe_eip_quota()

    (call,) = calls
    assert (call.action, call.request_id) == ("DescribeAddressQuota", "r-scripted")
    assert call.seconds > 0


def test_one_that_failed_is_told_by_its_error_alone(open_cloud, serve):
    refusal = {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}
    cloud = open_cloud(serve(always(response(refusal))).url)

    with witnessed() as calls, pytest.raises(CloudError, match="r-scripted"):
        cloud.describe_eip_quota()

    assert calls == []


def test_a_thread_hears_of_its_own_requests(open_cloud, serve):
    cloud = open_cloud(serve(always(response({"QuotaSet": []}))).url)

    with witnessed() as calls:
        other = threading.Thread(target=cloud.describe_eip_quota)
        other.start()
        other.join()

    assert calls == []
