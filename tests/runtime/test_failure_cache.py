"""What failed is left alone for a while: for a window of its kind, or for longer and longer."""

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.runtime.failure_cache import FailureCache


def refusal(kind):
    return CloudError(kind, "no", action="AssignPrivateIpAddresses", code="X", request_id="r")


def test_lasting_refusal_closes_for_its_window_and_others_for_a_growing_pause():
    now = [0.0]
    cache = FailureCache(clock=lambda: now[0], random=lambda: 1.0)

    assert cache.failed("subnet", refusal(CloudErrorKind.SUBNET_FULL)) == 60
    assert cache.failed("eni", refusal(CloudErrorKind.INTERNAL)) == 1
    assert cache.failed("eni", refusal(CloudErrorKind.INTERNAL)) == 2
    now[0] = 3.0
    assert cache.is_closed("subnet")
    assert not cache.is_closed("eni")
    assert set(cache.errors()) == {"subnet", "eni"}
    cache.failed("claim", refusal(CloudErrorKind.QUOTA))
    cache.relieve(CloudErrorKind.QUOTA)
    assert not cache.is_closed("claim")
    cache.succeeded("eni")
    assert cache.error("eni") is None
    cache.keep_only({"eni"})
    assert not cache.is_closed("subnet")
