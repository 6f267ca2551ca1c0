"""A foreign rule is told if it takes packets of a Pod before ours, and only then."""

import dataclasses

import pytest

from ipamd.core.kernel.foreign_rules import ForeignRule, catching

POD, OTHER = "10.0.1.100", "10.0.1.101"
FROM_POD = ForeignRule(priority=100, action=1, table=99, source=f"{POD}/32", destination="")
TO_POD = ForeignRule(priority=100, action=1, table=99, source="", destination=f"{POD}/32")


def told(rule, **changes):
    changed = dataclasses.replace(rule, **changes)
    return [found.text for found in catching([changed], (POD, OTHER), to_pods=512, from_pods=1536)]


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (FROM_POD, {}),
        (FROM_POD, {"priority": 1536}),
        (FROM_POD, {"table": 254}),
        (FROM_POD, {"source": "10.0.0.0/16"}),
        (FROM_POD, {"action": 8}),
        (FROM_POD, {"source": "192.0.2.0/24", "inverted": True}),
        (TO_POD, {}),
        (TO_POD, {"priority": 512}),
        (TO_POD, {"action": 6}),
    ],
)
def test_one_that_takes_packets_before_ours_is_told(rule, changes):
    (sentence,) = told(rule, **changes)
    assert POD in sentence
    assert f"'{changes.get('priority', 100)}:" in sentence


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (FROM_POD, {"priority": 1537}),
        (FROM_POD, {"source": "192.0.2.1/32"}),
        (FROM_POD, {"source": ""}),
        (FROM_POD, {"table": 255}),
        (FROM_POD, {"action": 3}),
        (FROM_POD, {"source": "10.0.0.0/16", "inverted": True}),
        (TO_POD, {"priority": 513}),
        (TO_POD, {"table": 254}),
    ],
)
def test_one_that_does_not_is_not_told(rule, changes):
    assert told(rule, **changes) == []


def test_it_is_shown_as_people_know_it_and_its_victims_are_counted():
    (sentence,) = told(FROM_POD, source="10.0.0.0/16", priority=7)

    assert "'7: from 10.0.0.0/16 lookup 99'" in sentence
    assert f"{POD} and 1 more" in sentence
