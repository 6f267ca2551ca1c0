"""Which failed calls are sent again, when, and how the turn in the queue and the credential take part."""

import dataclasses
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipamd.cloud.credentials import Credential, RoleCredentials
from ipamd.cloud.session import MOST_DOUBTFUL_ATTEMPTS, may_repeat
from ipamd.cloud.throttling import Limiter
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from simulator.cloud import CloudRegion, CloudServer, Fault, FaultKind, RegionConfig, loopback_socket
from simulator.cloud.config import RateLimits
from tests.cloud import scripted_http
from tests.testkit.clock import Clock

SAFE = {CloudErrorKind.THROTTLED, CloudErrorKind.BUSY}
DOUBTFUL = {CloudErrorKind.UNKNOWN_OUTCOME, CloudErrorKind.INTERNAL}


@pytest.mark.parametrize("kind", list(CloudErrorKind))
def test_only_what_was_certainly_not_done_is_repeated_without_a_token(kind):
    assert may_repeat(kind, 1, repeatable=False) == (kind in SAFE)
    assert may_repeat(kind, 1, repeatable=True) == (kind in SAFE | DOUBTFUL)
    assert may_repeat(kind, MOST_DOUBTFUL_ATTEMPTS, repeatable=True) == (kind in SAFE)


def answering(*contents):
    """Answer call n with the n-th content, the last one for ever."""
    left = list(contents)

    def handler(_):
        return left.pop(0) if len(left) > 1 else left[0]

    return scripted_http.api(handler)


def error(code):
    return {"Error": {"Code": code, "Message": "scripted"}}


def test_one_refusal_does_not_spoil_the_success_that_follows(open_cloud, serve):
    server = serve(answering(error("RequestLimitExceeded"), {"AddressSet": ["eip-12345678"]}))
    cloud = open_cloud(server.url)
    assert cloud.allocate_eip(model.EipOrder(), {}, "token").eip_id == "eip-12345678"
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", ["InternalError", "ServiceUnavailable", "FailedOperation.NetDetectTimeOut"])
def test_the_clouds_own_faults_are_repeated_a_few_times_for_reads(open_cloud, serve, code):
    server = serve(answering(error(code)))
    with pytest.raises(CloudError, match=code):
        open_cloud(server.url).describe_eip_quota()
    assert len(server.requests) == MOST_DOUBTFUL_ATTEMPTS


def test_a_write_without_a_token_is_sent_once_when_its_outcome_is_unknown(open_cloud, serve):
    server = serve(answering(error("InternalError")))
    with pytest.raises(CloudError, match="InternalError"):
        open_cloud(server.url).associate_eip("eip-12345678", "eni-12345678", "10.0.1.5")
    assert [request.action for request in server.requests].count("AssociateAddress") == 1


@pytest.mark.parametrize(
    "code", ["InvalidParameterValue.Malformed", "UnauthorizedOperation", "ResourceNotFound", "LimitExceeded"]
)
def test_what_a_repeat_cannot_mend_is_not_repeated(open_cloud, serve, code):
    server = serve(answering(error(code)))
    with pytest.raises(CloudError, match=code):
        open_cloud(server.url).describe_eip_quota()
    assert len(server.requests) == 1


def test_repeats_end_before_the_deadline_and_tell_the_last_refusal(open_cloud, serve):
    clock = Clock(0.0)
    server = serve(answering(error("OperationDenied.MutexTaskRunning")))
    cloud = open_cloud(server.url, conduct={"clock": clock, "sleep": clock.sleep})
    with pytest.raises(CloudError, match="MutexTaskRunning") as caught:
        cloud.describe_eip_quota(deadline=Deadline.after(0.5, clock))
    assert caught.value.kind is CloudErrorKind.BUSY
    assert 0.3 < clock.now <= 0.5
    assert len(server.requests) > 3


def test_sleeps_never_reach_beyond_the_deadline(open_cloud, serve):
    clock = Clock(0.0)
    server = serve(answering(error("RequestLimitExceeded")))
    cloud = open_cloud(server.url, conduct={"clock": clock, "sleep": clock.sleep})
    with pytest.raises(CloudError):
        cloud.describe_eip_quota(deadline=Deadline.after(10, clock))
    assert 9 < clock.now <= 10


def test_nothing_is_sent_when_the_time_is_over_before(open_cloud, serve, soon):
    server = serve(answering({"QuotaSet": []}))
    with pytest.raises(CloudError) as caught:
        open_cloud(server.url).describe_eip_quota(deadline=soon(0))
    assert (caught.value.kind, caught.value.code) == (CloudErrorKind.BUSY, "ClientNoTimeLeft")
    assert server.requests == []


def test_a_turn_that_comes_after_the_deadline_is_a_throttle_of_our_own(open_cloud, serve, soon):
    limiter = Limiter(
        clock=time.monotonic, share=0.1, burst_seconds=0.1, allowance={"DescribeAddressQuota": 10}
    )
    server = serve(answering({"QuotaSet": []}))
    cloud = open_cloud(server.url, limiter=limiter)
    cloud.describe_eip_quota()
    with pytest.raises(CloudError) as caught:
        cloud.describe_eip_quota(deadline=soon(0.3))
    assert (caught.value.kind, caught.value.code) == (CloudErrorKind.THROTTLED, "ClientRateLimit")
    assert len(server.requests) == 1


def test_after_a_refusal_as_too_many_no_other_thread_calls_the_action_for_a_while(open_cloud, serve, soon):
    limiter = Limiter(clock=time.monotonic, share=1.0)
    server = serve(answering(error("RequestLimitExceeded")))
    cloud = open_cloud(server.url, limiter=limiter, conduct={"backoff": Backoff(first=5.0)})
    with pytest.raises(CloudError):
        cloud.describe_eip_quota(deadline=soon(1))
    assert limiter.reserve("DescribeAddressQuota", 4.0) is None
    assert limiter.reserve("DescribeAddresses", 4.0) == 0


def test_under_the_rates_of_the_region_a_burst_of_threads_gets_through(open_cloud):
    with (
        CloudRegion(RegionConfig(rate_limits=RateLimits(enabled=True))) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}", conduct={"call_seconds": 10}) as cloud,
        ThreadPoolExecutor(16) as threads,
    ):
        quotas = list(threads.map(lambda _: cloud.describe_eip_quota(), range(24)))
        assert len(quotas) == 24
        assert all(quotas)


@pytest.fixture
def role_keys(region):
    """The temporary keys that the CVM's role was given, as the metadata service would hand them out."""
    given = []

    def fetch():
        key = region.accounts.temporary_key("IPAMDofTKE_QCSRole")
        given.append(key)
        return Credential(
            secret_id=key.secret_id,
            secret_key=key.secret_key,
            token=key.token,
            lifetime=key.expires - region.wall(),
        )

    return fetch, given


def test_a_role_credential_signs_with_its_token(open_cloud, api_url, role_keys):
    fetch, given = role_keys
    cloud = open_cloud(api_url, credentials=RoleCredentials(fetch))
    assert cloud.describe_eip_quota()
    assert cloud.describe_eip_quota()
    assert len(given) == 1


@pytest.mark.parametrize("stale", [{"token": "a-token-of-yesterday"}, {"secret_id": "AKIDofyesterday"}])
def test_a_credential_that_the_cloud_refuses_is_renewed_within_the_call(
    open_cloud, api_url, role_keys, stale
):
    fetch, given = role_keys
    now = 0.0
    first = [dataclasses.replace(fetch(), **stale)]
    role = RoleCredentials(lambda: first.pop() if first else fetch(), clock=lambda: now)
    role.get_credential_info()
    now += 100
    assert open_cloud(api_url, credentials=role).describe_eip_quota()
    assert len(given) == 2


def test_a_credential_that_the_cloud_refuses_again_is_not_renewed_for_ever(open_cloud, api_url, role_keys):
    fetch, given = role_keys
    role = RoleCredentials(lambda: dataclasses.replace(fetch(), token="wrong"))
    with pytest.raises(CloudError, match=r"AuthFailure.TokenFailure") as caught:
        open_cloud(api_url, credentials=role).describe_eip_quota()
    assert caught.value.kind is CloudErrorKind.CREDENTIALS
    assert len(given) <= 2


def test_a_wrong_clock_is_named_in_the_advice(open_cloud):
    with (
        CloudRegion(wall=lambda: time.time() + 3600) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
        pytest.raises(CloudError, match=r"AuthFailure.SignatureExpire") as caught,
    ):
        cloud.describe_eip_quota()
    assert caught.value.kind is CloudErrorKind.CREDENTIALS
    assert "clock" in caught.value.advice


def test_the_newest_answer_tells_the_clouds_time(open_cloud):
    ahead = [0]
    with (
        CloudRegion(wall=lambda: time.time() + ahead[0]) as region,
        CloudServer(region, [loopback_socket()]) as server,
        open_cloud(f"http://{server.endpoint}") as cloud,
    ):
        instance = region.create_instance().instance_id
        cloud.describe_instance(instance)  # asked by another client than quotas are
        for ahead[0] in (-120, 120, -120):
            cloud.describe_eip_quota()
            assert cloud.time() - time.time() == pytest.approx(ahead[0], abs=10)


def test_a_wrong_key_is_a_matter_of_credentials(open_cloud, api_url):
    from ipamd.cloud.credentials import StaticCredentials

    wrong = StaticCredentials(Credential(secret_id="AKIDdemo", secret_key="not-the-key"))
    with pytest.raises(CloudError, match=r"AuthFailure.SignatureFailure") as caught:
        open_cloud(api_url, credentials=wrong).describe_eip_quota()
    assert caught.value.kind is CloudErrorKind.CREDENTIALS


def test_every_request_is_observed_and_logged_with_action_code_and_request_id(
    open_cloud, api_url, region, caplog
):
    caplog.set_level(logging.DEBUG)
    seen = []
    region.faults.add(Fault(kind=FaultKind.THROTTLE, action="DescribeAddressQuota"))
    cloud = open_cloud(api_url, conduct={"observe": lambda *event: seen.append(event)})
    cloud.describe_eip_quota()
    assert [(action, code) for action, code, _ in seen] == [
        ("DescribeAddressQuota", "RequestLimitExceeded"),
        ("DescribeAddressQuota", "OK"),
    ]
    assert all(0 < seconds < 5 for _, _, seconds in seen)
    lines = [record.getMessage() for record in caplog.records if record.name == "ipamd.cloud.session"]
    assert len(lines) == 2
    assert "DescribeAddressQuota OK RequestId=" in lines[1]
    assert lines[1].endswith(" ms")
    assert {record.levelno for record in caplog.records if record.name == "ipamd.cloud.session"} == {
        logging.DEBUG
    }


def test_secrets_are_in_no_log_even_at_debug(open_cloud, api_url, role_keys, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("tencentcloud_sdk_common").setLevel(logging.DEBUG)
    fetch, given = role_keys
    open_cloud(api_url, credentials=RoleCredentials(fetch)).describe_eip_quota()
    (key,) = given
    assert key.secret_key not in caplog.text
    assert key.token not in caplog.text
    assert "Signature=" not in caplog.text


def test_connections_are_kept_and_shared_between_threads(open_cloud, serve):
    server = serve(answering({"QuotaSet": []}))
    cloud = open_cloud(server.url)
    for _ in range(50):
        cloud.describe_eip_quota()
    assert server.connections == 1
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: cloud.describe_eip_quota(), range(40)))
    assert server.connections <= 5


def test_as_many_threads_as_are_said_keep_a_connection_each(open_cloud, serve, caplog):
    together = threading.Barrier(24)
    answer = answering({"QuotaSet": []})

    def when_all_are_there(request, sock):
        together.wait(10)
        return answer(request, sock)

    server = serve(when_all_are_there)
    cloud = open_cloud(server.url, conduct={"connections": 24})
    with ThreadPoolExecutor(24) as threads:
        list(threads.map(lambda _: cloud.describe_eip_quota(), range(24 * 5)))

    assert server.connections == 24
    assert "pool is full" not in caplog.text
