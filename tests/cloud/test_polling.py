"""The shared poller: one call for many waiters, none without a waiter, and an end to every wait."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ipamd.cloud.poll_plan import PollPace
from ipamd.cloud.polling import EipWatch
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.expected_duration import UNKNOWN
from simulator.cloud import Fault, FaultKind

BRISK = PollPace(gather=0.02, shortest=0.03, longest=0.1)


class Cloud:
    """EIPs that a test sets by hand, and a record of who was asked for."""

    def __init__(self):
        self.eips = {}
        self.calls = []
        self.failures = []
        self.malformed = set()
        self.asked = threading.Condition()

    def put(self, eip_id, status):
        self.eips[eip_id] = model.Eip(eip_id=eip_id, public_ip="198.18.0.1", status=status)

    def describe_eips(self, *, eip_ids=None, deadline=None):
        found = [self.eips[eip_id] for eip_id in eip_ids if eip_id in self.eips]
        with self.asked:
            self.calls.append(tuple(eip_ids))
            self.asked.notify_all()
        if self.failures:
            raise self.failures.pop(0)
        if self.malformed.intersection(eip_ids):
            raise cloud_error("DescribeAddresses", "InvalidParameterValue.AddressIdMalformed", "malformed")
        return found

    def await_calls(self, count):
        with self.asked:
            assert self.asked.wait_for(lambda: len(self.calls) >= count, 5)


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
def watch(cloud):
    with EipWatch(cloud, pace=BRISK, backoff=Backoff(first=0.02, longest=0.05)) as watch:
        yield watch


def bound(eip):
    return eip is not None and eip.bound


def gone(eip):
    return eip is None


def test_a_wait_ends_when_the_eip_is_as_wanted(cloud, watch, soon):
    cloud.put("eip-1", model.EipStatus.BINDING)
    with ThreadPoolExecutor() as threads:
        wait = threads.submit(watch.wait_until, "eip-1", bound, soon())
        cloud.await_calls(2)
        assert not wait.done()
        cloud.put("eip-1", model.EipStatus.BIND)
        assert wait.result(5).status is model.EipStatus.BIND


def test_an_eip_that_does_not_exist_is_none_to_the_predicate(cloud, watch, soon):
    assert watch.wait_until("eip-1", gone, soon()) is None


def test_many_waiters_share_one_call(cloud, watch, soon):
    ids = [f"eip-{n:03}" for n in range(40)]
    for eip_id in ids:
        cloud.put(eip_id, model.EipStatus.BINDING)
    with ThreadPoolExecutor(40) as threads:
        waits = [threads.submit(watch.wait_until, eip_id, bound, soon()) for eip_id in ids]
        with cloud.asked:
            assert cloud.asked.wait_for(lambda: cloud.calls and len(cloud.calls[-1]) == 40, 5)
        for eip_id in ids:
            cloud.put(eip_id, model.EipStatus.BIND)
        assert {wait.result(5).eip_id for wait in waits} == set(ids)
    assert len(cloud.calls) < 20


def test_more_than_a_hundred_ids_are_asked_for_by_the_hundred(cloud, watch, soon):
    ids = [f"eip-{n:03}" for n in range(130)]
    with ThreadPoolExecutor(130) as threads:
        waits = [threads.submit(watch.wait_until, eip_id, bound, soon(10)) for eip_id in ids]
        with cloud.asked:
            assert cloud.asked.wait_for(lambda: any(len(call) == 100 for call in cloud.calls), 5)
        for eip_id in ids:
            cloud.put(eip_id, model.EipStatus.BIND)
        for wait in waits:
            wait.result(5)
    assert max(len(call) for call in cloud.calls) == 100


def test_two_who_wait_for_one_eip_ask_once_and_each_by_their_own_wish(cloud, watch, soon):
    cloud.put("eip-1", model.EipStatus.UNBIND)
    with ThreadPoolExecutor() as threads:
        bind = threads.submit(watch.wait_until, "eip-1", bound, soon())
        unbind = threads.submit(
            watch.wait_until, "eip-1", lambda eip: eip.status is model.EipStatus.UNBIND, soon()
        )
        assert unbind.result(5).status is model.EipStatus.UNBIND
        assert not bind.done()
        cloud.put("eip-1", model.EipStatus.BIND)
        bind.result(5)
    assert set(cloud.calls) == {("eip-1",)}


def test_nobody_waiting_means_no_call_and_no_thread_before_the_first_wait(cloud, soon):
    before = threading.active_count()
    with EipWatch(cloud, pace=BRISK) as watch:
        assert threading.active_count() == before
        watch.wait_until("eip-1", gone, soon())
        calls = len(cloud.calls)
        time.sleep(5 * BRISK.longest)  # that nothing happens can only be seen by waiting
        assert len(cloud.calls) == calls
        watch.wait_until("eip-1", gone, soon())
        assert len(cloud.calls) == calls + 1
    assert threading.active_count() == before


def test_past_the_deadline_the_wait_tells_what_was_seen_last(cloud, watch, soon):
    cloud.put("eip-1", model.EipStatus.BINDING)
    with pytest.raises(TryAgainError, match="eip-1 is still BINDING"):
        watch.wait_until("eip-1", bound, soon(0.2))


def test_passing_failures_only_slow_the_polls_down(cloud, watch, soon):
    cloud.put("eip-1", model.EipStatus.BIND)
    cloud.failures = [
        cloud_error("DescribeAddresses", "RequestLimitExceeded", "too fast"),
        cloud_error("DescribeAddresses", "ClientNetworkError", "no route"),
        cloud_error("DescribeAddresses", "InternalError", "oops"),
    ]
    assert watch.wait_until("eip-1", bound, soon()).bound
    assert len(cloud.calls) == 4


def test_the_back_off_starts_anew_after_a_success(cloud, soon):
    trouble = cloud_error("DescribeAddresses", "InternalError", "oops")
    cloud.put("eip-1", model.EipStatus.BINDING)
    cloud.failures = [trouble, trouble]
    steep = Backoff(first=0.01, longest=60.0, factor=100.0)
    with EipWatch(cloud, pace=BRISK, backoff=steep) as watch, ThreadPoolExecutor() as threads:
        wait = threads.submit(watch.wait_until, "eip-1", bound, soon())
        cloud.await_calls(3)
        cloud.failures = [trouble]
        cloud.put("eip-1", model.EipStatus.BIND)
        assert bound(wait.result(5))


def test_a_hopeless_failure_ends_every_wait_with_an_error_of_its_own(cloud, watch, soon):
    with ThreadPoolExecutor() as threads:
        waits = [threads.submit(watch.wait_until, f"eip-{n}", bound, soon()) for n in range(3)]
        cloud.await_calls(1)
        cloud.failures = [cloud_error("DescribeAddresses", "UnauthorizedOperation", "no", "r-1")] * 9
        errors = [wait.exception(5) for wait in waits]
    assert [getattr(error, "kind", None) for error in errors] == [CloudErrorKind.PERMISSION] * 3
    assert len({id(error) for error in errors}) == 3


def test_a_malformed_id_fails_its_own_waiter_only(cloud, watch, soon):
    cloud.malformed = {"not-an-eip"}
    for n in range(6):
        cloud.put(f"eip-{n}", model.EipStatus.BINDING)
    with ThreadPoolExecutor() as threads:
        good = [threads.submit(watch.wait_until, f"eip-{n}", bound, soon()) for n in range(6)]
        cloud.await_calls(1)
        with pytest.raises(CloudError, match="malformed"):
            watch.wait_until("not-an-eip", bound, soon())
        for n in range(6):
            cloud.put(f"eip-{n}", model.EipStatus.BIND)
        assert all(wait.result(5).bound for wait in good)


def test_an_error_in_a_predicate_is_its_callers_own(cloud, watch, soon):
    with pytest.raises(ZeroDivisionError):
        watch.wait_until("eip-1", lambda _: bool(1 / 0), soon())
    assert watch.wait_until("eip-1", gone, soon()) is None


def test_closing_ends_waits_and_a_wait_after_it_ends_at_once(cloud, soon):
    watch = EipWatch(cloud, pace=BRISK)
    with ThreadPoolExecutor() as threads:
        wait = threads.submit(watch.wait_until, "eip-1", bound, soon(60))
        cloud.await_calls(1)
        watch.close()
        assert isinstance(wait.exception(5), TryAgainError)
    with pytest.raises(TryAgainError, match="stopping"):
        watch.wait_until("eip-1", bound, soon(60))
    watch.close()


def test_an_answer_to_a_poll_from_before_is_not_given_to_a_new_waiter(soon):
    class SlowCloud(Cloud):
        """Its first call returns what was true before the second waiter came."""

        gate = threading.Event()

        def describe_eips(self, *, eip_ids=None, deadline=None):
            answer = super().describe_eips(eip_ids=eip_ids)
            if len(self.calls) == 1:
                assert self.gate.wait(5)
            return answer

    cloud = SlowCloud()
    cloud.put("eip-1", model.EipStatus.BIND)
    with EipWatch(cloud, pace=BRISK) as watch, ThreadPoolExecutor() as threads:
        first = threads.submit(watch.wait_until, "eip-1", bound, soon())
        cloud.await_calls(1)
        cloud.put("eip-1", model.EipStatus.UNBINDING)
        second = threads.submit(watch.wait_until, "eip-1", bound, soon(0.5))
        while len(watch._waiters) < 2:
            threading.Event().wait(0.005)
        cloud.gate.set()
        assert bound(first.result(5))
        assert isinstance(second.exception(5), TryAgainError)


def test_what_waits_of_a_kind_took_is_learnt(cloud, watch, soon):
    cloud.put("eip-1", model.EipStatus.BIND)
    for _ in range(3):
        watch.wait_until("eip-1", bound, soon(), kind="AssociateAddress")
    assert len(cloud.calls) == 3
    assert watch._plan.first_look("AssociateAddress") < UNKNOWN
    assert watch._plan.first_look("DisassociateAddress") == UNKNOWN


def test_looks_that_nobody_is_kept_waiting_by_share_a_call_that_begins_after_they_were_asked_for(cloud, soon):
    for number in range(6):
        cloud.put(f"eip-{number}", model.EipStatus.BIND)
    with EipWatch(cloud) as watch, ThreadPoolExecutor(7) as threads:
        looks = list(threads.map(lambda number: watch.look(f"eip-{number}", soon()), range(7)))

    assert [look and look.eip_id for look in looks] == [*(f"eip-{number}" for number in range(6)), None]
    assert len(cloud.calls) < 7


def test_against_a_region_a_burst_of_binds_is_seen_by_few_calls(open_cloud, api_url, region, soon):
    from simulator.cloud import InstanceOrder

    cloud = open_cloud(api_url)
    node = region.create_instance(InstanceOrder(instance_type="S5.16XLARGE256")).instance_id
    (eni,) = cloud.describe_enis(node)
    ips = cloud.assign_ips(eni.eni_id, 8, "token-ips", soon())
    with EipWatch(cloud, pace=PollPace(gather=0.05, shortest=0.1)) as watch, ThreadPoolExecutor(8) as threads:

        def provide(n):
            eip_id = cloud.allocate_eip(model.EipOrder(), {"k": "v"}, f"token-{n}").eip_id
            watch.wait_until(
                eip_id, lambda eip: eip is not None and eip.status is model.EipStatus.UNBIND, soon()
            )
            cloud.associate_eip(eip_id, eni.eni_id, ips[n])
            return watch.wait_until(eip_id, bound, soon())

        region.faults.add(Fault(kind=FaultKind.STALE_READ, action="DescribeAddresses", count=2, seconds=60))
        assert {eip.private_ip for eip in threads.map(provide, range(8))} == set(ips)
    assert region.audit.calls()["DescribeAddresses"] < 16
