"""A claim gets its EIP: what an earlier order made is adopted, else one is ordered."""

from dataclasses import replace

import pytest

from ipamd.core import tags
from ipamd.core.claim import actions as do
from ipamd.core.claim import change_record
from ipamd.core.claim.eipclaim import Allocation
from ipamd.core.claim.provision import provision
from ipamd.core.claim.reason import Reason
from ipamd.core.claim.release import ATTEMPT_WINDOW, SETTLE
from ipamd.core.claim.state_machine import decide
from ipamd.core.model import EipOrder, EipStatus
from tests.testkit.claims import CLUSTER, NOW, OWN, claim, eip, facts, pod


def test_the_cloud_is_looked_at_before_an_order():
    assert decide(facts(claim(), pod())) == do.LookAtCloud()


def test_an_order_is_looked_for_when_it_is_probably_delivered():
    ordered = claim(allocation=Allocation(attempt=1, started=NOW))

    waiting = decide(facts(ordered, pod(), ordered="eip-1", delivery_in=0.4))
    assert isinstance(waiting, do.Wait)
    assert waiting.seconds == 0.4
    assert decide(facts(ordered, pod(), ordered="eip-1", delivery_in=0.0)) == do.LookAtCloud()


def test_none_there_means_order():
    assert decide(facts(claim(), pod(), eips=())) == do.Allocate(attempt=1, begun=False, order=EipOrder())


def test_nothing_is_ordered_while_the_claim_lacks_what_its_pod_asks_for():
    """An API server whose CRD is older drops fields without a word; annotations stay."""
    wanted = EipOrder(address_type="HighQualityEIP", name="web", tags=(("team", "web"),))
    stored = replace(claim(), carried=change_record.mark_of(wanted))

    action = provision(facts(stored, pod(), eips=()), stored, pod())

    assert isinstance(action, do.MarkNotProvisioned)
    assert action.reason is Reason.INVALID_ATTRIBUTES
    assert (
        "no spec.attributes.name and spec.attributes.addressType and spec.attributes.tags" in action.message
    )
    assert "deploy/crd.yaml" in action.message


@pytest.mark.parametrize("carried", [None, "", "no JSON", "[]", change_record.mark_of(EipOrder())])
def test_a_claim_that_has_all_that_was_asked_for_gets_its_order(carried):
    stored = replace(claim(), carried=carried)

    assert isinstance(provision(facts(stored, pod(), eips=()), stored, pod()), do.Allocate)


def test_one_there_is_adopted():
    assert decide(facts(claim(), pod(), eips=(eip(),))) == do.RecordAddress(
        address=OWN, reason=Reason.ADOPTED
    )


def test_the_one_that_was_ordered_is_recorded():
    ordered = facts(claim(), pod(), eips=(eip(),), ordered="eip-1")

    assert decide(ordered) == do.RecordAddress(address=OWN, reason=Reason.ALLOCATED)


@pytest.mark.parametrize(
    "status", [EipStatus.CREATING, EipStatus.UNBINDING, EipStatus.OFFLINING, EipStatus.UNKNOWN]
)
def test_an_eip_that_is_not_ready_is_waited_for(status):
    assert isinstance(decide(facts(claim(), pod(), eips=(eip(status=status),))), do.Wait)


def test_more_than_one_is_told_and_nothing_is_done():
    action = decide(facts(claim(), pod(), eips=(eip("eip-1"), eip("eip-2"))))

    assert isinstance(action, do.MarkNotProvisioned)
    assert action.reason is Reason.AMBIGUOUS_EIP
    assert "eip-1" in action.message
    assert "eip-2" in action.message


@pytest.mark.parametrize(
    "strange",
    [
        eip(tagged=False),
        replace(eip(), tags={**tags.of_claim("cls-2", "claim-1")}),
        replace(eip(), tags={**tags.of_claim(CLUSTER, "claim-2")}),
    ],
)
def test_what_another_created_is_not_adopted(strange):
    assert isinstance(decide(facts(claim(), pod(), eips=(strange,))), do.Allocate)


AGES = [0.0, ATTEMPT_WINDOW, ATTEMPT_WINDOW + SETTLE, 86400.0]


def begun(age, attempt=2):
    return claim(allocation=Allocation(attempt=attempt, started=NOW - age))


def test_what_was_refused_for_certain_keeps_its_number():
    refused = claim(allocation=Allocation(attempt=2, started=None))

    assert decide(facts(refused, pod(), eips=())) == do.Allocate(attempt=2, begun=False, order=EipOrder())


@pytest.mark.parametrize("age", AGES)
def test_an_order_of_which_nothing_is_known_is_repeated_with_its_token_however_old_it_is(age):
    """So the cloud says again which EIP it has promised; another token could make a second one."""
    action = decide(facts(begun(age), pod(), eips=()))

    assert action == do.Allocate(attempt=2, begun=True, order=EipOrder())


def test_an_order_that_is_refused_when_repeated_is_given_with_another_token_in_the_end():
    """An earlier sending may have been carried out, and lists may lack its EIP for a while."""
    known = {"eips": (), "refused": True}

    assert decide(facts(begun(1), pod(), **known)) == do.Allocate(attempt=2, begun=True, order=EipOrder())
    assert isinstance(decide(facts(begun(ATTEMPT_WINDOW + 1), pod(), **known)), do.Wait)
    assert decide(facts(begun(ATTEMPT_WINDOW + SETTLE), pod(), **known)) == do.Allocate(
        attempt=3, begun=False, order=EipOrder()
    )


@pytest.mark.parametrize("age", [0.0, ATTEMPT_WINDOW + 0.1, ATTEMPT_WINDOW + SETTLE - 0.1])
def test_no_other_token_is_used_while_what_was_promised_may_still_be_listed(age):
    action = decide(facts(begun(age), pod(), eips=(), ordered="eip-1"))

    assert isinstance(action, do.Wait)
    assert 0 < action.seconds <= ATTEMPT_WINDOW + SETTLE - age + 1e-6


def test_what_was_delivered_and_is_not_shown_is_told_and_never_ordered_a_second_time():
    action = decide(facts(begun(86400), pod(), eips=(), ordered="eip-1", order_delivered=True))

    assert isinstance(action, do.MarkNotProvisioned)
    assert action.reason is Reason.EIP_NOT_SHOWN
    assert "eip-1 was delivered" in action.message


@pytest.mark.parametrize("known", [{"ordered": "eip-1"}, {"refused": True}])
def test_nothing_is_ordered_a_second_time_while_the_account_is_not_seen(known):
    action = decide(facts(begun(86400), pod(), eips=(), blind="it is not seen", **known))

    assert action == do.Wait(reason="it is not seen", seconds=30.0, until_sweep=True)


def test_what_a_spent_token_delivers_late_is_adopted():
    late = claim(allocation=Allocation(attempt=2, started=NOW - ATTEMPT_WINDOW - 1))

    assert isinstance(decide(facts(late, pod(), eips=(eip(),))), do.RecordAddress)


def test_an_eip_that_was_promised_is_waited_for_but_not_for_ever():
    """Where the cloud does not say what became of the order."""
    spent = begun(ATTEMPT_WINDOW + SETTLE)

    assert isinstance(decide(facts(begun(1), pod(), eips=(), ordered="eip-1")), do.Wait)
    assert isinstance(decide(facts(spent, pod(), eips=(), ordered="eip-1")), do.Allocate)


@pytest.mark.parametrize("age", [0.0, 1.0, ATTEMPT_WINDOW + 1])
def test_an_order_that_failed_for_certain_is_given_again_at_once_with_another_token(age):
    failed = claim(allocation=Allocation(attempt=2, started=NOW - age))

    action = decide(facts(failed, pod(), eips=(), ordered="eip-1", order_failed=True))

    assert action == do.Allocate(attempt=3, begun=False, order=EipOrder())


def test_what_the_cloud_shows_counts_more_than_a_failed_task():
    failed = claim(allocation=Allocation(attempt=2, started=NOW - 1))

    action = decide(facts(failed, pod(), eips=(eip(),), ordered="eip-1", order_failed=True))

    assert isinstance(action, do.RecordAddress)


def test_a_pod_on_its_way_out_gets_no_new_eip():
    assert decide(facts(claim(), pod(deleting=True))) == do.Idle()


def test_a_claim_that_a_person_spoiled_is_told_and_orders_nothing():
    spoiled = claim(request=None, problem="spec.attributes.isp is missing")

    action = decide(facts(spoiled, pod()))

    assert isinstance(action, do.MarkNotProvisioned)
    assert "spec.attributes.isp" in action.message
