"""Passes over keepers: when an orphan is told, told again, given up; by a clock that the test sets."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ipamd.controller.vpc_ips.keeper_sweep import AT_ONCE, KeeperSweep
from ipamd.controller.vpc_ips.kept_enis import KeptEnis
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from tests.testkit.own_enis import own_eni
from tests.testkit.vpc_ips import EXCLUSIVE, fixed_claim

if TYPE_CHECKING:
    from ipamd.core.model import Eni
    from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

AGE = 100.0
HOUR = 3600.0


class Cluster:
    """ENIs, claims as the watch has them, and claims as the API server has them."""

    def __init__(self, mode):
        self.enis: dict[str, Eni] = {}
        self.shown: dict[str, Eni | None] = {}
        self.watched: list[VpcIpClaim] = []
        self.stored: list[VpcIpClaim] = []
        self.stopped_by = ""
        self.now = 0.0
        self.told: list[tuple[str, str]] = []
        book = SimpleNamespace(complete=True, claims=lambda: self.watched)
        live = SimpleNamespace(
            claims=lambda: self.stored, at_all_enis=lambda: list(self.enis.values()), at_eni=self._shown
        )
        sight: Any = SimpleNamespace(book=book, live=live, pauses=None)
        writes: Any = self
        self.sweep = KeeperSweep(
            SweepTerms(mode=mode, age=AGE), KeptEnis(sight, writes), sight, ports=writes, wake=lambda _: None
        )

    def _shown(self, eni_id):
        """What a look at one ENI shows, which may be newer than the list."""
        return self.shown.get(eni_id, self.enis.get(eni_id))

    def add(self, number, **changes):
        eni_id = f"eni-{number}"
        self.enis[eni_id] = own_eni(eni_id, f"10.0.3.{number}", **changes)

    def give_up(self, eni_id):
        if not self.stopped_by:
            del self.enis[eni_id]
        return self.stopped_by

    def steady(self):
        return self.now

    def tell(self, _kind, reason, message):
        self.told.append((reason, message))

    def pass_at(self, now):
        self.now = now
        self.sweep.make_pass()

    def numbers(self):
        return {metric.name: dict(metric.samples) for metric in self.sweep.metrics()}


@pytest.fixture
def reported():
    cluster = Cluster(SweepMode.REPORT)
    cluster.add(1)
    return cluster


def test_an_orphan_is_told_when_it_is_old_and_again_after_an_hour(reported):
    reported.pass_at(0.0)
    reported.pass_at(AGE - 1)
    assert reported.told == []
    for now in (AGE, AGE + 60, AGE + HOUR - 1):
        reported.pass_at(now)
    advice = "with --orphan-sweep=release it would be deleted"
    told = ("OrphanedENI", f"eni-1 (10.0.3.1) has no VpcIPClaim; unused: {advice}")
    assert reported.told == [told]

    reported.pass_at(AGE + HOUR)

    assert reported.told == [told] * 2


def test_an_orphan_that_becomes_used_is_told_at_once(reported):
    reported.pass_at(0.0)
    reported.pass_at(AGE)
    reported.add(1, instance_id="ins-1")

    reported.pass_at(AGE + 1)

    advice = "it is left alone; if nobody needs it, unbind its EIP and detach it"
    assert reported.told[1:] == [("OrphanedENI", f"eni-1 (10.0.3.1) has no VpcIPClaim; in use: {advice}")]
    assert reported.numbers()["tke_eni_orphaned_claim_enis"] == {
        ("waiting",): 0,
        ("in use",): 1,
        ("unused",): 0,
    }


def test_a_few_go_in_one_pass():
    cluster = Cluster(SweepMode.RELEASE)
    for number in range(1, AT_ONCE + 3):
        cluster.add(number)
    cluster.pass_at(0.0)

    cluster.pass_at(AGE)
    assert len(cluster.enis) == 2
    cluster.pass_at(AGE + 1)

    assert cluster.enis == {}
    assert cluster.numbers()["tke_eni_orphaned_claim_enis_deleted"] == {(): AT_ONCE + 2}
    assert [reason for reason, _ in cluster.told].count("DeletedOrphanedENI") == AT_ONCE + 2


def test_what_is_stopped_stays_and_is_not_counted():
    cluster = Cluster(SweepMode.RELEASE)
    cluster.add(1)
    cluster.stopped_by = "the switch"
    cluster.pass_at(0.0)

    cluster.pass_at(AGE)

    assert list(cluster.enis) == ["eni-1"]
    assert cluster.numbers()["tke_eni_orphaned_claim_enis_deleted"] == {(): 0}


def test_one_whose_claim_the_watch_has_not_told_of_is_no_orphan():
    cluster = Cluster(SweepMode.RELEASE)
    cluster.add(1)
    cluster.stored = [fixed_claim(EXCLUSIVE)]
    cluster.pass_at(0.0)

    cluster.pass_at(AGE)

    assert list(cluster.enis) == ["eni-1"]
    assert cluster.told == []


@pytest.mark.parametrize("shown", [None, own_eni("eni-1", "10.0.3.1", instance_id="ins-1")])
def test_one_that_was_deleted_or_is_used_since_it_was_listed_is_not_given_up(shown):
    cluster = Cluster(SweepMode.RELEASE)
    cluster.add(1)
    cluster.add(2)
    cluster.pass_at(0.0)
    cluster.shown["eni-1"] = shown

    cluster.pass_at(AGE)

    assert list(cluster.enis) == ["eni-1"]
    assert cluster.numbers()["tke_eni_orphaned_claim_enis_deleted"] == {(): 1}
