"""What is wrong with a Pod stands in the order of an ADD, and what comes next follows from how far it is."""

from dataclasses import replace

import pytest

from ipamd.core.history.events import PodEvent
from ipamd.core.history.explanation import PodSight, explained, is_known
from ipamd.core.ledger.states import BindStage
from tests.core.history.test_recorder import ASSIGNED, EIP
from tests.testkit.claims import OWN, claim, pod

BOUND = replace(ASSIGNED, eip=replace(EIP, stage=BindStage.BOUND))
WELL = PodSight(
    name="default/web-0",
    node="node-a",
    pod=pod(),
    wants_eip=True,
    claim=claim(address=OWN),
    address=BOUND,
)
FAILED = PodEvent(at=1.0, pod="default/web-0", step="ADD", text="waiting for an address: quota", failed=True)
REFUSED = {
    "type": "Provisioned",
    "status": "False",
    "reason": "NoMoney",
    "message": "the account is in arrears",
}


def test_a_pod_that_has_everything_has_nothing_to_wait_for():
    found = explained(WELL)

    assert (found.wrong, found.next) == ((), "nothing: all is done")


@pytest.mark.parametrize(
    ("sight", "first", "following"),
    [
        (replace(WELL, kernel=("no route",)), "no route", "mends what is its own"),
        (
            replace(WELL, kernel=("its link is gone",), kernel_next="delete the Pod"),
            "its link is gone",
            "nothing by itself: delete the Pod",
        ),
        (
            replace(WELL, claim=claim(conditions=(REFUSED,)), address=ASSIGNED),
            "the EIPClaim gets no EIP: NoMoney: the account is in arrears",
            "waits for the controller to provision",
        ),
        (
            replace(WELL, address=ASSIGNED, bind_error="refused; again in 40 s"),
            "the EIP is not bound: refused; again in 40 s",
            "the agent binds",
        ),
        (replace(WELL, address=None, events=(FAILED,)), "waiting for an address: quota", "sends ADD, again"),
        (replace(WELL, wish_problem="eip-attributes is no JSON"), "eip-attributes is no JSON", ""),
    ],
)
def test_the_first_cause_stands_first(sight, first, following):
    found = explained(sight)

    assert found.wrong[0] == first
    assert following in found.next


def test_an_add_that_failed_for_the_annotation_says_nothing_new():
    failed = replace(FAILED, text="ADD of Pod default/web-0: eip-attributes is no JSON")
    sight = replace(WELL, address=None, events=(failed,), wish_problem="eip-attributes is no JSON")

    assert explained(sight).wrong == ("eip-attributes is no JSON",)


def test_an_eni_that_is_gone_is_all_that_is_wrong_and_nobody_mends_it():
    gone = replace(
        WELL,
        kernel=("no link",),
        cloud=("10.0.1.100 is not listed",),
        bind_error="the ENI does not exist",
        way_problem="nobody sees it",
        eni_problem="ENI eni-1: not listed any more",
        eni_next="attach it again",
    )

    found = explained(gone)

    assert found.wrong == ("ENI eni-1: not listed any more",)
    assert found.next == "nothing by itself: attach it again"


def test_an_add_that_failed_before_one_that_succeeded_is_no_longer_wrong():
    done = replace(FAILED, at=2.0, failed=False, text="done")

    assert explained(replace(WELL, events=(FAILED, done))).wrong == ()


@pytest.mark.parametrize(
    ("sight", "following"),
    [
        (replace(WELL, pod=None, claim=None, address=None), "no such Pod"),
        (replace(WELL, pod=None, address=None), "keeps or releases eip-1"),
        (replace(WELL, pod=pod(deleting=True)), "DEL"),
        (replace(WELL, pod=replace(pod(), host_network=True)), "hostNetwork"),
        (
            replace(WELL, address=None, pool="2 addresses for eni-1"),
            "it will wait for: 2 addresses for eni-1",
        ),
        (
            replace(WELL, address=None, pool="2 addresses for eni-1", wish_problem="no such policy"),
            "has to be created again",
        ),
        (
            replace(WELL, address=None, wish_problem="no ENIs here", wish_next="start the agents so"),
            "nothing by itself: start the agents so",
        ),
        (replace(WELL, claim=None, address=ASSIGNED), "waits for the controller to create"),
        (replace(WELL, address=ASSIGNED), "the agent binds the EIP"),
    ],
)
def test_what_comes_next_follows_from_how_far_it_is(sight, following):
    assert following in explained(sight).next


def test_a_pod_that_left_no_trace_is_not_known():
    assert not is_known(replace(WELL, pod=None, claim=None, address=None))
    assert is_known(replace(WELL, pod=None, claim=None, address=None, events=(FAILED,)))
