"""Reservations and lines of the book without claim: told late, believed late, never many at once."""

import operator

import pytest

from ipamd.core import tags
from ipamd.core.model import Reservation, ReservationState
from ipamd.core.vpc_ip import orphans, vpcip
from ipamd.core.vpc_ip.keepers import of_reservation
from ipamd.core.vpc_ip.orphans import KeeperVerdict
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress
from tests.testkit.vpc_ips import ADDRESS, fixed_claim

AGE = 100.0


def reservation(number=1, *, uid="gone", state=ReservationState.UNBIND):
    return Reservation(
        reservation_id=f"rsvip-{number}",
        ip=f"10.0.3.{number}",
        subnet_id="subnet-1",
        vpc_id="vpc-1",
        state=state,
        tags=tags.of_vpc_ip_claim("cls-1", uid) if uid else {tags.CLUSTER_ID: "cls-1"},
    )


def verdicts(*found, claims=(), before=None, now=1000.0):
    seen = orphans.find(map(of_reservation, found), claims, before=before or {}, age=AGE, now=now)
    return [(one.keeper.name, one.verdict) for one in seen]


@pytest.mark.parametrize(
    ("before", "verdict"),
    [
        ({}, KeeperVerdict.YOUNG),
        ({"rsvip-1": 1000.0 - AGE + 0.1}, KeeperVerdict.YOUNG),
        ({"rsvip-1": 1000.0 - AGE}, KeeperVerdict.UNUSED),
    ],
)
def test_one_is_an_orphan_after_so_long_and_two_looks(before, verdict):
    assert verdicts(reservation(), before=before) == [("rsvip-1", verdict)]


def test_age_zero_takes_two_looks_too():
    (found,) = orphans.find([of_reservation(reservation())], (), before={}, age=0.0, now=5.0)
    assert found.verdict is KeeperVerdict.YOUNG


@pytest.mark.parametrize("state", [ReservationState.BIND, ReservationState.UNKNOWN])
def test_one_that_an_eni_may_have_is_only_told(state):
    one = reservation(state=state)

    assert verdicts(one, before={"rsvip-1": 0.0}) == [("rsvip-1", KeeperVerdict.USED)]
    assert not orphans.may_give_up(of_reservation(one), ())


def test_what_a_claim_answers_for_is_none():
    claim = fixed_claim()
    recorded = fixed_claim(uid="claim-2", address=ADDRESS)

    assert verdicts(reservation(uid="claim-1"), claims=[claim]) == []
    assert verdicts(reservation(1), claims=[recorded]) == []  # it records rsvip-1, whatever the tag says
    assert verdicts(reservation(uid=""), before={"rsvip-1": 0.0}) == []
    for claims, one in (
        ([claim], reservation(uid="claim-1")),
        ([recorded], reservation()),
        ([], reservation(uid="")),
    ):
        assert not orphans.may_give_up(of_reservation(one), claims)
    assert orphans.may_give_up(of_reservation(reservation()), [claim])


def claims_with(number):
    return [
        fixed_claim(
            uid=f"claim-{n}",
            address=FixedAddress(ip=f"10.0.3.{n}", subnet_id="s", reservation_id=f"rsvip-{n}"),
        )
        for n in range(number)
    ]


def lost(claims, reservations, *, before):
    recorded = operator.attrgetter("reservation_id")
    return orphans.lost(claims, map(of_reservation, reservations), recorded=recorded, before=before)


def test_a_reservation_is_lost_when_two_passes_miss_it():
    claims = claims_with(2)

    gone, seen = lost(claims, [reservation(0)], before=())
    assert (gone, seen) == ((), frozenset({"claim-1"}))
    gone, _ = lost(claims, [reservation(0)], before=seen)
    assert [claim.uid for claim in gone] == ["claim-1"]


@pytest.mark.parametrize(("number", "believed"), [(3, True), (4, False)])
def test_many_at_once_are_not_believed(number, believed):
    claims = claims_with(number)

    gone, seen = lost(claims, (), before={claim.uid for claim in claims})

    assert len(gone) == (number if believed else 0)
    assert len(seen) == number


def test_a_deleted_claim_and_one_of_the_book_lose_nothing():
    deleted = fixed_claim(address=ADDRESS, deleting=True)
    by_book = fixed_claim(address=FixedAddress(ip="10.0.3.9", subnet_id="s"))

    assert lost([deleted, by_book], (), before={"claim-1"}) == ((), frozenset())


def line(**metadata):
    obj = vpcip.new_object(fixed_claim(), ADDRESS)
    obj["metadata"] |= {"uid": "line-1", "resourceVersion": "1", **metadata}
    return vpcip.read(obj)


@pytest.mark.parametrize(("since", "ripe"), [(1000.0 - AGE, True), (1000.0 - AGE + 0.1, False)])
def test_a_line_without_claim_is_struck_after_so_long(since, ripe):
    found, sightings = orphans.lines_without_claim(
        [line()], (), before={"line-1": since}, age=AGE, now=1000.0
    )

    assert bool(found) is ripe
    assert sightings == {"line-1": since}


def test_a_deleted_line_without_claim_waits_for_the_second_look_only():
    deleted = line(deletionTimestamp="2026-11-30T10:00:00Z")

    first, sightings = orphans.lines_without_claim([deleted], (), before={}, age=AGE, now=1000.0)
    second, _ = orphans.lines_without_claim([deleted], (), before=sightings, age=AGE, now=1001.0)

    assert (first, second) == ((), (deleted,))


def test_lines_of_claims_and_of_others_stay():
    others = vpcip.read({"metadata": {"name": "10.0.3.8"}, "spec": {}})

    found, sightings = orphans.lines_without_claim(
        [line(), others], [fixed_claim()], before={"line-1": 0.0}, age=AGE, now=1000.0
    )

    assert (found, sightings) == ((), {})
