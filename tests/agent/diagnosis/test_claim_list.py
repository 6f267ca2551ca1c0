"""A claim in one line: of its conditions the first that is False in the order of its life, else Ready."""

import pytest

from ipamd.agent.diagnosis.claim_list import entry
from ipamd.core.claim.eipclaim import BOUND, EGRESS_THROUGH_EIP, PROVISIONED, READY, UP_TO_DATE, USABLE
from tests.testkit.claims import GIVEN, OWN, claim


def condition(kind, status="True"):
    return {
        "type": kind,
        "status": status,
        "reason": f"{kind}Reason",
        "message": f"why {kind}",
        "lastTransitionTime": "2023-11-14T22:13:20Z",
    }


ALL = (READY, UP_TO_DATE, EGRESS_THROUGH_EIP, BOUND, USABLE, PROVISIONED)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ((), f"{READY}=True"),
        ((READY,), f"{READY}=False"),
        ((READY, UP_TO_DATE), f"{UP_TO_DATE}=False"),
        ((READY, UP_TO_DATE, EGRESS_THROUGH_EIP), f"{EGRESS_THROUGH_EIP}=False"),
        ((READY, EGRESS_THROUGH_EIP, BOUND), f"{BOUND}=False"),
        ((READY, BOUND, USABLE), f"{USABLE}=False"),
        ((READY, USABLE, BOUND, PROVISIONED), f"{PROVISIONED}=False"),
    ],
)
def test_the_first_condition_that_does_not_hold_is_told(wrong, told):
    found = entry(claim(conditions=tuple(condition(k, "False" if k in wrong else "True") for k in ALL)))

    kind = told.partition("=")[0]
    assert (found.condition, found.reason, found.message) == (told, f"{kind}Reason", f"why {kind}")
    assert found.since_unix == 1_700_000_000


def test_a_claim_of_which_nothing_is_said_yet_is_told_as_it_is():
    found = entry(claim())

    assert (found.namespace, found.name) == ("default", "web-0")
    assert (found.condition, found.reason, found.message, found.since_unix) == ("", "", "", 0)
    assert (found.eip_id, found.public_ip, found.owned, found.retained) == ("", "", False, False)


def test_the_eip_is_told_with_whose_it_is():
    ours, theirs = entry(claim(address=OWN, never=True)), entry(claim(address=GIVEN))

    assert (ours.eip_id, ours.public_ip, ours.owned, ours.retained) == ("eip-1", "198.18.0.1", True, True)
    assert (theirs.eip_id, theirs.public_ip, theirs.owned) == ("eip-9", "198.18.0.9", False)


def test_a_claim_that_cannot_be_read_says_why_first():
    found = entry(claim(problem="spec.isp is wrong", conditions=(condition(READY, "False"),)))

    assert found.message == "spec.isp is wrong"
