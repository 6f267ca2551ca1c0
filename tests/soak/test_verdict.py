"""When a soak run is good: nothing grew, nothing is left, and the full node served everybody."""

import pytest

from testbed.soak import figures
from testbed.soak.__main__ import Rest, is_good
from testbed.soak.flatness import Verdict
from testbed.soak.full_node import Findings


def verdict(growth=0.0, allowed=1.0):
    return Verdict(name="agent threads", start=1.0, end=1.0 + growth, growth=growth, allowed=allowed)


def rest(*problems, **left):
    return Rest(left=left, full=Findings(add_ms=1.0, rss_mib=1.0, problems=problems))


def test_a_run_in_which_nothing_grew_and_nothing_is_left_is_good():
    assert is_good([verdict(), verdict(growth=1.0), verdict(growth=-5.0)], rest())


@pytest.mark.parametrize(
    ("verdicts", "afterwards"),
    [
        ([verdict(), verdict(growth=1.01)], rest()),
        ([verdict()], rest(routes=["10.0.1.5"])),
        ([verdict()], rest("web-3 is seen with another address")),
    ],
    ids=["grew", "left", "full node"],
)
def test_one_thing_wrong_is_enough(verdicts, afterwards):
    assert not is_good(verdicts, afterwards)


def test_what_is_counted_in_pieces_may_not_grow_at_all():
    counted = ("links", "rules", "routes", "neighbours", "nft", "queued DELs", "EIPClaims", "EIPs")

    assert {figures.ALLOWED[name] for name in counted} == {0}
