"""What Events and conditions say of each failure that the cloud can answer with: one line, and what to do."""

import re

import pytest

from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import BOUND, PROVISIONED, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors import codes
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import TryAgainError
from ipamd.core.failure_meanings import failures
from ipamd.core.kubernetes import node_condition
from ipamd.core.kubernetes.node_condition import NodeProblem, Weight
from tests.testkit.claims import claim

REQUEST = "61fbfdff-9750-4c04-a6d4-d07450060b51"
MESSAGE = f"The role is not\nauthorized to perform (cvm:AssociateAddress). [RequestId: {REQUEST}]"
CODES = [*sorted(code for listed in codes._ADVICE_BY_CODE.values() for code in listed), "NeverHeardOf"]
BY_A_LOOK = {CloudErrorKind.ADDRESS_IN_USE, CloudErrorKind.NOT_OFFERED}
"""Kinds that no code tells: `ipamd.cloud` looks, or knows which call it was."""
DOCUMENT = re.compile(r"(?<!product/)\b\d{3,4}/\d{4,6}\b")


def error(code):
    return codes.cloud_error("AssociateAddress", code, MESSAGE, REQUEST)


def tellings(failure):
    """The failure in each place where users read it."""
    told = failures.told(failure)
    asking = claim()
    ordered = status.not_provisioned(asking, Reason.CLOUD_ERROR, told, 0.0, certain=False)
    bound = status.bind_failed(asking, failures.bind_reason(failure), told, 0.0)
    assert ordered
    assert bound
    problem = NodeProblem(reason="x", message=str(failure), weight=Weight.HARM)
    yield condition(tuple(ordered["status"]["conditions"]), PROVISIONED)["message"]
    yield condition(tuple(bound["status"]["conditions"]), BOUND)["message"]
    yield node_condition.verdict([problem], well="", node="n").message


@pytest.mark.parametrize("code", CODES)
def test_every_failure_is_one_line_with_its_request_once_and_its_advice(code):
    failure = error(code)
    for text in tellings(failure):
        assert "\n" not in text
        assert text.count(REQUEST) == 1
        assert code in text
        assert " ".join(failure.advice.split()) in text
        assert DOCUMENT.search(text) is None, "a page is named by its URL"


@pytest.mark.parametrize("code", CODES)
def test_every_failure_of_a_claim_says_when_it_is_tried_again(code):
    told = failures.told(error(code))
    assert re.search(r"again|repeated|wait", told.partition(REQUEST)[2])


def test_what_only_time_lifts_says_how_long_it_takes():
    assert failures.told(error("UnauthorizedOperation")).endswith("; it is tried again every 60 s")
    assert failures.told(error("UnsupportedOperation.UnpaidOrderAlreadyExists")).endswith("every 120 s")


def test_what_is_no_answer_of_the_cloud_passes_by_itself():
    assert failures.told(TryAgainError("no link yet")) == "no link yet; it is tried again by itself"


def test_every_kind_of_failure_is_among_them():
    assert {error(code).kind for code in CODES} == set(CloudErrorKind) - BY_A_LOOK
