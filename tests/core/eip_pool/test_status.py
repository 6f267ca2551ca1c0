"""What the status of an EIPPool says of its EIPs, of who waits, and of what is wrong."""

import json
from dataclasses import replace

import pytest

from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.eip_pool import status
from ipamd.core.eip_pool.eippool import EipPool, PoolAllocation, PoolSpec
from ipamd.core.eip_pool.status import (
    MOST_LISTED,
    MOST_WAITING,
    PoolEipState,
    PoolSight,
    counts,
    patch,
    state_of,
)
from ipamd.core.model import Eip, EipOrder, EipStatus
from ipamd.core.timing import timestamps

NOW = 1_700_000_000.0
FREE = Eip(eip_id="eip-free", public_ip="198.18.0.1", status=EipStatus.UNBIND)
HELD = Eip(eip_id="eip-held", public_ip="198.18.0.2", status=EipStatus.BIND)


def pool(**changes):
    fields = {
        "name": "web",
        "uid": "pool-1",
        "resource_version": "7",
        "generation": 3,
        "deleting": False,
        "held": True,
        "spec": PoolSpec(order=EipOrder(), most=3),
        "status": {},
    }
    return EipPool(**{**fields, **changes})


def sight(*eips, **known):
    return PoolSight(eips={e.eip_id: e for e in eips}, **known)


def said(a_pool, a_sight, now=NOW):
    """The status that is written, and its condition."""
    written = (patch(a_pool, a_sight, now) or {})["status"]
    (ready,) = written["conditions"]
    return written, ready


def ready(a_pool, a_sight):
    condition = said(a_pool, a_sight)[1]
    return condition["status"], condition["reason"], condition["message"]


@pytest.mark.parametrize(
    ("eip", "state"),
    [
        (FREE, PoolEipState.FREE),
        (replace(FREE, is_blocked=True), PoolEipState.UNUSABLE),
        (replace(FREE, is_arrears=True), PoolEipState.UNUSABLE),
        (replace(FREE, cascade_release=True), PoolEipState.UNUSABLE),
        (replace(FREE, status=EipStatus.BIND), PoolEipState.UNUSABLE),
        (replace(FREE, status=EipStatus.UNBINDING), PoolEipState.CHANGING),
        (replace(FREE, public_ip=""), PoolEipState.CHANGING),
        (replace(FREE, eip_id="eip-leaving"), PoolEipState.CHANGING),
        (replace(HELD, is_blocked=True), PoolEipState.HELD),
    ],
)
def test_an_eip_is_free_held_changing_or_of_no_use(eip, state):
    assert state_of(eip, sight(holders={"eip-held": "a/x"}), ["eip-leaving"]) is state


def test_each_state_is_counted_also_those_that_none_is_in():
    seen = sight(FREE, HELD, replace(FREE, eip_id="eip-leaving"), holders={"eip-held": "a/x"})

    assert counts(pool(releasing=("eip-leaving",)), seen) == {
        PoolEipState.FREE: 1,
        PoolEipState.HELD: 1,
        PoolEipState.CHANGING: 1,
        PoolEipState.UNUSABLE: 0,
    }


def test_the_status_has_each_eip_with_its_claim_or_its_place():
    stray = Eip(
        eip_id="eip-a", public_ip="198.18.0.3", status=EipStatus.BIND, eni_id="eni-1", private_ip="10.0.0.9"
    )
    written, _ = said(pool(), sight(HELD, FREE, stray, holders={"eip-held": "a/x"}))

    assert written["addresses"] == [
        {"id": "eip-a", "ip": "198.18.0.3", "state": "Unusable", "boundTo": "10.0.0.9 on eni-1"},
        {"id": "eip-free", "ip": "198.18.0.1", "state": "Free"},
        {"id": "eip-held", "ip": "198.18.0.2", "state": "Held", "claim": "a/x"},
    ]
    assert (written["total"], written["free"], written["bound"]) == (3, 1, 1)
    assert written["observedGeneration"] == 3


def test_of_a_large_pool_those_are_listed_that_somebody_may_have_to_look_after():
    free = [replace(FREE, eip_id=f"eip-{number:04}") for number in range(5_000)]
    blocked = replace(FREE, eip_id="eip-zzzz", is_blocked=True)
    held = replace(HELD, eip_id="eip-yyyy")

    written, _ = said(pool(), sight(*free, blocked, held, holders={"eip-yyyy": "default/web"}))

    states = {address["id"]: address["state"] for address in written["addresses"]}
    assert len(states) == MOST_LISTED
    assert {states["eip-zzzz"], states["eip-yyyy"], states["eip-0000"]} == {"Unusable", "Held", "Free"}
    assert (written["total"], written["free"], written["addressesOmitted"]) == (5_002, 5_000, 4_902)
    assert list(states) == sorted(states)
    assert len(json.dumps(written)) < 20_000


def test_all_who_wait_are_counted_and_the_first_are_named():
    line = tuple(f"a/x-{n}" for n in range(MOST_WAITING + 2))
    written, _ = said(pool(), sight(HELD, line=line, holders={"eip-held": "a/y"}))

    assert written["waiting"] == MOST_WAITING + 2
    assert written["waitingClaims"] == list(line[:MOST_WAITING])


RELEASED = "what was created for the pool and is free is released"
USERS = PoolSpec(selector=EipSelector(names=("web",)))


@pytest.mark.parametrize(
    ("a_pool", "a_sight", "condition"),
    [
        (pool(), sight(FREE, line=("a/x",)), ("True", "Ready", "1 EIPs, 1 free, 0 held, 1 claims wait")),
        (
            pool(),
            sight(HELD, line=("a/x",), holders={"eip-held": "a/y"}),
            ("True", "Exhausted", "1 EIPs, 0 free, 1 held, 1 claims wait"),
        ),
        (pool(), sight(HELD), ("True", "Ready", "1 EIPs, 0 free, 0 held, 0 claims wait")),
        (pool(), sight(), ("True", "Ready", "0 EIPs, 0 free, 0 held, 0 claims wait")),
        (
            pool(deleting=True, spec=None, problem="x"),
            sight(HELD, FREE, holders={"eip-held": "a/y", "eip-a": "a/x"}),
            (
                "False",
                "Deleting",
                f"{RELEASED}; still held: eip-a by a/x, eip-held by a/y",
            ),
        ),
        (
            pool(deleting=True),
            sight(),
            (
                "False",
                "Deleting",
                f"{RELEASED}; still held: none",
            ),
        ),
        (
            pool(spec=None, problem="EIPPool web: spec has no EIPs"),
            sight(refusal=("EIPQuotaExceeded", "full")),
            ("False", "InvalidSpec", "EIPPool web: spec has no EIPs"),
        ),
        (
            pool(),
            sight(FREE, refusal=("EIPQuotaExceeded", "full"), missing=("eip-b",)),
            ("False", "EIPQuotaExceeded", "full"),
        ),
        (
            pool(spec=PoolSpec(address_ids=("eip-b", "eip-c"))),
            sight(missing=("eip-b", "eip-c")),
            (
                "False",
                "EIPNotFound",
                "eip-b, eip-c of spec.addressIDs do not exist in this account and region: correct the list",
            ),
        ),
        (pool(spec=USERS), sight(FREE), ("True", "Ready", "1 EIPs, 1 free, 0 held, 0 claims wait")),
    ],
)
def test_the_condition_says_what_matters_most(a_pool, a_sight, condition):
    assert ready(a_pool, a_sight) == condition


def test_a_selector_that_finds_nothing_is_told_with_what_it_looks_for():
    status_, reason, message = ready(pool(spec=USERS), sight())

    assert (status_, reason) == ("False", "NoEIPs")
    assert message == f"there is no EIP {USERS.selector}: give one the tag or name"


def test_a_condition_keeps_its_time_until_it_turns():
    written, first = said(pool(), sight(FREE))
    assert first["lastTransitionTime"] == timestamps.to_text(NOW)
    assert (first["type"], first["observedGeneration"]) == ("Ready", 3)

    seen = pool(status=written)
    assert patch(seen, sight(FREE), NOW + 60) is None
    assert (
        said(seen, sight(FREE, line=("a/x",)), NOW + 60)[1]["lastTransitionTime"]
        == first["lastTransitionTime"]
    )
    turned = said(seen, sight(refusal=("EIPQuotaExceeded", "full")), NOW + 60)[1]
    assert turned["lastTransitionTime"] == timestamps.to_text(NOW + 60)


def test_a_status_of_which_any_part_differs_is_written_whole_for_the_object_that_was_read():
    written, _ = said(pool(), sight(FREE))
    changed = patch(pool(status={**written, "free": 7}), sight(FREE), NOW)

    assert changed == {"metadata": {"resourceVersion": "7"}, "status": written}


def test_a_message_of_the_cloud_is_one_line_of_bounded_length():
    message = ready(pool(), sight(refusal=("EIPQuotaExceeded", "no\n" + "x" * 2000)))[2]

    assert "\n" not in message
    assert 900 < len(message) <= 1024


def test_an_order_is_on_record_before_it_is_made_and_until_nothing_of_it_comes():
    begun = status.begin_order(pool(), 4, NOW)["status"]["allocation"]
    assert begun == {"attempt": 4, "startedAt": timestamps.to_text(NOW), "id": None, "taskID": None}

    accepted = status.order_accepted(pool(created=("eip-z",)), "eip-a", "77")["status"]
    assert accepted == {"allocation": {"id": "eip-a", "taskID": "77"}, "created": ["eip-a", "eip-z"]}

    ordered = pool(created=("eip-a", "eip-z"), allocation=PoolAllocation(attempt=4, eip_id="eip-a"))
    over = {"startedAt": None, "id": None, "taskID": None}
    assert status.end_order(ordered)["status"] == {"allocation": over}
    assert status.end_order(ordered, failed=True)["status"] == {"allocation": over, "created": ["eip-z"]}
    assert status.end_order(pool(created=("eip-z",)), failed=True)["status"] == {"allocation": over}


def test_lists_are_sorted():
    assert status.with_lists(pool(), created=["b", "a"], releasing=["d", "c"])["status"] == {
        "created": ["a", "b"],
        "releasing": ["c", "d"],
    }
