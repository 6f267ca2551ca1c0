"""The status of a NodeENIConfig: written when it is not true, and only what differs."""

import pytest

from ipamd.core.node_config import status
from ipamd.core.node_config.survey import ConfigRefusal
from tests.core.node_config.build import nec

WRONG = ConfigRefusal(reason="Invalid", message="wrong")
THEN, NOW = "1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z"


def wanted(obj, **changes):
    patch = status.wanted(obj, **{"refusal": None, "nodes": 0, "own": {}, "now": 60.0, **changes})
    return patch and patch["status"]


def told(obj, **changes):
    """The object as it is once its status is written."""
    return {**obj, "status": wanted(obj, **changes)}


def test_an_object_without_a_generation_is_of_none():
    assert wanted(nec("a"))["conditions"][0]["observedGeneration"] == 0


def test_a_new_object_is_told_all_at_once():
    obj = nec("a")
    obj["metadata"]["generation"] = 4

    assert wanted(obj, nodes=2, own={"enis": 1}) == {
        "conditions": [
            {
                "type": "Accepted",
                "status": "True",
                "reason": "Valid",
                "message": "the nodes that it concerns follow it",
                "observedGeneration": 4,
                "lastTransitionTime": NOW,
            }
        ],
        "nodes": 2,
        "node": {"enis": 1},
    }


@pytest.mark.parametrize(
    "broken", [None, [], "x", {"conditions": "x"}, {"conditions": [5, {"type": "Other"}]}]
)
def test_a_status_that_nobody_can_read_is_written_anew(broken):
    obj = {**nec("a"), "status": broken}

    assert wanted(obj)["conditions"][0]["lastTransitionTime"] == NOW
    assert status.is_accepted(obj)


def test_the_time_stays_while_only_the_words_change():
    obj = told(nec("a"), refusal=WRONG, now=0.0)
    more = ConfigRefusal(reason="Contradiction", message="also wrong")

    [condition] = wanted(obj, refusal=more)["conditions"]

    assert (condition["reason"], condition["lastTransitionTime"]) == ("Contradiction", THEN)
    assert wanted(obj)["conditions"][0]["lastTransitionTime"] == NOW


def test_a_condition_without_a_time_gets_one():
    obj = told(nec("a"), refusal=WRONG, now=0.0)
    del obj["status"]["conditions"][0]["lastTransitionTime"]
    obj["metadata"]["generation"] = 2

    assert wanted(obj, refusal=WRONG)["conditions"][0]["lastTransitionTime"] == NOW


def test_only_what_differs_is_written():
    obj = told(nec("a"), nodes=2, own={"enis": 1}, now=0.0)

    assert wanted(obj, nodes=2, own={"enis": 1}) is None
    assert wanted(obj, nodes=3, own={"enis": 1}) == {"nodes": 3}
    assert wanted(obj, nodes=2, own={"enis": 2}) == {"node": {"enis": 2}}
    assert wanted(obj, nodes=2, own={"limit": 2}) == {"node": {"enis": None, "limit": 2}}
    assert wanted(obj, nodes=2, own={}) == {"node": None}


@pytest.mark.parametrize(("refusal", "accepted"), [(None, True), (WRONG, False)])
def test_whether_it_is_followed_is_read_from_its_condition(refusal, accepted):
    assert status.is_accepted(told(nec("a"), refusal=refusal)) is accepted
    assert status.is_accepted(nec("a"))
