"""Clocks that are apart are one finding, whoever tells the other time."""

import pytest

from ipamd.agent.findings.outsides import MOST_APART, OutsideFindings
from ipamd.core.findings.codes import FindingCode

NOW = 1_800_000_000.0


def look(cloud, api_server):
    """Look with our clock at NOW and those of the others as given; None: no answer had a date yet."""
    clocks = {"the cloud": lambda: cloud, "the API server": lambda: api_server}
    return OutsideFindings((), wall=lambda: NOW, clocks=clocks).look()


@pytest.mark.parametrize(
    ("cloud", "api_server", "words"),
    [
        (NOW + 400, NOW + 400, "6m40s behind the cloud's and 6m40s behind the API server's"),
        (NOW - 400, NOW, "6m40s ahead of the cloud's"),
        (None, NOW - MOST_APART, "1m ahead of the API server's"),
    ],
)
def test_clocks_that_are_apart_are_one_finding(cloud, api_server, words):
    (finding,) = look(cloud, api_server)

    assert finding.code is FindingCode.CLOCK_WRONG
    assert finding.text == f"the node's clock is {words}"


@pytest.mark.parametrize("other", [None, NOW, NOW + MOST_APART - 1, NOW - MOST_APART + 1])
def test_clocks_that_agree_or_are_not_known_are_no_finding(other):
    assert look(other, other) == []
