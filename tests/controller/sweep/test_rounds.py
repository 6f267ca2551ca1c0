"""Single passes of the sweep at the times that a test says: what is told, released, counted and believed."""

from types import SimpleNamespace
from typing import Any

import pytest

from ipamd.controller.sweep.sweep import AT_ONCE, Sweep
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip.orphans import OrphanVerdict, SweepMode, SweepTerms
from ipamd.core.model import Eip, EipStatus
from ipamd.kube.errors import UnreachableError
from tests.testkit import claims
from tests.testkit.eips import listed_eip

AGE, INTERVAL = 100.0, 60.0
HOUR = 3600.0


class Scene:
    """Cloud, claims and ports of a sweep; a look at the cloud takes `seconds`."""

    def __init__(self, mode):
        self.now, self.seconds = 10.0, 1.0
        self.eips: list[Eip] = []
        self.live_claims: list[Any] = []
        self.live_looks = 0
        self.stopped_by: str | Exception = ""
        self.told: list[str] = []
        self.released: list[str] = []
        self.freed: list[int] = []
        self.woken = 0
        self.lost = 0
        self.blind = ""
        self.error: CloudError | None = None
        ports = SimpleNamespace(
            clock=lambda: claims.NOW + self.now,
            steady=lambda: self.now,
            release_stopped=self._stopped,
            tell=lambda kind, reason, message: self.told.append(f"{kind} {reason} {message.split()[0]}"),
            fence=SimpleNamespace(deadline=lambda: None),
            cloud=SimpleNamespace(release_eip=self._release, release_completed=lambda: None),
            on_freed=self.freed.append,
            sweep_waits=SimpleNamespace(wake=self._wake),
        )
        losses = SimpleNamespace(mend=lambda claims, eips: self.lost, blind="", locked={})
        self.losses = losses
        self.sweep = Sweep(
            SweepTerms(mode=mode, interval=INTERVAL, age=AGE),
            claims.CLUSTER,
            cloud=self,
            claims=SimpleNamespace(claims=list, live=self._live, pools=list),
            ports=ports,
            losses=losses,
        )

    def _stopped(self):
        if isinstance(self.stopped_by, Exception):
            raise self.stopped_by
        return self.stopped_by

    def _wake(self):
        self.woken += 1

    def _live(self):
        self.live_looks += 1
        return self.live_claims

    def _release(self, eip_id, _):
        self.released.append(eip_id)

    def describe_eips(self, *, tags):
        self.now += self.seconds
        if self.error:
            raise self.error
        return list(self.eips)

    def describe_eip(self, eip_id, _):
        return next((eip for eip in self.eips if eip.eip_id == eip_id), None)

    def orphans(self, number, **fields):
        self.eips = [
            listed_eip(f"eip-{n}", claim=f"gone-{n}", created_at=claims.NOW, **fields) for n in range(number)
        ]

    def passes(self, number=1, *, after=0.0):
        """Make so many passes; each takes a second."""
        self.now += after
        for _ in range(number):
            pause = self.sweep.make_pass()
        return pause

    def of_age(self):
        """Make passes until what is there is old enough."""
        self.passes()
        self.passes(after=AGE)


@pytest.fixture
def scene(request):
    return Scene(getattr(request, "param", SweepMode.REPORT))


releasing = pytest.mark.parametrize("scene", [SweepMode.RELEASE], indirect=True)


def test_an_orphan_is_told_of_once_it_is_old_and_again_each_hour(scene):
    scene.orphans(1)
    scene.passes(2)
    assert scene.told == []

    scene.passes(after=AGE)
    assert scene.told == ["Warning OrphanedEIP eip-0"]
    scene.passes(3, after=INTERVAL)
    assert len(scene.told) == 1

    scene.passes(after=HOUR - 10 - INTERVAL)
    assert len(scene.told) == 1
    scene.passes(after=10 + INTERVAL)
    assert len(scene.told) == 2
    scene.passes(after=HOUR - 1.0)  # and one second for the pass
    assert len(scene.told) == 3


def test_an_orphan_of_which_something_else_is_to_be_said_is_told_of_again(scene):
    scene.orphans(1)
    scene.of_age()
    assert scene.sweep.counts.orphans == {OrphanVerdict.RELEASE.value: 1}

    scene.orphans(1, status=EipStatus.BIND, eni_id="eni-1", private_ip="10.0.1.5")
    scene.passes(2)

    assert scene.sweep.counts.orphans == {OrphanVerdict.BOUND.value: 1}
    assert scene.told == ["Warning OrphanedEIP eip-0"] * 2


def test_what_the_cache_does_not_show_yet_is_no_orphan(scene):
    scene.orphans(1)
    scene.live_claims = [claims.claim(uid="gone-0")]

    scene.of_age()

    assert (scene.told, dict(scene.sweep.counts.orphans)) == ([], {})
    assert scene.live_looks == 1, "the API server is asked only when something is to be told"


@releasing
def test_a_few_are_released_in_a_pass_and_who_waits_hears_when_they_are_gone(scene):
    scene.orphans(AT_ONCE + 2)
    scene.of_age()
    assert len(scene.released) == AT_ONCE
    assert scene.sweep.counts.released == AT_ONCE
    assert scene.freed == []

    scene.eips = [eip for eip in scene.eips if eip.eip_id not in scene.released[:3]]
    scene.passes()
    assert scene.freed == [3]
    assert set(scene.released) == {f"eip-{n}" for n in range(AT_ONCE + 2)}

    scene.eips = []
    scene.passes(2)
    assert scene.freed == [3, AT_ONCE - 3 + 2]
    assert dict(scene.sweep.counts.orphans) == {}


@releasing
def test_one_that_has_ceased_to_be_an_orphan_keeps_none_of_the_others(scene):
    scene.orphans(2)
    bound = listed_eip("eip-0", EipStatus.BIND, claim="gone-0")
    whole, listed = list(scene.eips), scene.describe_eip
    scene.describe_eip = lambda eip_id, deadline: bound if eip_id == "eip-0" else listed(eip_id, deadline)
    scene.eips = whole

    scene.of_age()

    assert scene.released == ["eip-1"]
    assert scene.sweep.counts.released == 1


@releasing
@pytest.mark.parametrize("stop", ["by the switch", UnreachableError("away")])
def test_nothing_is_released_while_releases_are_stopped_or_it_cannot_be_asked(scene, stop):
    scene.orphans(2)
    scene.passes()
    scene.stopped_by = stop if isinstance(stop, str) else ""
    if not isinstance(stop, str):
        scene.stopped_by = stop
        with pytest.raises(UnreachableError):
            scene.passes(after=AGE)
    else:
        scene.passes(after=AGE)

    assert scene.released == []
    assert scene.sweep.counts.stopped_by
    scene.stopped_by = ""
    scene.passes()
    assert scene.sweep.counts.stopped_by == ""
    assert scene.released == ["eip-0", "eip-1"]


@pytest.mark.parametrize("scene", [SweepMode.OFF], indirect=True)
def test_switched_off_claims_are_still_compared_with_their_eips(scene):
    scene.orphans(1)
    scene.lost = 2

    scene.of_age()

    assert (scene.told, dict(scene.sweep.counts.orphans)) == ([], {})
    assert scene.sweep.counts.claims_without_eip == 4


def test_a_pass_that_fails_is_counted_as_one_and_wakes_nobody(scene):
    scene.error = cloud_error("DescribeAddresses", "InternalError", "?", "r-1")

    with pytest.raises(CloudError):
        scene.passes()
    assert (scene.sweep.counts.passes, scene.sweep.counts.failures, scene.woken) == (1, 1, 0)

    scene.error = None
    scene.passes()
    assert (scene.sweep.counts.passes, scene.sweep.counts.failures, scene.woken) == (2, 1, 1)


@pytest.mark.parametrize(
    ("seconds", "pause"), [(1.0, INTERVAL), (6.0, INTERVAL), (7.0, INTERVAL), (10.0, 90.0)]
)
def test_a_long_pass_is_followed_by_a_longer_pause(scene, seconds, pause):
    scene.seconds = seconds

    assert scene.passes() == max(pause, 9 * seconds)


def test_what_the_last_pass_saw_is_believed_for_three_pauses(scene):
    assert "could not be compared" in scene.sweep.doubt()

    scene.passes()
    assert scene.sweep.doubt() == ""
    scene.now += 3 * INTERVAL
    assert scene.sweep.doubt() == ""
    scene.now += 1.0
    assert "could not be compared" in scene.sweep.doubt()


def test_while_too_much_is_not_shown_that_is_the_doubt_and_nobody_is_woken(scene):
    scene.losses.blind = "too many are not shown"

    scene.passes()

    assert (scene.sweep.doubt(), scene.woken) == ("too many are not shown", 0)
    shown = {metric.name: metric.samples for metric in scene.sweep.metrics()}
    assert shown["tke_eni_eips_not_shown"] == {(): 1}


def test_the_metrics_are_what_the_passes_have_counted(scene):
    scene.orphans(2)
    scene.losses.locked = {"EIPBlocked": 3}
    scene.lost = 1
    scene.of_age()
    scene.stopped_by = "by the switch"
    scene.passes()

    shown = {metric.name: metric.samples for metric in scene.sweep.metrics()}

    assert {state: n for (state,), n in shown["tke_eni_orphaned_eips"].items() if n} == {
        OrphanVerdict.RELEASE.value: 2
    }
    assert len(shown["tke_eni_orphaned_eips"]) == len(OrphanVerdict)
    assert shown["tke_eni_sweeps"] == {(): 3}
    assert shown["tke_eni_sweeps_failed"] == {(): 0}
    assert shown["tke_eni_claims_without_eip"] == {(): 3}
    assert shown["tke_eni_releases_stopped"] == {(): 1}
    assert shown["tke_eni_eips_not_shown"] == {(): 0}
    assert sum(shown["tke_eni_eips_locked"].values()) == 3
