"""One list of the cluster's EIPs serves all who asked before it began, and nobody gets an older one."""

import threading

import pytest

from ipamd.controller.eip_listing import EipListing
from ipamd.core.cloud_errors import cloud_error
from ipamd.core.errors import CloudError
from ipamd.core.model import Eip, EipStatus


class Cloud:
    """Lists what there is when the list begins; waits to be let go, if told to."""

    def __init__(self):
        self.there: list[Eip] = []
        self.calls: list[dict[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.error: CloudError | None = None

    def describe_eips(self, *, tags, deadline=None):
        found = list(self.there)
        self.calls.append(tags)
        self.begun.release()
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        return found


@pytest.fixture
def cloud():
    return Cloud()


def eip(number):
    return Eip(eip_id=f"eip-{number}", public_ip="198.18.0.1", status=EipStatus.UNBIND)


def look_in_background(listing, number=1):
    results = []

    def look():
        try:
            results.append(listing.look())
        except CloudError as e:
            results.append(e)

    threads = [threading.Thread(target=look) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads, results


def test_only_the_cluster_s_own_are_asked_for(cloud):
    cloud.there = [eip(1)]

    assert EipListing(cloud, "cls-1").look() == (eip(1),)
    assert cloud.calls == [{"tke-clusterId": "cls-1", "tke-created-eip": "true"}]


def test_who_asks_while_a_list_is_under_way_gets_a_newer_one_together_with_others(cloud):
    listing = EipListing(cloud, "cls-1", spacing=0.0)
    cloud.gate.clear()
    first, first_result = look_in_background(listing)
    assert cloud.begun.acquire(timeout=5)
    cloud.there = [eip(1)]
    later, later_results = look_in_background(listing, 20)
    while sum(thread.is_alive() for thread in later) < 20:
        pass

    cloud.gate.set()
    for thread in [*first, *later]:
        thread.join(5)

    assert first_result == [()]
    assert later_results == [(eip(1),)] * 20
    assert len(cloud.calls) <= 4


def test_a_failure_is_everybody_s_and_the_next_look_is_new(cloud):
    listing = EipListing(cloud, "cls-1", spacing=0.05)
    cloud.error = cloud_error("DescribeAddresses", "InternalError", "?", "r-1")
    threads, results = look_in_background(listing, 5)
    for thread in threads:
        thread.join(5)
    cloud.error = None

    assert all(isinstance(result, CloudError) for result in results)
    assert len({id(result) for result in results}) == len(results)
    assert listing.look() == ()


def test_lists_begin_no_closer_than_their_spacing(cloud):
    listing = EipListing(cloud, "cls-1", spacing=0.2)
    threads, _ = look_in_background(listing, 30)
    for thread in threads:
        thread.join(5)

    assert len(cloud.calls) <= 3
