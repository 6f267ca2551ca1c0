"""Who does not answer is found by asking now; clocks that are apart are one finding."""

import pytest

from ipamd.agent.findings.outsides import MOST_APART, Outside, OutsideFindings
from ipamd.core.findings.codes import FindingCode
from ipamd.kube.errors import ForbiddenError, UnreachableError
from ipamd.runtime.reachability import Reachability

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


class ApiServer:
    """An API server whose requests are noted as the client notes them."""

    def __init__(self):
        self.now = 1000.0
        self.reachability = Reachability("api-server", monotonic=lambda: self.now)
        self.error = None
        self.asked = 0

    def ask(self):
        self.asked += 1
        if isinstance(self.error, UnreachableError):
            self.reachability.failed(self.error.message)
        else:
            self.reachability.answered()
        if self.error is not None:
            raise self.error

    def findings(self):
        outside = Outside(reachability=self.reachability, code=FindingCode.API_SERVER_AWAY, ask=self.ask)
        return OutsideFindings((outside,), wall=lambda: NOW, clocks={}).look()


def test_an_outside_that_stopped_a_moment_ago_is_told_by_check_and_status_alike():
    server = ApiServer()
    server.ask()
    server.now += 2.0
    server.error = UnreachableError("GET nodes: connection refused")

    (finding,) = server.findings()

    assert finding.code is FindingCode.API_SERVER_AWAY
    assert finding.text == "api-server does not answer (last good 2s ago): GET nodes: connection refused"
    assert server.reachability.silence() == [finding.text]
    server.error = None
    assert server.findings() == []
    assert server.reachability.silence() == []


def test_who_answered_in_this_second_is_not_asked_again():
    server = ApiServer()
    server.ask()

    assert server.findings() == []
    assert server.asked == 1


def test_a_refusal_is_an_answer():
    server = ApiServer()
    server.error = ForbiddenError("GET nodes: forbidden")

    assert server.findings() == []
    assert server.asked == 1
