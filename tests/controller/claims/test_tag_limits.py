"""An account that takes no more values of a tag, or no tags, gives EIPs nevertheless: known by name."""

import pytest

from ipamd.controller.claims.tag_limits import TagLimits
from ipamd.core import tags
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.eip.tagging import Tagging
from simulator.cloud import Fault, FaultKind
from simulator.cloud.config import Quotas
from tests.controller.replica import CLUSTER


@pytest.fixture
def settings():
    """Two claims may have an EIP with their tag; values stay when their EIPs are gone."""
    return {"quotas": Quotas(values_per_tag_key=2)}


@pytest.fixture
def untagged(world):
    """A claim whose EIP lacks the tag of its UID."""
    world.start_controller()
    for name in ("web-0", "web-1", "web-2"):
        world.create_pod(name)
        world.wait_provisioned(name)
    return world.claim("web-2")


def the_eip(world, claim):
    return world.eips()[claim.address.eip_id]


def refuse_all_tags(world):
    """What an account answers whose tags are used up altogether."""
    fault = Fault(
        kind=FaultKind.ERROR, action="AllocateAddresses", code="LimitExceeded.TagQuota", message="no", count=2
    )
    return world.region.faults.add(fault)


def test_an_order_that_is_refused_for_its_tag_is_given_without_it_and_told(world, untagged):
    eip = the_eip(world, untagged)

    assert eip["tags"] == tags.of_cluster(CLUSTER)
    assert eip["name"] == f"default-web-2-eipclaim-{untagged.uid}"
    assert len(world.eips()) == 3
    event = world.wait(lambda: world.events("EIPTagsRefused"))[0]
    assert "LimitExceeded.TagQuota" in event["message"]
    assert "delete values of tke-eipclaim-uid" in event["message"]


def test_the_next_order_asks_for_no_tag_that_was_just_refused(world, untagged):
    calls = world.region.audit.calls()["AllocateAddresses"]
    world.create_pod("web-3")

    world.wait_provisioned("web-3")

    assert world.region.audit.calls()["AllocateAddresses"] == calls + 1


def test_its_eip_is_released_with_its_claim_and_is_no_orphan(world, untagged):
    sweeper = world.start_controller(sweep=SweepTerms(mode=SweepMode.RELEASE, interval=3600.0))
    world.region.faults.add(Fault(kind=FaultKind.THROTTLE, action="ReleaseAddresses"))
    sweeper.leader.sweep.make_pass()
    assert not sweeper.leader.sweep.counts.orphans

    world.remove_pod("web-2")

    world.wait_gone("web-2")
    world.wait(lambda: untagged.address.eip_id not in world.eips())


def test_an_eip_without_its_tag_whose_answer_was_lost_is_found_by_its_name(world, untagged):
    controller = world.replicas[-1]
    world.region.faults.add(
        Fault(kind=FaultKind.TIMEOUT_AFTER, action="AllocateAddresses", seconds=0.1, count=None)
    )
    world.create_pod("web-3")
    world.wait(lambda: len(world.eips()) == 4)

    # The next leader believes in all tags, and its token stands for another order.
    world.stop_controller(controller)
    world.region.faults.clear()
    world.start_controller()

    world.wait_provisioned("web-3")
    assert len(world.eips()) == 4


def test_where_no_tags_are_taken_at_all_the_name_alone_tells_whose_an_eip_is(world):
    world.start_controller()
    refuse_all_tags(world)
    world.create_pod("web-0")

    claim = world.wait_provisioned("web-0")
    assert the_eip(world, claim)["tags"] == {}

    world.remove_pod("web-0")
    world.wait_gone("web-0")
    assert not world.eips()


def test_tags_of_one_pod_s_own_cost_no_other_pod_its_tags(world):
    refuse_all_tags(world)
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": '{"Tags":[{"Key":"team","Value":"web"}]}'})
    world.wait(lambda: world.events("FailedAllocateEIP"))
    assert world.claim_object("web-0")["status"]["conditions"][0]["reason"] == "TagsRefused"
    world.region.faults.clear()
    world.create_pod("web-1")
    world.wait_provisioned("web-1")
    assert tags.CLAIM_UID in the_eip(world, world.claim("web-1"))["tags"]
    assert world.events("EIPTagsRefused") == []


def test_a_name_and_tags_of_the_pod_s_own_are_at_its_eip_beside_ours(world):
    fields = '{"AddressName":"shop","Tags":[{"Key":"team","Value":"web"}]}'
    world.start_controller()
    world.create_pod("web-0", {"eip-attributes": fields})
    world.wait_provisioned("web-0")
    claim = world.claim("web-0")
    eip = the_eip(world, claim)
    assert eip["name"] == "shop"
    assert eip["tags"] == {**tags.of_claim(CLUSTER, claim.uid), "team": "web"}


def test_an_eip_that_is_known_by_its_name_only_has_none_of_the_pod_s(world, untagged):
    world.create_pod("web-3", {"eip-attributes": '{"AddressName":"shop"}'})
    world.wait_provisioned("web-3")
    claim = world.claim("web-3")
    assert the_eip(world, claim)["name"] == f"default-web-3-eipclaim-{claim.uid}"


def test_all_tags_are_tried_again_after_an_hour():
    now = [100.0]
    limits = TagLimits(lambda: now[0])
    seen = []

    assert limits.refused(Tagging.FULL)
    for later in (0.0, 3599.0, 60.0):
        now[0] += later
        seen.append(limits.tagging)

    assert seen == [Tagging.CLUSTER, Tagging.CLUSTER, Tagging.FULL]


def test_of_orders_that_were_refused_at_once_the_first_one_counts():
    limits = TagLimits(lambda: 100.0)
    seen = []

    for tagging in (Tagging.FULL, Tagging.FULL, Tagging.CLUSTER):
        assert limits.refused(tagging)
        seen.append(limits.tagging)

    assert seen == [Tagging.CLUSTER, Tagging.CLUSTER, Tagging.NONE]
    assert not limits.refused(Tagging.NONE), "there is nothing less to order with"
