"""EIPs without claim, claims without EIP, and the switch that stops every release."""

import time

import pytest

from ipamd.controller.sweep.sweep import AT_ONCE
from ipamd.core import tags
from ipamd.core.claim.release import UNSHOWN
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.model import EipOrder
from ipamd.kube.resources import CONFIGMAPS
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.cloud import InstanceOrder
from simulator.kube import Fault, FaultKind
from tests.controller.world import CLUSTER

AGE = 1.5
"""Seconds; creation times of the cloud are whole ones."""


def terms(mode: SweepMode = SweepMode.RELEASE) -> SweepTerms:
    return SweepTerms(mode=mode, interval=0.1, age=AGE)


@pytest.fixture
def controller(world):
    return world.start_controller(sweep=terms())


@pytest.fixture
def port(world):
    world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    (eni,) = world.region.snapshot()["enis"].values()
    return eni["eni_id"], next(iter(eni["addresses"]))


def orphan(world, controller, *, uid="a-claim-of-yesterday", cluster=CLUSTER, name="lost"):
    """An EIP whose claim is gone before it was released: somebody took the finalizer off."""
    marks = tags.of_claim(cluster, uid) if uid else tags.of_cluster(cluster)
    eip_id = controller.cloud.allocate_eip(EipOrder(), marks, f"token-{name}").eip_id
    world.wait_eip(eip_id, "UNBIND")
    return eip_id


def wait_passes(world, controller, more=3):
    """Wait until so many passes have begun and ended from now on."""
    target = controller.leader.sweep.counts.passes + more + 1
    world.wait(lambda: controller.leader.sweep.counts.passes >= target)


def wait_for_age(world):
    """Until an EIP that a pass has just seen for the first time is of age."""
    old = time.monotonic() + AGE + 1  # creation times are whole seconds
    world.wait(lambda: time.monotonic() > old)


def switch(world, value):
    world.client.create(
        CONFIGMAPS,
        {"metadata": {"name": "tke-eni-settings", "namespace": "kube-system"}, "data": {"RELEASES": value}},
    )


def turn(world, value):
    world.client.patch(CONFIGMAPS, "tke-eni-settings", {"data": {"RELEASES": value}}, "kube-system")


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


# -- the switch


def test_the_switch_holds_claims_and_orphans_and_lets_them_go_on(world, controller):
    switch(world, "stopped")
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    orphan(world, controller)

    world.remove_pod("web-0")

    (event,) = world.wait(lambda: world.events("ReleasesStopped"))
    assert "RELEASES in ConfigMap kube-system/tke-eni-settings is 'stopped'" in event["message"]
    world.wait(lambda: controller.leader.sweep.counts.orphans == {"unused": 1})
    wait_passes(world, controller)
    assert len(world.eips()) == 2
    assert world.claim("web-0").held

    turn(world, "allowed")
    world.wait(lambda: not world.eips(), seconds=45)
    world.wait_gone("web-0")


def test_it_is_looked_for_beside_the_controller_wherever_its_lease_is(world):
    switch(world, "stopped")
    world.start_controller(lease_namespace="default")
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.remove_pod("web-0")

    (event,) = world.wait(lambda: world.events("ReleasesStopped"))
    assert "kube-system/tke-eni-settings" in event["message"]
    assert len(world.eips()) == 1


def test_a_value_that_is_not_known_stops_too(world, controller):
    switch(world, "of course")
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    (event,) = world.wait(lambda: world.events("ReleasesStopped"))
    assert "'of course'" in event["message"]
    assert len(world.eips()) == 1


def test_a_switch_that_cannot_be_read_is_no_permission(world):
    controller = world.start_controller(sweep=SweepTerms(interval=3600.0))  # its pass asks once
    world.kube.inject(
        Fault(kind=FaultKind.STATUS, verb="get", resource="configmaps", code=500, user_agent=controller.name)
    )
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    world.wait(lambda: world.kube.traffic.count(verb="get", resource="configmaps") >= 3)
    assert len(world.eips()) == 1
    assert world.claim("web-0").held


def test_the_flag_stops_releases_without_asking_anybody(world):
    world.start_controller(stop_releases=True)
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    world.remove_pod("web-0")
    (event,) = world.wait(lambda: world.events("ReleasesStopped"))
    assert "--stop-releases" in event["message"]
    assert world.kube.traffic.count(verb="get", resource="configmaps") == 0
    assert len(world.eips()) == 1


# -- claims without EIP


def test_a_claim_whose_eip_was_released_in_the_console_gets_another(world, controller):
    world.create_pod("web-0")
    first = world.wait_provisioned("web-0")

    controller.cloud.release_eip(first.address.eip_id)
    claim = world.wait(lambda: (c := world.claim("web-0")) and c.address and c.address != first.address and c)

    assert claim.uid == first.uid
    assert claim.allocation.attempt == 2
    assert set(world.eips()) == {claim.address.eip_id}
    messages = {e["involvedObject"]["kind"]: e["message"] for e in world.events("EIPLost")}
    assert set(messages) == {"EIPClaim", "Pod"}
    assert first.address.eip_id in messages["Pod"]


def test_also_while_its_binding_is_recorded(world, controller, port):
    eni_id, ip = port
    world.create_pod("web-0")
    first = world.wait_provisioned("web-0")
    world.bind("web-0", eni_id=eni_id, ip=ip)

    controller.cloud.disassociate_eip(first.address.eip_id)
    world.wait_eip(first.address.eip_id, "UNBIND")
    controller.cloud.release_eip(first.address.eip_id)
    claim = world.wait(lambda: (c := world.claim("web-0")) and c.address and c.address != first.address and c)

    assert claim.binding.private_ip == ip


def test_a_claim_with_a_list_chooses_again_and_none_is_ordered(world):
    controller = world.start_controller(sweep=terms(SweepMode.REPORT))
    mine = [world.users_eip() for _ in range(2)]
    world.create_pod("web", {"eip-id-list": ",".join(mine)})
    first = world.wait_provisioned("web").address
    (other,) = set(mine) - {first.eip_id}

    controller.cloud.release_eip(first.eip_id)
    claim = world.wait(lambda: (c := world.claim("web")) and c.address and c.address != first and c)
    assert (claim.address.eip_id, claim.address.owned) == (other, False)

    controller.cloud.release_eip(other)
    condition = world.wait(lambda: (c := world.condition("web")).get("reason") == "EIPNotFound" and c)
    assert condition["status"] == "False"
    assert world.claim_object("web")["status"]["phase"] == "Failed"
    assert controller.leader.sweep.counts.claims_without_eip == 2
    assert world.orders() == 2  # the user's own


def test_one_listing_without_the_eip_is_not_believed(world):
    controller = world.start_controller(sweep=SweepTerms(interval=3600.0))
    world.create_pod("web-0")
    first = world.wait_provisioned("web-0")
    sweep = controller.leader.sweep
    stale = world.region.faults.add(
        CloudFault(kind=CloudFaultKind.STALE_READ, action="DescribeAddresses", seconds=60.0, count=None)
    )
    controller.cloud.release_eip(first.address.eip_id)
    world.region.faults.remove(stale)
    world.wait(lambda: not world.eips())

    sweep.make_pass()
    assert world.claim("web-0").address == first.address
    sweep.make_pass()
    world.wait(lambda: world.claim("web-0").address != first.address)


@pytest.fixture
def hidden(world):
    """Hides all EIPs, as a wrong region does, another account's key, or a policy that filters lists.

    What it returns shows them again, as the end of the test does.
    """
    put_away = {}

    def hide(_world):
        put_away.update(_world.addresses)
        _world.addresses.clear()

    def show(_world):
        _world.addresses.update(put_away)
        put_away.clear()

    def do_hide():
        world.region.read(hide)
        return lambda: world.region.read(show)

    yield do_hide
    world.region.read(show)


def test_when_all_eips_are_hidden_no_other_is_ordered_and_no_deleted_claim_goes(world, hidden):
    controller = world.start_controller(sweep=terms(SweepMode.REPORT))
    names = [f"web-{n}" for n in range(5)]
    for name in names:
        world.create_pod(name)
        world.wait_provisioned(name)
        world.age_claim(name)
    orders = world.orders()

    hidden()
    world.wait(lambda: controller.leader.sweep.counts.blind)
    world.remove_pod("web-0")
    wait_passes(world, controller, more=20)
    believed = time.monotonic() + UNSHOWN + 1
    world.wait(lambda: time.monotonic() > believed)

    assert world.orders() == orders
    assert all(world.claim(name).address for name in names)
    assert world.claim("web-0").deleting
    assert "--region" in world.events("EIPsNotShown")[0]["message"]
    waiting = world.wait(lambda: [e for e in world.events("EIPsNotShown") if _is_about_claim(e, "web-0")])
    assert "finalizer" in waiting[0]["message"]


def _is_about_claim(event, name):
    return (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("EIPClaim", name)


def test_when_all_claims_are_deleted_while_their_eips_are_hidden_none_goes(world, hidden):
    controller = world.start_controller(sweep=terms(SweepMode.REPORT))
    names = [f"web-{n}" for n in range(5)]
    for name in names:
        world.create_pod(name)
        world.wait_provisioned(name)
        world.age_claim(name)

    hidden()
    world.wait(lambda: controller.leader.sweep.counts.blind)
    for name in names:
        world.remove_pod(name)
    world.wait(lambda: all(world.claim(name).deleting for name in names))
    wait_passes(world, controller, more=20)
    believed = time.monotonic() + UNSHOWN + 1
    world.wait(lambda: time.monotonic() > believed)

    assert controller.leader.sweep.counts.blind
    assert all(world.claim(name) for name in names)


def test_a_deleted_claim_whose_eip_is_not_shown_is_kept_for_more_than_one_look(world):
    world.start_controller(sweep=terms(SweepMode.REPORT))
    claim = world.create_pod("web-0") and world.wait_provisioned("web-0")
    world.age_claim("web-0")
    stale = CloudFault(kind=CloudFaultKind.STALE_READ, action="DescribeAddresses", seconds=3600.0, count=2)

    world.region.faults.add(stale)
    world.remove_pod("web-0")

    world.wait_gone("web-0")
    assert claim.address.eip_id not in world.eips()


def test_the_pass_that_sees_the_eips_again_wakes_who_waited_for_it(world, hidden):
    controller = world.start_controller(sweep=terms(SweepMode.REPORT))
    for name in ("web-0", "web-1", "web-2", "web-3", "web-4"):
        world.create_pod(name)
        world.wait_provisioned(name)
        world.age_claim(name)
    show = hidden()
    world.wait(lambda: controller.leader.sweep.counts.blind)
    world.remove_pod("web-0")
    world.wait(lambda: [e for e in world.events("EIPsNotShown") if _is_about_claim(e, "web-0")])

    show()

    world.wait_gone("web-0")  # long before the claim would look again by itself
    assert len(world.eips()) == 4


def test_what_is_not_shown_counts_as_gone_only_while_passes_succeed(world):
    sweep = world.new_controller(sweep=SweepTerms(interval=60.0)).leader.sweep
    assert "could not be compared" in sweep.doubt()

    sweep.make_pass()
    assert not sweep.doubt()

    world.elapsed += 120.0
    assert not sweep.doubt()
    world.elapsed += 120.0
    assert "could not be compared" in sweep.doubt()
