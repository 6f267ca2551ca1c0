"""EIPs without claim: reported, released when asked for, and left alone in doubt."""

import pytest

from ipamd.controller.sweep.sweep import AT_ONCE
from ipamd.core import tags
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.model import EipOrder
from ipamd.kube.resources import EIPPOOLS
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.kube import Fault, FaultKind
from tests.controller.replica import CLUSTER
from tests.controller.sweep.passes import AGE, orphan, terms, wait_for_age, wait_passes


def test_an_unbound_eip_without_claim_is_released_and_told_of(world, controller):
    world.create_pod("web-0")
    used = world.wait_provisioned("web-0").address.eip_id
    eip_id = orphan(world, controller)

    world.wait(lambda: eip_id not in world.eips())

    (event,) = world.wait(lambda: world.events("ReleasedOrphanedEIP"))
    (before,) = world.wait(lambda: world.events("OrphanedEIP"))
    assert before["message"].endswith("it is released")
    assert controller.leader.sweep.counts.failures == 0
    assert eip_id in event["message"]
    assert event["involvedObject"]["kind"] == "Lease"
    assert controller.leader.sweep.counts.released == 1
    assert set(world.eips()) == {used}


def test_by_default_it_is_reported_and_stays(world):
    controller = world.start_controller(sweep=terms(SweepTerms().mode))
    eip_id = orphan(world, controller)

    (event,) = world.wait(lambda: world.events("OrphanedEIP"))

    assert eip_id in event["message"]
    assert "--orphan-sweep=release" in event["message"]
    wait_passes(world, controller)
    assert eip_id in world.eips()
    assert controller.leader.sweep.counts.released == 0
    (event,) = world.events("OrphanedEIP")
    assert event["count"] == 1


def test_switched_off_nothing_is_looked_for(world):
    controller = world.start_controller(sweep=terms(SweepMode.OFF))
    eip_id = orphan(world, controller)
    world.wait(lambda: controller.leader.sweep.counts.passes > 10 * (AGE + 1))
    assert eip_id in world.eips()
    assert not controller.leader.sweep.counts.orphans
    assert not world.events("OrphanedEIP")


def test_a_bound_one_is_reported_with_its_place_and_never_touched(world, controller, port):
    eni_id, ip = port
    eip_id = orphan(world, controller)
    controller.cloud.associate_eip(eip_id, eni_id, ip)
    world.wait_eip(eip_id, "BIND")

    (event,) = world.wait(lambda: world.events("OrphanedEIP"))

    assert f" to {ip} on {eni_id}" in event["message"]
    assert event["message"].endswith("it is left alone; if nobody needs it, unbind and release it")
    wait_passes(world, controller)
    assert world.eips()[eip_id]["status"].value == "BIND"


@pytest.mark.parametrize("kind", ["other cluster", "no claim's", "a user's"])
def test_what_was_not_created_for_a_claim_of_this_cluster_is_never_released(world, controller, kind):
    if kind == "a user's":
        eip_id = world.users_eip()
    else:
        eip_id = orphan(
            world,
            controller,
            uid="" if kind == "no claim's" else "someone",
            cluster="cls-other" if kind == "other cluster" else CLUSTER,
        )
    bait = orphan(world, controller, name="bait")

    world.wait(lambda: bait not in world.eips())
    wait_passes(world, controller)

    assert eip_id in world.eips()
    assert any(eip_id in e["message"] for e in world.events("OrphanedEIP")) is (kind == "no claim's")


def test_what_tke_has_created_is_not_told_of_while_an_eippool_has_it(world, controller):
    pool = {"metadata": {"name": "kept"}, "spec": {"selector": {"names": ["kept"]}}}
    world.client.create(EIPPOOLS, pool)
    by_tke = tags.of_cluster(CLUSTER)
    pooled = controller.cloud.allocate_eip(EipOrder(name="kept"), by_tke, "token-kept").eip_id
    other = orphan(world, controller, uid="", name="other")

    world.wait(lambda: any(other in event["message"] for event in world.events("OrphanedEIP")))
    wait_for_age(world)
    wait_passes(world, controller)

    assert not any(pooled in event["message"] for event in world.events("OrphanedEIP"))


def test_a_cache_that_lacks_a_claim_does_not_cost_it_its_eip(world):
    world.start_controller()
    world.create_pod("web-0")
    eip_id = world.wait_provisioned("web-0").address.eip_id
    blind = world.new_controller(sweep=terms())  # it has begun to watch nothing
    sweep = blind.leader.sweep

    sweep.make_pass()
    assert sweep.counts.orphans == {"waiting": 1}
    # Come of age, it is compared with a live list; else the release would end with NotLeaderError.
    world.wait(lambda: sweep.make_pass() and not sweep.counts.orphans)

    assert eip_id in world.eips()


def test_no_more_than_a_few_go_in_one_pass(world):
    controller = world.start_controller(sweep=SweepTerms(mode=SweepMode.RELEASE, interval=3600.0, age=AGE))
    sweep = controller.leader.sweep
    for number in range(AT_ONCE + 2):
        orphan(world, controller, name=str(number))
    sweep.make_pass()
    wait_for_age(world)

    sweep.make_pass()
    assert sweep.counts.released == AT_ONCE
    sweep.make_pass()
    assert sweep.counts.released == AT_ONCE + 2


def test_while_the_claims_cannot_be_listed_nothing_is_released(world, controller):
    blind = world.kube.inject(
        Fault(kind=FaultKind.STATUS, verb="list", resource="eipclaims", code=500, user_agent=controller.name)
    )
    eip_id = orphan(world, controller)

    world.wait(lambda: controller.leader.sweep.counts.failures > 3)
    assert eip_id in world.eips()

    world.kube.heal(blind)
    world.wait(lambda: eip_id not in world.eips())


def test_a_stale_listing_does_not_release_what_has_been_bound_since(world, port):
    eni_id, ip = port
    controller = world.start_controller(sweep=SweepTerms(mode=SweepMode.RELEASE, interval=3600.0, age=AGE))
    sweep = controller.leader.sweep
    eip_id = orphan(world, controller)
    sweep.make_pass()
    wait_for_age(world)
    stale = CloudFault(kind=CloudFaultKind.STALE_READ, action="DescribeAddresses", seconds=60.0, count=1)
    world.region.faults.add(stale)
    controller.cloud.associate_eip(eip_id, eni_id, ip)
    world.wait_eip(eip_id, "BIND")

    sweep.make_pass()

    assert world.region.faults.injected()
    assert sweep.counts.orphans == {"unused": 1}  # as the list said
    assert sweep.counts.released == 0
    assert world.eips()[eip_id]["status"].value == "BIND"
