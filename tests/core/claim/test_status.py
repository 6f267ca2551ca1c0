"""What is written when an EIP is lost, locked, refused or not bound: nothing twice, no EIP of a user lost."""

from dataclasses import replace

import pytest

from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import BOUND, PROVISIONED, USABLE, Allocation, condition
from ipamd.core.claim.reason import Reason
from tests.testkit.claims import GIVEN, NOW, ON_A, OWN, claim, eip, listing

LOST = "the cloud does not list the EIP"


def conditions(patch):
    return tuple(patch["status"]["conditions"])


def test_a_lost_eip_of_ours_is_forgotten_and_the_next_order_has_a_token_of_its_own():
    patch = status.eip_lost(claim(address=OWN, allocation=Allocation(attempt=3, started=NOW)), LOST, NOW)

    assert patch["status"]["address"] is None
    assert patch["status"]["allocation"] == {"attempt": 4, "startedAt": None}
    assert condition(conditions(patch), PROVISIONED)["reason"] == Reason.EIP_LOST.value


def test_a_lost_eip_of_a_user_s_list_is_forgotten_so_that_another_of_the_list_is_chosen():
    patch = status.eip_lost(listing("eip-9", "eip-8", address=GIVEN), LOST, NOW)

    assert patch["status"]["address"] is None
    assert patch["status"]["allocation"]["attempt"] == 1


def test_a_lost_eip_that_a_user_put_there_without_a_list_stays_recorded():
    patch = status.eip_lost(claim(address=GIVEN), LOST, NOW)

    assert patch["status"].keys().isdisjoint({"address", "allocation"})
    assert condition(conditions(patch), PROVISIONED)["reason"] == Reason.EIP_LOST.value


def test_a_claim_without_eip_has_none_to_forget():
    patch = status.eip_lost(claim(allocation=Allocation(attempt=3, started=NOW)), LOST, NOW)

    assert patch["status"].keys().isdisjoint({"address", "allocation"})


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (eip(), None),
        (replace(eip(), is_arrears=True), Reason.EIP_IN_ARREARS),
        (replace(eip(), is_blocked=True), Reason.EIP_BLOCKED),
        (replace(eip(), is_blocked=True, is_arrears=True), Reason.EIP_BLOCKED),
    ],
    ids=["usable", "arrears", "blocked", "both"],
)
def test_why_nobody_can_use_an_eip_is_told_with_what_to_do(seen, reason):
    found, message = status.lock_of(seen)

    assert found is reason
    assert (seen.eip_id in message) == (reason is not None)


def test_a_lock_is_written_once_and_so_is_its_end():
    free = claim(address=OWN)
    assert status.locked(free, None, "", NOW) is None

    locked = status.locked(free, Reason.EIP_BLOCKED, "eip-1 is blocked (RequestId a-1)", NOW)
    blocked = replace(free, conditions=conditions(locked))
    assert locked is not None
    assert locked["status"]["phase"] == "Failed"
    assert status.locked(blocked, Reason.EIP_BLOCKED, "eip-1 is blocked (RequestId b-2)", NOW + 9) is None
    assert status.locked(blocked, Reason.EIP_IN_ARREARS, "eip-1 is blocked (RequestId b-2)", NOW) is not None
    assert status.locked(blocked, Reason.EIP_BLOCKED, "eip-1 is blocked by a person", NOW) is not None

    freed = status.locked(blocked, None, "", NOW + 10)
    usable = condition(conditions(freed), USABLE)
    assert (usable["status"], usable["reason"]) == ("True", Reason.EIP_UNLOCKED.value)
    assert "unlocked" in usable["message"]
    assert status.locked(replace(free, conditions=conditions(freed)), None, "", NOW + 11) is None


def test_a_message_of_the_end_of_a_lock_is_kept():
    blocked = replace(
        claim(address=OWN),
        conditions=conditions(status.locked(claim(address=OWN), Reason.EIP_BLOCKED, "x", NOW)),
    )

    freed = status.locked(blocked, None, "paid", NOW)

    assert condition(conditions(freed), USABLE)["message"] == "paid"


def test_a_lock_of_another_eip_is_forgotten_with_it():
    blocked = conditions(status.locked(claim(address=OWN), Reason.EIP_BLOCKED, "x", NOW))

    patch = status.provisioned(claim(conditions=blocked), OWN, Reason.ALLOCATED, NOW)

    assert condition(conditions(patch), USABLE) == {}


def test_a_bind_that_fails_again_for_the_same_reason_is_no_news():
    failed = status.bind_failed(
        claim(address=OWN, binding=ON_A), Reason.BIND_REFUSED, "full (RequestId a)", NOW
    )
    known = claim(address=OWN, binding=ON_A, conditions=conditions(failed))

    assert status.bind_failed(known, Reason.BIND_REFUSED, "full (RequestId b)", NOW + 5) is None
    assert status.bind_failed(known, Reason.BIND_REFUSED, "fuller", NOW + 5) is not None
    assert status.bind_failed(known, Reason.PERMISSION_DENIED, "full (RequestId a)", NOW + 5) is not None


def test_a_bind_that_fails_after_it_was_bound_is_news():
    bound = conditions(status.bound(claim(address=OWN, binding=ON_A), ON_A, NOW))
    unbound = conditions(
        status.unbound(
            claim(address=OWN, conditions=bound), Reason.BIND_REFUSED, condition(bound, BOUND)["message"], NOW
        )
    )

    assert condition(unbound, BOUND)["status"] == "False"
    known = claim(address=OWN, conditions=bound)
    assert status.bind_failed(known, Reason.BOUND, condition(bound, BOUND)["message"], NOW) is not None


@pytest.mark.parametrize("certain", [True, False])
def test_a_refusal_that_is_known_is_written_again_only_to_forget_an_order(certain):
    begun = Allocation(attempt=2, started=NOW - 5)
    known = conditions(status.not_provisioned(claim(), Reason.QUOTA_EXCEEDED, "full", NOW, certain=False))

    again = status.not_provisioned(
        claim(allocation=begun, conditions=known), Reason.QUOTA_EXCEEDED, "full", NOW, certain=certain
    )
    forgotten = status.not_provisioned(
        claim(allocation=Allocation(attempt=2, started=None), conditions=known),
        Reason.QUOTA_EXCEEDED,
        "full",
        NOW,
        certain=certain,
    )

    assert (again is not None) == certain
    assert again is None or again["status"]["allocation"] == {"startedAt": None}
    assert forgotten is None


def test_messages_are_cut_to_what_people_read():
    patch = status.not_provisioned(claim(), Reason.QUOTA_EXCEEDED, "x" * 2000, NOW, certain=False)

    assert len(condition(conditions(patch), PROVISIONED)["message"]) == 1024
    known = claim(conditions=conditions(patch))
    assert status.not_provisioned(known, Reason.QUOTA_EXCEEDED, "x" * 3000, NOW, certain=False) is None
