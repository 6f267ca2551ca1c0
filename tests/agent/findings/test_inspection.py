"""A check looks at everything; who only watches gets what the node shows, and what others told a check."""

import pytest

from ipamd.agent.findings.inspection import Inspection
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding

DROP = Finding(code=FindingCode.FORWARD_DROP, subject="chain/filter", text="it drops")
AWAY = Finding(code=FindingCode.CLOUD_AWAY, subject="outside/cloud", text="it does not answer")


class Part:
    """Something that is looked at."""

    def __init__(self, *found):
        self.found = list(found)
        self.looks = 0

    def look(self):
        self.looks += 1
        return list(self.found)


class Watched:
    """An inspection whose time a test sets."""

    def __init__(self):
        self.now = 1000.0
        self.kernel, self.cloud = Part(DROP), Part(AWAY)
        self.inspection = Inspection(
            {"kernel": self.kernel.look}, asking={"cloud": self.cloud.look}, monotonic=lambda: self.now
        )


@pytest.fixture
def watched():
    return Watched()


def test_a_check_tells_both_kinds(watched):
    assert set(watched.inspection.findings()) == {DROP, AWAY}


def test_who_watches_asks_nobody(watched):
    assert watched.inspection.of_node().findings == (DROP,)
    assert watched.inspection.of_others() is None
    assert watched.cloud.looks == 0


def test_many_who_watch_have_the_node_looked_at_seldom(watched):
    for _ in range(5):
        watched.inspection.of_node()
    assert watched.kernel.looks == 1

    watched.now += 29.0
    assert watched.inspection.of_node().age == 29.0
    watched.kernel.found = []
    watched.now += 1.0

    seen = watched.inspection.of_node()
    assert (seen.findings, seen.age, watched.kernel.looks) == ((), 0.0, 2)


def test_what_a_check_was_told_is_kept_with_its_age_and_not_for_ever(watched):
    watched.inspection.findings()
    watched.now += 60.0

    told = watched.inspection.of_others()
    assert told is not None
    assert (told.findings, told.age) == ((AWAY,), 60.0)

    watched.now += 3540.0
    assert watched.inspection.of_others() is None


def test_a_check_spares_who_watches_a_look(watched):
    watched.inspection.findings()
    watched.now += 3.0

    assert watched.inspection.of_node().age == 3.0
    assert watched.kernel.looks == 1


def test_a_part_with_a_defect_is_a_finding_for_who_watches_too():
    def fails():
        raise ZeroDivisionError

    (finding,) = Inspection({"kernel": fails}, asking={}).of_node().findings

    assert finding.code is FindingCode.NOT_LOOKED_AT
