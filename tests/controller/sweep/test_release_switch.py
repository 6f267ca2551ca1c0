"""The switch that stops every release."""

from ipamd.core.eip.orphans import SweepTerms
from ipamd.kube.resources import CONFIGMAPS
from simulator.kube import Fault, FaultKind
from tests.controller.sweep.passes import orphan, wait_passes


def switch(world, value):
    world.client.create(
        CONFIGMAPS,
        {"metadata": {"name": "tke-eni-settings", "namespace": "kube-system"}, "data": {"RELEASES": value}},
    )


def turn(world, value):
    world.client.patch(CONFIGMAPS, "tke-eni-settings", {"data": {"RELEASES": value}}, "kube-system")


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
    world.wait(lambda: not world.eips())
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
