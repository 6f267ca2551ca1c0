"""Passes over reservations and the book: what no claim answers for is told, and released if wanted."""

import time

import pytest

from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS


def reservation_gone(fixed):
    return lambda: fixed.reservations() == {}


def take_away(fixed, name):
    """What a person does to a claim by force: it is deleted, its finalizer goes, and the claim with it."""
    fixed.delete_claim(name)
    fixed.world.client.patch(VPCIPCLAIMS, name, {"metadata": {"finalizers": None}}, "default")


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


def test_the_address_of_a_claim_taken_away_under_its_pod_is_nobody_elses_until_it_is_off_its_eni(bare):
    bare.world.start_controller(sweep=SweepTerms(mode=SweepMode.RELEASE, interval=0.1, age=0.0))
    bare.add_node("node-1")
    bare.create_pod("web-0")
    ip = bare.assign("web-0")
    before = bare.claim("web-0")

    take_away(bare, "web-0")

    again = bare.world.wait(lambda: (c := bare.claim("web-0")) and c.uid != before.uid and c.address and c)
    assert again.address.ip != ip
    bare.create_pod("greedy-0", nominated_vpc_ip=ip)
    refused = bare.world.wait(lambda: bare.condition("greedy-0", "Provisioned"))
    assert refused["reason"] == "AddressTaken"
    (told,) = bare.world.wait(lambda: bare.world.events("OrphanedReservation"))
    assert f"({ip}) has no VpcIPClaim; at an ENI" in told["message"]
    assert before.address.reservation_id in bare.reservations()
    assert bare.lines()[ip].claim_uid == before.uid

    bare.cloud.unassign_ips(bare.enis["node-1"], [ip], Deadline.after(20.0, time.monotonic))

    bare.world.wait(lambda: before.address.reservation_id not in bare.reservations())
    bare.world.wait(lambda: before.uid not in {line.claim_uid for line in bare.lines().values()})
