"""One look at EIPs serves many claims, costs the same whatever there is, and is never older than asked."""

import threading
import time

import pytest

from ipamd.controller.claims.eip_listing import EipListing
from ipamd.core import tags
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import TryAgainError
from tests.runtime.manual_clock import ManualClock
from tests.testkit.eips import listed_eip


class Cloud:
    """Lists what there is when the call begins; waits to be let go, if told to."""

    def __init__(self):
        self.there = []
        self.calls: list[dict[str, object]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.error: CloudError | None = None

    def describe_eips(self, *, tags=None, eip_ids=None, deadline=None):
        found = list(self.there)
        self.calls.append({"tags": tags, "eip_ids": eip_ids})
        self.begun.release()
        assert self.gate.wait(10)
        if self.error:
            raise self.error
        if eip_ids is not None:
            return [eip for eip in found if eip.eip_id in eip_ids]
        wanted = {key: [value] if isinstance(value, str) else value for key, value in tags.items()}
        return [eip for eip in found if all(eip.tags.get(key) in value for key, value in wanted.items())]


@pytest.fixture
def cloud():
    return Cloud()


def eip(number, claim="", cluster="cls-1"):
    return listed_eip(f"eip-{number}", claim=claim, cluster=cluster)


def in_background(eips, *claims):
    results = {}

    def look(claim):
        try:
            results[claim] = eips.look(claim)
        except CloudError as e:
            results[claim] = e

    threads = [threading.Thread(target=look, args=(claim,)) for claim in claims]
    for thread in threads:
        thread.start()
    return threads, results


def test_a_claim_sees_its_own_by_its_tag_in_one_call(cloud):
    cloud.there = [eip(1, "a"), eip(2, "b"), eip(3, "a", cluster="cls-2"), eip(4, "a")]

    assert EipListing(cloud, "cls-1").look("a") == (eip(1, "a"), eip(4, "a"))
    assert cloud.calls == [{"tags": {**tags.of_cluster("cls-1"), tags.CLAIM_UID: ["a"]}, "eip_ids": None}]


def test_a_claim_that_can_have_no_other_eip_is_looked_for_by_its_id_alone(cloud):
    cloud.there = [eip(1, "a"), eip(2, "a")]

    assert EipListing(cloud, "cls-1").look("a", frozenset({"eip-1"}), by_tag=False) == (eip(1, "a"),)
    assert cloud.calls == [{"tags": None, "eip_ids": ["eip-1"]}]


def test_what_is_known_by_id_is_asked_for_only_when_its_tag_does_not_show_it(cloud):
    cloud.there = [eip(1, "a"), eip(2), eip(3, "other")]
    eips = EipListing(cloud, "cls-1", spacing=0.0)

    assert eips.look("a", frozenset({"eip-1"})) == (eip(1, "a"),)
    assert len(cloud.calls) == 1
    found = eips.look("a", frozenset({"eip-1", "eip-2", "eip-3", "eip-9"}))
    assert sorted(eip.eip_id for eip in found) == ["eip-1", "eip-2", "eip-3"]
    assert cloud.calls[2]["eip_ids"] == ["eip-2", "eip-3", "eip-9"]
    assert eips.look("b", frozenset({"eip-2"})) == (eip(2),)


def test_who_asks_while_a_look_is_under_way_is_in_the_next_together_with_others(cloud):
    eips = EipListing(cloud, "cls-1", spacing=0.0)
    cloud.gate.clear()
    first, first_result = in_background(eips, "a")
    assert cloud.begun.acquire(timeout=5)
    names = [f"c{n}" for n in range(20)]
    cloud.there = [eip(n, name) for n, name in enumerate(names)] + [eip(99, "a")]
    later, later_results = in_background(eips, *names, "a")
    while len(eips._next.known) < 21:
        pass

    cloud.gate.set()
    for thread in [*first, *later]:
        thread.join(5)

    assert first_result == {"a": ()}
    assert later_results == {**{name: (eip(n, name),) for n, name in enumerate(names)}, "a": (eip(99, "a"),)}
    assert len(cloud.calls) == 2


def test_claims_that_are_looked_at_at_once_share_the_first_look(cloud):
    cloud.there = [eip(1, "a"), eip(2, "b"), eip(3, "c")]
    eips = EipListing(cloud, "cls-1", spacing=0, gather=10)
    results: dict[str, object] = {}

    def look(claim, claims_due):
        results[claim] = [found.eip_id for found in eips.look(claim, claims_due=claims_due)]

    threads = [threading.Thread(target=look, args=(claim, 3 - n)) for n, claim in enumerate("abc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert results == {"a": ["eip-1"], "b": ["eip-2"], "c": ["eip-3"]}
    assert len(cloud.calls) == 1


def test_who_expects_no_company_waits_for_none(cloud):
    eips, began = EipListing(cloud, "cls-1", spacing=0, gather=30.0), time.monotonic()

    for _ in range(2):
        eips.look("a")

    assert time.monotonic() - began < 15.0


def test_company_that_does_not_come_is_not_waited_for(cloud):
    cloud.there = [eip(1, "a")]

    assert EipListing(cloud, "cls-1", spacing=0, gather=0.01).look("a", claims_due=50) == (eip(1, "a"),)


def test_more_claims_than_a_filter_takes_are_in_several_looks(cloud):
    eips = EipListing(cloud, "cls-1", spacing=0.0)
    cloud.gate.clear()
    first, _ = in_background(eips, "a")
    assert cloud.begun.acquire(timeout=5)
    later, results = in_background(eips, *(f"c{n}" for n in range(250)))
    while len(eips._next.known) < 100:
        pass
    cloud.gate.set()
    for thread in [*first, *later]:
        thread.join(10)

    assert len(results) == 250
    assert all(len(call["tags"][tags.CLAIM_UID]) <= 100 for call in cloud.calls)


def test_a_failure_is_everybody_s_and_the_next_look_is_new(cloud):
    eips = EipListing(cloud, "cls-1", spacing=0.05)
    cloud.error = cloud_error("DescribeAddresses", "InternalError", "?", "r-1")
    threads, results = in_background(eips, *"abcde")
    for thread in threads:
        thread.join(5)
    cloud.error = None

    assert all(isinstance(result, CloudError) for result in results.values())
    assert len({id(result) for result in results.values()}) == 5
    assert eips.look("a") == ()


def test_looks_are_spaced_but_for_the_first_three(cloud):
    spacing, began = 0.2, time.monotonic()
    eips = EipListing(cloud, "cls-1", spacing=spacing)
    for number in range(6):
        eips.look(f"c{number}")

    assert len(cloud.calls) == 6
    assert time.monotonic() - began >= 3 * spacing


def test_who_waits_for_a_look_that_does_not_end_is_told_to_try_again(cloud):
    clock = ManualClock()
    eips = EipListing(cloud, "cls-1", spacing=0.0, monotonic=clock.now)
    cloud.gate.clear()
    first, _ = in_background(eips, "a")
    assert cloud.begun.acquire(timeout=5)
    told: list[TryAgainError] = []

    def wait_in_vain():
        with pytest.raises(TryAgainError, match="could not be looked at in time") as failed:
            eips.look("b")
        told.append(failed.value)

    waiting = threading.Thread(target=wait_in_vain)
    waiting.start()
    while "b" not in eips._next.known:
        pass
    clock.advance(20.0)
    with eips._changed:
        eips._changed.notify_all()  # somebody else's news, after which nothing is left of its time
    waiting.join(5)
    cloud.gate.set()
    for thread in first:
        thread.join(5)

    assert len(told) == 1


def test_a_look_that_ends_by_a_defect_shows_nobody_that_there_is_nothing(cloud):
    """Who believed that would let a claim go whose EIP is there."""
    eips = EipListing(cloud, "cls-1", spacing=0.0)
    raised = []

    def look(claim):
        try:
            eips.look(claim)
        except (AttributeError, TryAgainError) as e:
            raised.append(type(e))

    cloud.gate.clear()
    first, _ = in_background(eips, "first")
    assert cloud.begun.acquire(timeout=10)
    both = [threading.Thread(target=look, args=(claim,)) for claim in ("a", "b")]
    for thread in both:
        thread.start()
    while len(eips._next.known) < 2:
        time.sleep(0.001)
    cloud.there = [object()]  # what nobody has thought of
    cloud.gate.set()
    for thread in (*first, *both):
        thread.join(10)

    assert sorted(each.__name__ for each in raised) == ["AttributeError", "TryAgainError"]
