"""The controller's status page, as a browser gets it."""

from functools import partial

from ipamd.controller import status_page
from ipamd.core.claim.reason import Reason
from ipamd.page import layout
from tests.controller.vpc_ips.fixed_world import FixedWorld
from tests.page.test_markup import Reader


def shown(replica):
    subtitle, sections = status_page.content(replica.leader, "ctl-1")
    return " ".join(Reader(layout.page("tke-eni-ipamd", subtitle, sections).body).text)


def test_the_leader_shows_claims_that_wait_quotas_and_the_sweep(world):
    replica = world.start_controller()
    world.create_pod("web-0")
    world.create_pod("web-1")
    world.wait_provisioned("web-0")
    world.wait_provisioned("web-1")
    world.refuse_bind("web-0", Reason.PERMISSION_DENIED)

    page = partial(shown, replica)

    world.wait(lambda: "default/web-0" in page() and "to bind: PermissionDenied" in page())
    world.wait(lambda: "to bind: Waiting" in page())
    world.wait(lambda: "TOTAL_EIP_QUOTA" in page())
    world.wait(lambda: "EIPs without claim none" in page())
    assert "leads" in page()


def test_a_replica_that_stands_by_says_so_and_shows_the_claims(world):
    leader = world.start_controller()
    world.wait(lambda: leader.leader.leading)
    replica = world.start_controller()
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    page = partial(shown, replica)

    world.wait(lambda: "default/web-0" in page())
    assert "stands by" in page()
    assert "Quotas" not in page()


def test_releases_that_are_stopped_are_told_as_held_back(world):
    replica = world.start_controller(stop_releases=True)

    page = partial(shown, replica)

    world.wait(lambda: "releases of EIPs are stopped: the controller runs with --stop-releases" in page())


def test_fixed_addresses_are_shown_with_what_they_wait_for_and_whether_the_vpc_keeps_them(world):
    fixed = FixedWorld(world)
    replica = world.start_controller()
    page = partial(shown, replica)
    world.wait(lambda: "leads" in page())
    assert "Fixed addresses" not in page(), "there is none"

    fixed.add_node("node-1")
    fixed.create_pod("web-0")

    world.wait(lambda: "1 reserved in the VPC, 0 kept by the cluster's book alone" in page())
    world.wait(lambda: "default/web-0 node-1 10.0.1." in page())
    assert "the agent of the Pod's node assigns the address" in page()
