"""A retained claim whose Pod does not come back is deleted in time, and its EIP with it if we created it."""

import time

import pytest

from ipamd.controller.account.clock import Agreement
from ipamd.core.claim.cluster_rules import ClusterRules
from ipamd.kube.resources import EIPCLAIMS
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.kube import Fault, FaultKind

HOUR = ClusterRules(expire_after=3600.0)


def left_alone(world, name="web-0", **annotations):
    world.create_pod(name, {"eip-attributes": "", **annotations}, never=True)
    world.wait_provisioned(name)
    world.remove_pod(name)
    world.wait(lambda: world.claim(name).pod.last_seen)
    world.age_claim(name)


def test_a_claim_of_a_pod_that_is_gone_for_too_long_goes_with_its_eip(world):
    world.start_controller(rules=HOUR)
    left_alone(world)

    world.miss_since("web-0", 3601)

    world.wait_gone("web-0")
    assert world.eips() == {}
    (event, *_) = world.wait(lambda: world.events("ExpiredClaim"))
    assert "kept for 1h" in event["message"]


def test_it_goes_when_it_is_due_and_not_before(world):
    world.start_controller(rules=HOUR)
    left_alone(world)

    world.miss_since("web-0", 3598)
    began = time.monotonic()

    world.wait_gone("web-0")
    assert 0.5 < time.monotonic() - began < 10


def test_without_the_flag_it_is_kept(world):
    world.start_controller()
    left_alone(world)
    world.miss_since("web-0", 10**8)
    left_alone(world, "api-0")

    assert world.claim("web-0")
    assert len(world.eips()) == 2


def test_the_annotation_counts_before_the_flag(world):
    world.start_controller(rules=HOUR)
    left_alone(world, **{"claim-expired-duration": "5m"})
    left_alone(world, "api-0", **{"claim-expired-duration": "48h"})
    assert world.claim_object("web-0")["spec"]["expireAfter"] == "5m"

    world.miss_since("api-0", 7200)
    world.miss_since("web-0", 301)

    world.wait_gone("web-0")
    assert not world.claim("api-0").deleting


def test_the_flag_of_the_next_controller_counts_for_claims_from_before(world):
    before = world.start_controller()
    left_alone(world)
    world.miss_since("web-0", 3601)
    world.stop_controller(before)

    after = world.start_controller(rules=HOUR)
    world.wait(lambda: after.cloud.time() is not None)
    world.miss_since("web-0", 3700)

    world.wait_gone("web-0")


def test_a_user_s_eip_is_only_let_go(world):
    world.start_controller(rules=HOUR)
    eip_id = world.users_eip()
    world.create_pod("web-0", {"eip-id-list": eip_id}, never=True)
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.wait(lambda: world.claim("web-0").pod.last_seen)

    world.miss_since("web-0", 3601)

    world.wait_gone("web-0")
    assert world.eips()[eip_id]["status"].value == "UNBIND"


def test_a_pod_that_is_back_keeps_its_claim(world):
    world.start_controller(rules=HOUR)
    left_alone(world)
    first = world.claim("web-0")

    pod = world.create_pod("web-0", never=True)
    world.wait(lambda: world.claim("web-0").pod.uid == pod["metadata"]["uid"])

    claim = world.claim("web-0")
    assert (claim.uid, claim.address) == (first.uid, first.address)
    assert claim.pod.last_seen is None


def test_a_pod_that_the_caches_do_not_show_yet_keeps_its_claim(world):
    controller = world.start_controller(rules=HOUR)
    left_alone(world)
    first = world.claim("web-0")
    blind = world.kube.inject(
        Fault(kind=FaultKind.FREEZE, verb="watch", resource="pods", user_agent=controller.name)
    )

    pod = world.create_pod("web-0", never=True)
    world.miss_since("web-0", 3601)
    world.wait(lambda: world.kube.traffic.count(verb="get", resource="pods", user_agent=controller.name) >= 2)
    assert not world.claim("web-0").deleting
    world.kube.heal(blind)

    world.wait(lambda: world.claim("web-0").pod.uid == pod["metadata"]["uid"])
    assert world.claim("web-0").uid == first.uid


def test_a_pod_that_is_served_meanwhile_makes_the_delete_void(world):
    controller = world.start_controller(rules=HOUR)
    left_alone(world)
    first = world.claim("web-0")
    slow = world.kube.inject(
        Fault(
            kind=FaultKind.STATUS, verb="delete", resource="eipclaims", code=500, user_agent=controller.name
        )
    )
    world.miss_since("web-0", 3601)
    world.wait(lambda: world.kube.faults.hits(FaultKind.STATUS) > 0)

    pod = world.create_pod("web-0", never=True)
    world.kube.heal(slow)

    world.wait(lambda: world.claim("web-0").pod.uid == pod["metadata"]["uid"])
    assert world.claim("web-0").uid == first.uid


@pytest.mark.parametrize("spec", [{"expireAfter": "1m"}, {"expireAfter": "soon"}])
def test_a_claim_whose_expiry_a_person_spoiled_is_kept(world, spec):
    world.start_controller(rules=HOUR)
    left_alone(world)

    world.client.patch(EIPCLAIMS, "web-0", {"spec": spec}, "default")
    world.miss_since("web-0", 10**6)
    left_alone(world, "api-0")

    assert not world.claim("web-0").deleting
    assert "spec.expireAfter" in world.claim("web-0").problem


DAYS = 2 * 86400


def clock_ahead():
    return time.time() + DAYS


def test_a_leader_whose_clock_is_days_ahead_deletes_nothing_and_says_so(world):
    before = world.start_controller(rules=HOUR)
    left_alone(world)
    world.stop_controller(before)

    controller = world.start_controller(rules=HOUR, clock=clock_ahead)
    world.wait(lambda: controller.cloud.time() is not None)
    world.miss_since("web-0", 1800)

    (event,) = world.wait(lambda: world.events("ClockDoubted"))
    assert "ahead of the cloud's" in event["message"]
    assert event["involvedObject"]["kind"] == "Lease"
    looks = controller.leader.sweep.counts.passes
    controller.leader.sweep.make_pass()
    assert controller.leader.sweep.counts.passes > looks
    assert not world.claim("web-0").deleting
    assert len(world.eips()) == 1


def test_nor_does_it_date_the_end_of_a_pod(world):
    controller = world.start_controller(rules=HOUR, clock=clock_ahead)
    world.create_pod("web-0", {"eip-attributes": ""}, never=True)
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")

    world.wait(lambda: world.events("ClockDoubted"))
    assert world.claim("web-0").pod.last_seen is None
    world.stop_controller(controller)

    world.start_controller(rules=HOUR)

    world.wait(lambda: world.claim("web-0").pod.last_seen)
    assert abs(world.claim("web-0").pod.last_seen - time.time()) < 60


def test_a_leader_that_has_just_begun_looks_for_the_pod_itself_before_old_dates_count(world):
    before = world.start_controller(rules=HOUR)
    left_alone(world)
    world.stop_controller(before)
    world.miss_since("web-0", DAYS)

    after = world.start_controller(rules=HOUR)
    world.wait(lambda: after.leader.sweep.counts.passes > 0)
    world.wait(lambda: len(after.leader.queue) > 0)  # it waits for its time
    assert not world.claim("web-0").deleting

    world.miss_since("web-0", DAYS + 60)
    world.wait_gone("web-0")


def test_without_a_date_of_the_cloud_a_claim_expires_by_what_the_leader_counted_and_that_is_told(world):
    before = world.start_controller(rules=HOUR)
    left_alone(world)
    world.stop_controller(before)
    world.region.faults.add(CloudFault(kind=CloudFaultKind.NO_DATE, count=None))

    after = world.start_controller(rules=HOUR)
    world.miss_since("web-0", DAYS)
    world.wait(lambda: after.leader.clock.state is Agreement.UNKNOWN)
    world.elapsed += 600
    world.create_pod("api-0", {"eip-attributes": ""}, never=True)
    world.wait_provisioned("api-0")
    world.remove_pod("api-0")  # has a kept claim looked at

    (event,) = world.wait(lambda: world.events("CloudTimeUnknown"))
    assert event["involvedObject"]["kind"] == "Lease"
    assert "HTTP header Date" in event["message"]
    assert not world.claim("web-0").deleting

    world.miss_since("web-0", 3601)
    world.wait_gone("web-0")
