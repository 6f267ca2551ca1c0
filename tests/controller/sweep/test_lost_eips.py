"""Claims whose EIP is gone from the cloud, or only hidden from us."""

import time

import pytest

from ipamd.core.claim.release import UNSHOWN
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from tests.controller.sweep.passes import terms, wait_passes


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
