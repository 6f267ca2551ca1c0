"""Which EIPs nobody answers for, and when one of them may be given back: never on one sight, or one clock."""

import dataclasses

import pytest

from ipamd.core import tags
from ipamd.core.claim import eipclaim
from ipamd.core.eip import orphans
from ipamd.core.eip.orphans import OrphanVerdict, SweepTime
from ipamd.core.model import EipStatus
from tests.testkit.eips import listed_eip

CLUSTER = "cls-1"
AGE = 3600.0
BORN = 1_700_000_000.0


def eip(eip_id="eip-1", *, uid="gone", status=EipStatus.UNBIND, created_at=BORN, cluster=CLUSTER):
    of_cluster = {} if uid else {"tags": tags.of_cluster(cluster)}
    return listed_eip(eip_id, status, claim=uid, cluster=cluster, created_at=created_at, **of_cluster)


def claim(uid="alive", eip_id="", *, deleting=False, owned=True):
    metadata = {"namespace": "default", "name": uid, "uid": uid}
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    address = {"id": eip_id, "ip": "198.18.0.7", "owned": owned} if eip_id else None
    return eipclaim.read({"metadata": metadata, "status": {"address": address}})


def at(seconds):
    return SweepTime(wall=BORN + seconds, steady=seconds)


LATER = at(2 * AGE)


def find(*eips, known=(), before=None, now=LATER):
    """The orphans as they are when they were first seen long ago."""
    seen = {e.eip_id: 0.0 for e in eips} if before is None else before
    return orphans.find(eips, known, CLUSTER, before=seen, age=AGE, now=now)


def fate(one, **how):
    (orphan,) = find(one, **how)
    return orphan.fate


def test_an_unbound_one_that_was_seen_for_long_enough_may_go():
    assert fate(eip()) is OrphanVerdict.RELEASE


def test_it_is_spoken_of_when_it_is_not_young_any_more():
    (young,) = find(eip(), before={})
    (old,) = find(eip())

    assert (young.fate, young.ripe) == (OrphanVerdict.YOUNG, False)
    assert old.ripe


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (EipStatus.BIND, OrphanVerdict.BOUND),
        (EipStatus.BIND_ENI, OrphanVerdict.BOUND),
        (EipStatus.BINDING, OrphanVerdict.UNSETTLED),
        (EipStatus.UNBINDING, OrphanVerdict.UNSETTLED),
        (EipStatus.CREATING, OrphanVerdict.UNSETTLED),
        (EipStatus.OFFLINING, OrphanVerdict.UNSETTLED),
        (EipStatus.UNKNOWN, OrphanVerdict.UNSETTLED),
    ],
)
def test_whatever_is_not_plainly_unbound_stays(status, expected):
    assert fate(eip(status=status)) is expected


def test_a_claim_of_its_uid_answers_for_it_also_while_it_is_being_deleted():
    assert find(eip(uid="alive"), known=[claim("alive")]) == ()
    assert find(eip(uid="alive"), known=[claim("alive", deleting=True)]) == ()


def test_a_claim_that_records_it_answers_for_it_whatever_its_tags_say():
    assert find(eip("eip-1"), known=[claim("other", "eip-1", owned=False)]) == ()


def test_an_eip_of_another_cluster_or_without_our_tags_is_not_looked_at():
    assert find(eip(cluster="cls-2")) == ()
    assert find(dataclasses.replace(eip(), tags={})) == ()
    assert find(dataclasses.replace(eip(), tags={tags.CLUSTER_ID: CLUSTER, tags.CLAIM_UID: "gone"})) == ()


def test_what_was_not_created_for_a_claim_is_another_component_s_and_only_spoken_of():
    assert fate(eip(uid="")) is OrphanVerdict.UNKNOWN_MAKER


def test_one_sight_is_not_enough_however_old_the_eip_is():
    assert fate(eip(), before={}, now=at(100 * AGE)) is OrphanVerdict.YOUNG


def test_it_must_be_old_by_both_clocks():
    just_seen = {"eip-1": 2 * AGE - 1}
    assert fate(eip(), before=just_seen) is OrphanVerdict.YOUNG
    # Our wall clock jumped ahead: the EIP looks old, and has been seen for a minute.
    jumped = SweepTime(wall=BORN + 10 * AGE, steady=60.0)
    assert fate(eip(), now=jumped) is OrphanVerdict.YOUNG
    # The clock of the cloud (or ours) is behind: seen for long, and young by its creation.
    behind = SweepTime(wall=BORN - AGE, steady=2 * AGE)
    assert fate(eip(), now=behind) is OrphanVerdict.YOUNG


def test_an_eip_whose_creation_is_not_known_never_comes_of_age():
    assert fate(eip(created_at=None), now=at(1000 * AGE)) is OrphanVerdict.YOUNG


def test_the_first_sight_is_remembered_as_long_as_it_lasts_and_forgotten_after():
    first = find(eip(), before={}, now=at(10.0))
    assert orphans.sightings(first) == {"eip-1": 10.0}
    again = find(eip(), before=orphans.sightings(first), now=at(20.0))
    assert orphans.sightings(again) == {"eip-1": 10.0}
    claimed = find(eip(uid="alive"), known=[claim("alive")], before={"eip-1": 10.0}, now=at(30.0))
    assert orphans.sightings(claimed) == {}


def test_a_last_look_decides_on_the_eip_as_it_is_now():
    assert orphans.may_release(eip(), [claim()], CLUSTER)
    assert not orphans.may_release(None, [], CLUSTER)
    assert not orphans.may_release(eip(status=EipStatus.BIND), [], CLUSTER)
    assert not orphans.may_release(eip(cluster="cls-2"), [], CLUSTER)
    assert not orphans.may_release(eip(uid=""), [], CLUSTER)
    assert not orphans.may_release(eip(uid="alive"), [claim("alive")], CLUSTER)
    assert not orphans.may_release(eip(), [claim("other", "eip-1")], CLUSTER)


def test_claims_whose_eip_is_not_listed_are_found_unless_they_are_leaving():
    missing, leaving = claim("a", "eip-8"), claim("b", "eip-9", deleting=True)
    present, without = claim("c", "eip-1"), claim("d")
    assert orphans.unlisted([missing, leaving, present, without], [eip("eip-1")]) == (missing,)


def test_one_of_a_living_claim_that_has_another_is_reported_and_left():
    assert fate(eip("eip-2", uid="alive"), known=[claim("alive", "eip-1")]) is OrphanVerdict.SPARE
    assert find(eip("eip-1", uid="alive"), known=[claim("alive", "eip-1")]) == ()
    assert find(eip("eip-2", uid="alive"), known=[claim("alive")]) == ()  # it may be about to be adopted
    assert find(eip("eip-2", uid="alive"), known=[claim("alive", "eip-1", deleting=True)]) == ()


@pytest.mark.parametrize(
    ("lost", "known", "blind"),
    [
        (1, 1, False),
        (1, 2, False),
        (2, 2, True),
        (3, 20, False),
        (4, 20, True),
        (15, 500, False),
        (16, 500, True),
    ],
)
def test_many_that_are_lost_at_once_are_not_believed(lost, known, blind):
    claimed = [claim(f"c{n}", f"eip-{n}") for n in range(known)]

    assert orphans.lost_at_once(lost, claimed) is blind


def test_those_that_were_hidden_before_they_were_deleted_count_on():
    leaving = [claim(f"c{n}", f"eip-{n}", deleting=True) for n in range(5)]
    hidden = {(f"c{n}", f"eip-{n}") for n in range(5)}

    assert orphans.unlisted(leaving, [], also=hidden) == tuple(leaving)
    assert orphans.lost_at_once(5, leaving, also=hidden)
    assert not orphans.lost_at_once(0, leaving)
