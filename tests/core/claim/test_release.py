"""A deleted claim: its EIP is released if we created it, and the claim goes after it."""

from dataclasses import replace

import pytest

from ipamd.core.claim import actions as do
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.claim.facts import NodeState
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.release import ATTEMPT_WINDOW, FRESH, SETTLE, UNSHOWN, unbind_deleted
from ipamd.core.claim.state_machine import decide
from ipamd.core.model import EipStatus
from ipamd.core.timing import timestamps
from tests.testkit.claims import GIVEN, NOW, OWN, claim, eip, facts, pod

LEAVING = claim(deleting=True, address=OWN, allocation=Allocation(attempt=1, started=NOW - 3600))


def released_by_tag(*eip_ids):
    return do.Release(eip_ids=eip_ids, tagged=frozenset(eip_ids))


def test_an_eip_is_released_when_the_cloud_shows_it_unbound():
    assert decide(facts(LEAVING)) == do.LookAtCloud()
    assert decide(facts(LEAVING, eips=(eip(),))) == released_by_tag("eip-1")


def told_unbound(seconds_ago, **changes):
    """A claim of which the agent has said some seconds ago that its EIP is unbound."""
    at = NOW - seconds_ago
    told = status.unbound(replace(LEAVING, **changes), Reason.UNBOUND, "the Pod is gone", at)
    return replace(LEAVING, **changes, conditions=tuple(told["status"]["conditions"]))


@pytest.mark.parametrize("seconds", [0.0, FRESH - 1, 1 - FRESH])
def test_what_the_agent_has_just_seen_unbound_is_released_without_another_look(seconds):
    assert decide(facts(told_unbound(seconds))) == do.Release(eip_ids=("eip-1",), looked=False)


def test_a_word_of_the_agent_that_is_old_or_from_the_future_is_no_look():
    assert decide(facts(told_unbound(FRESH + 2))) == do.LookAtCloud()
    assert decide(facts(told_unbound(-FRESH - 2))) == do.LookAtCloud()


@pytest.mark.parametrize(
    "changes",
    [
        {"address": GIVEN},
        {"allocation": None},
        {"allocation": Allocation(attempt=2, started=NOW - 3600)},
    ],
)
def test_an_eip_that_may_not_be_ours_or_the_only_one_is_looked_at_before_its_release(changes):
    assert not isinstance(decide(facts(told_unbound(0.0, **changes))), do.Release)


def test_what_the_cloud_has_refused_to_release_is_looked_at():
    assert decide(facts(told_unbound(0.0), look_first=True)) == do.LookAtCloud()


def test_after_the_release_it_is_looked_at_whether_the_eip_is_gone():
    assert decide(facts(told_unbound(0.0), released=frozenset({"eip-1"}))) == do.LookAtCloud()


def test_a_released_eip_is_waited_for_and_then_the_claim_goes():
    assert isinstance(decide(facts(LEAVING, eips=(eip(),), released=frozenset({"eip-1"}))), do.Wait)
    assert decide(facts(LEAVING, eips=(), released=frozenset({"eip-1"}))) == do.DropFinalizer()


def test_all_that_was_created_for_the_claim_is_released():
    action = decide(facts(LEAVING, eips=(eip("eip-1"), eip("eip-2"))))

    assert action == released_by_tag("eip-1", "eip-2")


def test_our_own_eip_is_released_even_if_somebody_removed_its_tags():
    assert decide(facts(LEAVING, eips=(eip(tagged=False),))) == do.Release(eip_ids=("eip-1",))  # not by tag


def test_a_user_s_eip_is_never_released():
    supplied = claim(deleting=True, address=GIVEN)

    assert decide(facts(supplied)) == do.DropFinalizer()


def test_what_was_created_goes_even_if_a_person_wrote_another_eip_into_the_claim():
    swapped = claim(
        deleting=True, address=GIVEN, allocation=Allocation(attempt=1, started=NOW - 3600), held=True
    )
    both = (eip("eip-1"), eip("eip-9", tagged=False))

    assert decide(facts(swapped)) == do.LookAtCloud()
    assert decide(facts(swapped, eips=both)) == released_by_tag("eip-1")


@pytest.mark.parametrize(
    "status", [EipStatus.CREATING, EipStatus.UNBINDING, EipStatus.BINDING, EipStatus.OFFLINING]
)
def test_an_eip_in_change_is_waited_for(status):
    assert isinstance(decide(facts(LEAVING, eips=(eip(status=status),))), do.Wait)


def test_a_bound_eip_without_a_recorded_binding_is_left_to_its_node_s_agent():
    bound = (eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.5"),)

    assert decide(facts(LEAVING, eips=bound)) == do.LookAtNode(node="node-a")
    waiting = decide(facts(LEAVING, eips=bound, node_fate=NodeState.ALIVE))
    assert isinstance(waiting, do.Wait)
    assert waiting.warning == "EIPStillBound"
    assert "10.0.1.5" in waiting.reason
    assert decide(facts(LEAVING, eips=bound, node_fate=NodeState.GONE)) == do.DisassociateEip(eip_id="eip-1")


def test_an_ordered_eip_that_may_still_turn_up_holds_the_claim():
    recent = replace(LEAVING, address=None, allocation=Allocation(attempt=1, started=NOW - 10))

    action = decide(facts(recent, eips=()))

    assert isinstance(action, do.Wait)
    assert action.seconds == pytest.approx(ATTEMPT_WINDOW + SETTLE - 10)


def test_an_order_with_a_date_that_is_still_to_come_counts_from_now():
    """As a controller has written it whose clock was ahead: the claim would be held until then."""
    ahead = replace(LEAVING, address=None, allocation=Allocation(attempt=1, started=NOW + 86400))

    assert decide(facts(ahead, eips=())) == do.RedateOrder()
    redated = replace(ahead, allocation=Allocation(attempt=1, started=NOW))
    waiting = decide(facts(redated, eips=()))
    assert isinstance(waiting, do.Wait)
    assert waiting.seconds == ATTEMPT_WINDOW + SETTLE


def test_clocks_that_differ_by_seconds_are_no_matter():
    little = replace(LEAVING, address=None, allocation=Allocation(attempt=1, started=NOW + SETTLE))

    assert isinstance(decide(facts(little, eips=())), do.Wait)


def test_an_eip_that_was_recorded_by_a_clock_that_was_ahead_is_looked_for_and_then_let_go():
    later = timestamps.to_text(NOW + 86400)
    ready = {"type": "Provisioned", "status": "True", "lastTransitionTime": later}
    recorded = replace(LEAVING, conditions=(ready,))

    waiting = decide(facts(recorded, eips=()))
    assert isinstance(waiting, do.Wait)
    assert waiting.seconds <= UNSHOWN
    assert decide(facts(recorded, eips=(), unshown_for=UNSHOWN)) == do.DropFinalizer()


def test_a_recorded_eip_may_be_missing_in_an_old_list_only_while_it_is_young():
    def recorded(seconds_ago):
        since = timestamps.to_text(NOW - seconds_ago)
        ready = {"type": "Provisioned", "status": "True", "lastTransitionTime": since}
        return replace(LEAVING, allocation=Allocation(attempt=1, started=NOW - 70), conditions=(ready,))

    young = decide(facts(recorded(10), eips=()))

    assert isinstance(young, do.Wait)
    assert young.seconds == pytest.approx(SETTLE - 10)
    assert decide(facts(recorded(SETTLE), eips=(), unshown_for=UNSHOWN)) == do.DropFinalizer()


def test_a_recorded_eip_that_is_not_shown_is_not_given_up_on_one_look_nor_while_many_are_not_shown():
    ready = {"type": "Provisioned", "status": "True", "lastTransitionTime": timestamps.to_text(NOW - 3600)}
    old = replace(LEAVING, allocation=Allocation(attempt=1, started=NOW - 3600), conditions=(ready,))

    assert isinstance(decide(facts(old, eips=())), do.Wait)
    hidden = decide(facts(old, eips=(), unshown_for=3600.0, blind="50 EIPs are not shown"))
    assert isinstance(hidden, do.Wait)
    assert (hidden.warning, hidden.reason) == ("EIPsNotShown", "50 EIPs are not shown")
    assert decide(facts(old, eips=(), unshown_for=UNSHOWN)) == do.DropFinalizer()


@pytest.mark.parametrize(
    "certain",
    [
        claim(deleting=True),
        claim(deleting=True, allocation=Allocation(attempt=4, started=None)),
        claim(deleting=True, allocation=Allocation(attempt=1, started=NOW - ATTEMPT_WINDOW - SETTLE)),
    ],
)
def test_a_claim_without_any_eip_goes_at_once(certain):
    assert decide(facts(certain, eips=())) == do.DropFinalizer()


def test_a_claim_that_others_hold_is_none_of_our_business():
    assert decide(facts(claim(deleting=True, held=False), pod())) == do.Idle()


@pytest.mark.parametrize("unfit", [None, claim(deleting=True, address=OWN)])
def test_the_rule_for_a_binding_refuses_a_claim_that_has_none(unfit):
    with pytest.raises(ValueError, match="a claim with a binding"):
        unbind_deleted(facts(unfit))
