"""EIPs that the cloud has locked, as their users and operators see it."""

import pytest

from ipamd.core.claim import eipclaim
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from tests.controller.claims.test_eip_id_list import listing


@pytest.fixture
def controller(world):
    return world.start_controller(sweep=SweepTerms(mode=SweepMode.OFF, interval=0.1))


def said(world, name, kind):
    claim = world.claim(name)
    return dict(eipclaim.condition(claim.conditions, kind)) if claim else {}


@pytest.mark.parametrize(
    ("lock", "reason", "advice"),
    [({"arrears": True}, "EIPInArrears", "top up"), ({"blocked": True}, "EIPBlocked", "see the console")],
)
@pytest.mark.parametrize("whose", ["ours", "the user's"])
def test_a_locked_eip_shows_in_condition_event_and_count_until_it_is_unlocked(
    world, controller, whose, lock, reason, advice
):
    world.create_pod("web-0", None if whose == "ours" else listing(world.users_eip()))
    eip_id = world.wait_provisioned("web-0").address.eip_id
    world.region.set_eip_condition(eip_id, **lock)

    world.wait(lambda: said(world, "web-0", "Usable").get("status") == "False")
    assert said(world, "web-0", "Ready")["reason"] == reason
    assert world.claim_object("web-0")["status"]["phase"] == "Failed"
    world.wait(lambda: controller.leader.sweep.counts.locked == {reason: 1})
    events = world.wait(lambda: len(found := world.events(reason)) == 2 and found)
    assert {event["involvedObject"]["kind"] for event in events} == {"Pod", "EIPClaim"}
    for event in events:
        assert eip_id in event["message"]
        assert advice in event["message"]

    world.region.set_eip_condition(eip_id)

    world.wait(lambda: said(world, "web-0", "Usable").get("status") == "True")
    world.wait(lambda: controller.leader.sweep.counts.locked == {})
    assert world.claim_object("web-0")["status"]["phase"] == "Provisioned"


def test_a_claim_whose_eip_was_never_locked_says_nothing_of_it(world, controller):
    world.create_pod("web-0")
    world.wait_provisioned("web-0")
    before = controller.leader.sweep.counts.passes
    world.wait(lambda: controller.leader.sweep.counts.passes > before + 2)

    assert said(world, "web-0", "Usable") == {}
