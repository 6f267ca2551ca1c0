"""Passes over reservations and the book: what no claim answers for is told, and released if wanted."""

import pytest

from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS


def reservation_gone(fixed):
    return lambda: fixed.reservations() == {}


def take_away(fixed, name):
    """What a person does to a claim by force: its finalizer goes, and the claim with it."""
    fixed.world.client.patch(VPCIPCLAIMS, name, {"metadata": {"finalizers": None}}, "default")
    fixed.delete_claim(name)


@pytest.fixture
def orphaned(bare):
    """A reservation and a line whose claim was taken away by force, before another controller comes."""
    first = bare.world.start_controller()
    bare.add_node("node-1")
    bare.create_pod("web-0")
    bare.wait_address("web-0")
    bare.world.stop_controller(first)
    bare.world.remove_pod("web-0")
    take_away(bare, "web-0")
    return bare


@pytest.mark.parametrize("mode", [SweepMode.REPORT, SweepMode.RELEASE])
def test_a_reservation_without_claim_is_told_and_released_only_if_that_is_wanted(orphaned, mode):
    orphaned.world.start_controller(sweep=SweepTerms(mode=mode, interval=0.1, age=0.3))

    (event,) = orphaned.world.wait(lambda: orphaned.world.events("OrphanedReservation"))

    assert "has no VpcIPClaim; unused" in event["message"]
    if mode is SweepMode.RELEASE:
        orphaned.world.wait(reservation_gone(orphaned))
        orphaned.world.wait(lambda: orphaned.world.events("ReleasedOrphanedReservation"))
    else:
        assert len(orphaned.reservations()) == 1
    orphaned.world.wait(lambda: orphaned.lines() == {})


def test_a_young_one_is_left_alone(orphaned):
    orphaned.world.start_controller(sweep=SweepTerms(mode=SweepMode.RELEASE, interval=0.1, age=3600.0))
    orphaned.create_pod("web-1")
    orphaned.wait_address("web-1")

    assert len(orphaned.reservations()) == 2
    assert orphaned.world.events("OrphanedReservation") == []


def test_a_line_that_a_person_deletes_too_is_not_waited_for(orphaned):
    (line,) = orphaned.lines().values()
    orphaned.world.client.delete(VPCIPS, line.ip)

    orphaned.world.start_controller(sweep=SweepTerms(interval=0.1, age=3600.0))

    orphaned.world.wait(lambda: orphaned.lines() == {})


def test_a_reservation_that_a_person_deletes_is_made_again(bare):
    bare.world.start_controller(sweep=SweepTerms(interval=0.2))
    bare.add_node("node-1")
    bare.create_pod("web-0")
    before = bare.wait_address("web-0").address
    bare.cloud.release_reservation("vpc-demo0001", before.reservation_id)

    bare.world.wait(lambda: bare.reservations() and before.reservation_id not in bare.reservations())
    bare.world.wait(lambda: bare.claim("web-0").address.reservation_id in bare.reservations())

    assert bare.claim("web-0").address.ip == before.ip
    assert bare.condition("web-0", "Reserved")["status"] == "True"
