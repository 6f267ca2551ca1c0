"""What becomes of EIPs that a cluster has left behind, by their tags, its claims, and their state."""

import dataclasses

import pytest

from ipamd.core import tags
from ipamd.core.claim import eipclaim
from ipamd.core.eip.cleanup import CleanupVerdict, Entry, Step, holders, next_step, plan, signs_of_life
from ipamd.core.model import EipStatus
from tests.testkit.eips import listed_eip

CLUSTER = "cls-gone"


def eip(number=1, status=EipStatus.UNBIND, *, claim_uid="uid-1", cluster=CLUSTER, **fields):
    return listed_eip(f"eip-{number}", status, claim=claim_uid, cluster=cluster, **fields)


def bound(number=1, ip="10.0.1.4", **fields):
    return eip(number, EipStatus.BIND, eni_id="eni-1", private_ip=ip, instance_id="ins-1", **fields)


def fates(*eips, held_by=None, unbind=False, keep_tke=False):
    entries = plan(eips, CLUSTER, held_by or {}, unbind=unbind, keep_tke=keep_tke)
    return {e.eip.eip_id: e.fate for e in entries}


def entry(listed, fate=CleanupVerdict.RELEASE):
    return Entry(eip=listed, fate=fate)


@pytest.mark.parametrize(
    "foreign",
    [
        {},
        {"tke-clusterId": CLUSTER},
        {"tke-created-eip": "true"},
        {"tke-clusterId": "cls-other", "tke-created-eip": "true"},
        {"tke-clusterId": CLUSTER, "tke-created-eip": "false"},
        {"tke-clusterId": f"{CLUSTER}-2", "tke-created-eip": "true"},
    ],
)
def test_an_eip_without_both_tags_of_the_cluster_is_not_even_listed(foreign):
    assert fates(dataclasses.replace(eip(), tags=foreign)) == {}


@pytest.mark.parametrize("status", list(EipStatus))
def test_only_what_is_unbound_or_on_its_way_there_goes_without_a_word(status):
    gone = {
        EipStatus.UNBIND: CleanupVerdict.RELEASE,
        EipStatus.UNBINDING: CleanupVerdict.RELEASE,
        EipStatus.OFFLINING: CleanupVerdict.LEAVING,
    }
    assert fates(eip(status=status)) == {"eip-1": gone.get(status, CleanupVerdict.KEEP_BOUND)}


@pytest.mark.parametrize("status", list(EipStatus))
def test_with_unbind_goes_what_is_bound_and_stays_what_is_still_being_made_or_bound(status):
    goes = {
        EipStatus.BIND: CleanupVerdict.UNBIND,
        EipStatus.BIND_ENI: CleanupVerdict.UNBIND,
        EipStatus.UNBIND: CleanupVerdict.RELEASE,
        EipStatus.UNBINDING: CleanupVerdict.RELEASE,
        EipStatus.OFFLINING: CleanupVerdict.LEAVING,
    }
    assert fates(eip(status=status), unbind=True) == {"eip-1": goes.get(status, CleanupVerdict.KEEP_BOUND)}


@pytest.mark.parametrize("status", list(EipStatus))
def test_what_tkes_component_has_created_is_kept_when_told_so(status):
    of_tke = dataclasses.replace(eip(1, status), tags=tags.of_cluster(CLUSTER), name="")
    of_pool = dataclasses.replace(eip(2), tags=tags.of_pool(CLUSTER, "pool-1"), name="")
    named = dataclasses.replace(
        eip(3), tags=tags.of_cluster(CLUSTER), name=tags.name_of("shop", "web-0", "uid-3")
    )

    assert fates(of_tke, of_pool, named, eip(4), unbind=True, keep_tke=True) == {
        "eip-1": CleanupVerdict.KEEP_TKE,
        "eip-2": CleanupVerdict.RELEASE,
        "eip-3": CleanupVerdict.RELEASE,
        "eip-4": CleanupVerdict.RELEASE,
    }


@pytest.mark.parametrize("unbind", [False, True])
@pytest.mark.parametrize("status", list(EipStatus))
def test_what_a_claim_holds_is_kept_in_every_state(status, unbind):
    assert fates(eip(status=status), held_by={"eip-1": "default/web-0"}, unbind=unbind) == {
        "eip-1": CleanupVerdict.KEEP_CLAIMED
    }


def claim(uid, *, name="web-0", address=""):
    status = {"address": {"id": address, "ip": "198.18.0.9", "owned": True}} if address else {}
    return eipclaim.read({"metadata": {"namespace": "default", "name": name, "uid": uid}, "status": status})


def test_a_claim_holds_the_eip_of_its_record_and_those_that_were_ordered_for_it():
    eips = [eip(1, claim_uid="uid-1"), eip(2, claim_uid="uid-2"), eip(3, claim_uid="uid-3")]

    held = holders(eips, [claim("uid-2", name="ordered"), claim("other", name="recorded", address="eip-3")])

    assert held == {"eip-2": "default/ordered", "eip-3": "default/recorded"}


def test_an_eip_in_use_that_no_claim_explains_is_a_sign_of_life():
    entries = plan([eip(1), bound(2), bound(3)], CLUSTER, {"eip-3": "default/web-0"}, unbind=False)
    assert [e.eip.eip_id for e in signs_of_life(entries)] == ["eip-2"]


def step(listed, now, *, fate=CleanupVerdict.RELEASE, unbound=False):
    return next_step(entry(listed, fate), now, CLUSTER, unbound=unbound).step


def test_an_eip_goes_from_bound_to_gone_by_these_steps():
    listed = bound()
    assert step(listed, listed, fate=CleanupVerdict.UNBIND) is Step.UNBIND
    assert step(listed, eip(status=EipStatus.UNBINDING), fate=CleanupVerdict.UNBIND) is Step.WAIT
    assert step(listed, eip(), fate=CleanupVerdict.UNBIND, unbound=True) is Step.RELEASE
    assert (
        step(listed, eip(status=EipStatus.OFFLINING), fate=CleanupVerdict.UNBIND, unbound=True) is Step.WAIT
    )
    assert step(listed, None, fate=CleanupVerdict.UNBIND, unbound=True) is Step.DONE


def test_an_eip_that_came_into_use_after_it_was_listed_is_left():
    now = bound()
    assert step(eip(), now) is Step.LEAVE
    assert step(eip(), eip(status=EipStatus.BINDING)) is Step.LEAVE


def test_an_eip_that_moved_after_it_was_listed_is_not_unbound():
    assert step(bound(ip="10.0.1.4"), bound(ip="10.0.1.5"), fate=CleanupVerdict.UNBIND) is Step.LEAVE


def test_an_eip_that_somebody_binds_again_is_not_unbound_twice():
    assert step(bound(), bound(), fate=CleanupVerdict.UNBIND, unbound=True) is Step.LEAVE


def test_an_eip_whose_tags_were_taken_off_is_left():
    kept_by_a_person = dataclasses.replace(eip(), tags={"team": "a"})
    assert step(eip(), kept_by_a_person) is Step.LEAVE
