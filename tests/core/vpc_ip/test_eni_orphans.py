"""ENIs that no claim answers for, and claims whose ENI is gone: none is believed at once."""

import operator

import pytest

from ipamd.core.vpc_ip import orphans
from ipamd.core.vpc_ip.keepers import of_eni
from ipamd.core.vpc_ip.orphans import KeeperVerdict
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress
from tests.testkit.own_enis import own_eni
from tests.testkit.vpc_ips import EXCLUSIVE, OWN_ENI, fixed_claim

AGE = 600.0
SEEN = {"eni-own": 100.0}


def verdicts(*enis, claims=(), before=SEEN, now=100.0 + AGE):
    found = orphans.find(map(of_eni, enis), claims, before=before, age=AGE, now=now)
    return [(one.keeper.name, one.verdict) for one in found]


def test_an_eni_is_unused_when_it_was_seen_long_enough_by_an_earlier_pass_too():
    assert verdicts(own_eni(), before={}) == [("eni-own", KeeperVerdict.YOUNG)]
    assert verdicts(own_eni(), now=100.0 + AGE - 1) == [("eni-own", KeeperVerdict.YOUNG)]
    assert verdicts(own_eni()) == [("eni-own", KeeperVerdict.UNUSED)]


@pytest.mark.parametrize("used", [own_eni(instance_id="ins-1"), own_eni(eip_id="eip-1")], ids=["CVM", "EIP"])
def test_an_eni_in_use_is_left_alone(used):
    assert verdicts(used) == [("eni-own", KeeperVerdict.USED)]
    assert not orphans.may_give_up(of_eni(used), ())


@pytest.mark.parametrize(
    "claim",
    [
        fixed_claim(EXCLUSIVE),  # by its UID
        fixed_claim(EXCLUSIVE, uid="claim-2", address=OWN_ENI),  # by its record
    ],
    ids=["tag", "record"],
)
def test_a_claim_answers_for_its_eni(claim):
    assert verdicts(own_eni(), claims=(claim,)) == []
    assert not orphans.may_give_up(of_eni(own_eni()), (claim,))


def test_another_claim_does_not_answer_for_it():
    other = fixed_claim(EXCLUSIVE, uid="claim-2")

    assert verdicts(own_eni(), claims=(other,)) == [("eni-own", KeeperVerdict.UNUSED)]
    assert orphans.may_give_up(of_eni(own_eni()), (other,))


def kept(number):
    address = FixedAddress(ip=f"10.0.3.{number}", subnet_id="subnet-aaaaaaaa", eni_id=f"eni-{number}")
    return fixed_claim(EXCLUSIVE, uid=f"claim-{number}", address=address)


def lost(claims, enis, *, before):
    recorded = operator.attrgetter("eni_id")
    return orphans.lost(claims, map(of_eni, enis), recorded=recorded, before=before)


def test_an_eni_is_lost_when_two_passes_miss_it():
    there = [own_eni("eni-2", "10.0.3.2")]
    gone, seen = lost([kept(1), kept(2)], there, before=())
    assert gone == ()
    gone, _ = lost([kept(1), kept(2)], there, before=seen)
    assert [claim.uid for claim in gone] == ["claim-1"]


def test_many_enis_that_are_missed_at_once_are_not_believed_to_be_lost():
    claims = [kept(number) for number in range(1, 5)]

    _, seen = lost(claims, (), before=())
    gone, _ = lost(claims, (), before=seen)

    assert gone == ()


def test_a_claim_that_is_deleted_or_has_no_eni_loses_none():
    leaving = fixed_claim(EXCLUSIVE, address=OWN_ENI, deleting=True)
    without = fixed_claim(EXCLUSIVE, uid="claim-2")

    assert lost([leaving, without], (), before=("claim-1", "claim-2")) == ((), frozenset())
