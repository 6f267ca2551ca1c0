"""What people do by hand to claims and reservations, and to the Pods of kept addresses."""

import time

import pytest

from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS
from tests.controller.vpc_ips.fixed_world import NEVER, SUBNET, VPC


@pytest.mark.parametrize("offered", [True, False])
def test_what_a_person_wipes_from_the_status_is_found_again(fixed, offered):
    fixed.world.region.set_reservation_rules(offered=offered)
    fixed.create_pod("web-0")
    ip = fixed.assign("web-0")
    before = fixed.claim("web-0").address
    fields = fixed.world.client.get(VPCIPCLAIMS, "web-0", "default")["status"]

    wiped = {"status": dict.fromkeys(fields)}
    fixed.world.client.patch(VPCIPCLAIMS, "web-0", wiped, "default", subresource="status")

    assert fixed.wait_address("web-0").address == before
    assert set(fixed.lines()) == {ip}


def test_a_label_that_was_taken_off_a_line_comes_back_and_the_line_goes_with_its_claim(fixed):
    fixed.create_pod("web-0")
    ip = fixed.assign("web-0")
    claim = fixed.claim("web-0")

    fixed.world.client.patch(VPCIPS, ip, {"metadata": {"labels": None}})
    fixed.world.wait(lambda: (fixed.lines()[ip].label, fixed.lines()[ip].node) == (claim.uid, "node-1"))

    fixed.world.remove_pod("web-0")
    fixed.unassign("web-0")
    fixed.delete_claim("web-0")
    fixed.wait_gone("web-0")
    assert fixed.lines() == {}


def test_a_reservation_whose_tags_were_taken_off_stays_its_claims(bare):
    """The other one, which was deleted, shows that the passes have been made."""
    bare.world.start_controller(sweep=SweepTerms(mode=SweepMode.RELEASE, interval=0.2, age=0.0))
    bare.add_node("node-1")
    bare.create_pod("web-0")
    bare.create_pod("web-1")
    untagged, deleted = (bare.wait_address(name).address for name in ("web-0", "web-1"))

    bare.world.region.set_reservation_tags(untagged.reservation_id, {})
    bare.cloud.release_reservation(VPC, deleted.reservation_id)
    bare.world.wait(lambda: bare.claim("web-1").address.reservation_id not in ("", deleted.reservation_id))

    assert bare.claim("web-0").address == untagged
    bare.world.remove_pod("web-0")
    bare.delete_claim("web-0")
    bare.wait_gone("web-0")
    assert bare.cloud.describe_reservations(ips=[untagged.ip], vpc_id=VPC) == []


def test_an_order_with_a_date_that_is_still_to_come_holds_a_deleted_claim_no_longer_than_one_of_now(fixed):
    by_hand = {"metadata": {"name": "web-0", "namespace": "default"}, "spec": {"deletePolicy": "Never"}}
    fixed.world.client.create(VPCIPCLAIMS, by_hand)
    fixed.world.wait(lambda: fixed.claim("web-0").held)
    order = {"attempt": 1, "subnetID": SUBNET, "startedAt": "2099-01-01T00:00:00Z"}
    ahead = {"status": {"allocation": order}}
    fixed.world.client.patch(VPCIPCLAIMS, "web-0", ahead, "default", subresource="status")

    fixed.delete_claim("web-0")

    fixed.world.wait(lambda: fixed.claim("web-0").allocation.started < time.time() + 5.0)


def test_the_next_pod_with_an_eni_of_its_own_is_told_and_the_address_is_kept_for_the_one_after_it(fixed):
    before = fixed.create_pod("web-0")
    ip = fixed.assign("web-0")
    fixed.world.remove_pod("web-0")
    fixed.unassign("web-0")

    fixed.world.create_pod("web-0", {**NEVER, "networks": "tke-direct-eni"}, node="node-1")
    (event,) = fixed.world.wait(lambda: fixed.world.events("NetworkDiffers"))

    assert "asks for tke-direct-eni" in event["message"]
    assert fixed.claim("web-0").pod_uid == before["metadata"]["uid"]
    fixed.world.remove_pod("web-0")
    fixed.create_pod("web-0")
    fixed.world.wait(lambda: fixed.claim("web-0").pod_uid != before["metadata"]["uid"])
    assert fixed.assign("web-0") == ip
