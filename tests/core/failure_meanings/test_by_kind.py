"""Each kind of failure has its row, each row all the answers, and answers do not contradict each other."""

from dataclasses import fields

import pytest

from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.cloud_errors import codes
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.failure_meanings import failures
from ipamd.core.failure_meanings.by_code import BY_CODE
from ipamd.core.failure_meanings.by_kind import BY_KIND
from ipamd.core.failure_meanings.meaning import KindMeaning, OrderMeaning
from ipamd.core.kubernetes.node_condition import NodeReason
from ipamd.core.vpc_ip.placement import WrongZoneError
from ipamd.core.vpc_ip.reason import VpcIpReason

K = CloudErrorKind


def having(answer):
    """The kinds by an answer that is not the one of what passes by itself."""
    usual = answer(BY_KIND[K.BUSY])
    return {kind: answer(BY_KIND[kind]) for kind in K if answer(BY_KIND[kind]) != usual}


def error(kind):
    return CloudError(kind, "no", action="AssociateAddress", code="Code", request_id="")


def test_every_kind_has_a_row():
    assert [kind for kind in K if kind not in BY_KIND] == []


@pytest.mark.parametrize("meaning", [KindMeaning, OrderMeaning])
def test_a_row_without_an_answer_cannot_be_made(meaning):
    row = BY_KIND[K.BUSY] if meaning is KindMeaning else BY_KIND[K.BUSY].order
    answers = {field.name: getattr(row, field.name) for field in fields(meaning)}
    for question in answers:
        with pytest.raises(TypeError, match=question):
            meaning(**{name: answer for name, answer in answers.items() if name != question})


def test_an_order_is_told_with_the_reason_that_somebody_has_to_mend():
    assert having(lambda row: row.order.reason) == {
        K.QUOTA: Reason.QUOTA_EXCEEDED,
        K.TAGS: Reason.TAGS_REFUSED,
        K.PERMISSION: Reason.PERMISSION_DENIED,
        K.MONEY: Reason.NO_MONEY,
        K.INVALID: Reason.INVALID_ATTRIBUTES,
        K.CREDENTIALS: Reason.CREDENTIALS_REFUSED,
    }


def test_an_order_is_known_to_have_come_to_nothing_only_where_the_cloud_has_judged_it():
    refused = {kind for kind in K if BY_KIND[kind].order.refused}

    assert refused == {K.QUOTA, K.TAGS, K.PERMISSION, K.MONEY, K.INVALID}


def test_a_bind_is():
    assert having(lambda row: row.bind) == {
        K.QUOTA: Reason.QUOTA_EXCEEDED,
        K.PERMISSION: Reason.PERMISSION_DENIED,
        K.MONEY: Reason.NO_MONEY,
        K.INVALID: Reason.BIND_REFUSED,
        K.CREDENTIALS: Reason.CREDENTIALS_REFUSED,
    }


def test_a_node_is():
    assert having(lambda row: row.node) == {
        K.QUOTA: NodeReason.CVM_LIMIT,
        K.SUBNET_FULL: NodeReason.SUBNET_FULL,
        K.PERMISSION: NodeReason.CAM_DENIED,
        K.MONEY: NodeReason.ARREARS,
        K.CREDENTIALS: NodeReason.CREDENTIALS_REFUSED,
    }


def test_a_reservation_is_refused_for_certain_only_where_the_vpc_says_so():
    assert having(lambda row: row.reservation) == {
        K.NOT_OFFERED: VpcIpReason.NOT_SUPPORTED,
        K.PERMISSION: VpcIpReason.PERMISSION_DENIED,
        K.QUOTA: VpcIpReason.QUOTA_EXCEEDED,
        K.INVALID: VpcIpReason.RESERVATION_REFUSED,
        K.MONEY: VpcIpReason.RESERVATION_REFUSED,
        K.TAGS: VpcIpReason.RESERVATION_REFUSED,
    }


def test_an_assignment_is_told_with_the_reason_that_its_claim_can_have():
    assert having(lambda row: row.assignment) == {
        K.ADDRESS_IN_USE: VpcIpReason.ADDRESS_IN_USE,
        K.PERMISSION: VpcIpReason.PERMISSION_DENIED,
        K.QUOTA: VpcIpReason.QUOTA_EXCEEDED,
    }


@pytest.mark.parametrize("kind", K)
def test_each_place_tells_what_the_row_says(kind):
    row, failure = BY_KIND[kind], error(kind)
    refusal = failures.reservation_refusal(failure)

    assert failures.of_order(failure) is row.order
    assert failures.bind_reason(failure) is row.bind
    assert failures.node_reason(failure) is row.node
    assert failures.assign_reason(failure) is row.assignment
    assert (refusal.reason if refusal else None) is row.reservation


def test_what_is_no_answer_of_the_cloud_has_its_own():
    failure = TryAgainError("wait")

    assert failures.node_reason(failure) is NodeReason.NO_ADDRESSES
    assert failures.assign_reason(failure) is VpcIpReason.ASSIGN_FAILED
    assert failures.assign_reason(WrongZoneError("another zone")) is VpcIpReason.WRONG_SUBNET


@pytest.mark.parametrize("kind", K)
def test_what_a_person_mends_is_no_failure_that_passes(kind):
    row = BY_KIND[kind]

    assert row.order.reason is Reason.CLOUD_ERROR or row.order.reason in FAILURES
    assert row.bind is Reason.BIND_FAILED or row.bind in FAILURES
    if row.order.refused:
        assert row.order.pause, "the cloud has judged it: it would refuse the next one alike"
    if row.order.reason is Reason.CLOUD_ERROR:
        assert not row.order.refused, "CloudError says that nobody knows"


def test_one_reason_of_a_claim_is_told_as_one_finding():
    rows = [row.order for row in BY_KIND.values()]
    orders = rows + [row.order for row in BY_CODE.values() if row.order]
    told = {order.reason: {one.finding for one in orders if one.reason is order.reason} for order in orders}
    del told[Reason.CLOUD_ERROR]  # the claim is not Failed, so that no finding is made of its reason

    assert {reason: found for reason, found in told.items() if len(found) > 1} == {}


def test_a_code_is_listed_only_where_it_says_something_of_its_own():
    known = {code for listed in codes._ADVICE_BY_CODE.values() for code in listed}

    for code, meaning in BY_CODE.items():
        kind = codes.cloud_error("AssociateAddress", code, "no").kind
        assert code in known
        for question in ("order", "bind", "node"):
            answer = getattr(meaning, question)
            assert answer is None or answer != getattr(BY_KIND[kind], question)
