"""The controller's status page, as a browser gets it."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

from ipamd.controller import status_page
from ipamd.controller.account.clock import Agreement
from ipamd.controller.sweep.sweep import SweepCounts
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.claim.reason import Reason
from ipamd.core.model import EipQuota
from ipamd.page import layout
from tests.controller.vpc_ips.fixed_world import FixedWorld
from tests.page.test_markup import Reader
from tests.testkit import claims, vpc_ips


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


def leader(*claims, fixed=(), pod=None, **known):
    """A replica that leads, as far as its page looks at it."""
    parts = {
        "leading": True,
        "queue": range(3),
        "quotas": (),
        "fixed_ips": lambda: list(fixed),
        "clock": SimpleNamespace(state=Agreement.AGREED),
        "sweep": SimpleNamespace(counts=SweepCounts(), doubt=str),
    }
    known_claims = SimpleNamespace(claims=lambda: list(claims), pod=lambda _: pod)
    return SimpleNamespace(leader=SimpleNamespace(**{**parts, "cluster": known_claims, **known}))


def test_nothing_at_all_is_said_in_words_and_noughts():
    page = shown(leader())

    assert "replica ctl-1 leads" in page
    assert "3 Pods and claims are to be looked at" in page
    assert "What is held back nothing" in page
    assert "EIPClaims none no Pod waits for its EIP" in page
    assert "Fixed addresses" not in page
    assert "they could not be read yet" in page
    assert (
        "passes 0 passes that ended early 0 EIPs without claim none of them released 0 "
        "claims whose EIP was gone 0 EIPs that the cloud has locked none"
    ) in page


def test_all_that_is_held_back_is_told_with_its_reason():
    counts = SweepCounts(
        passes=7,
        failures=2,
        orphans={"unused": 3, "bound": 0},
        released=4,
        claims_without_eip=5,
        locked={"EIPBlocked": 6, "EIPInArrears": 0},
        stopped_by="RELEASES is off",
    )
    sweep = SimpleNamespace(counts=counts, doubt=lambda: "half of all EIPs are not shown")

    page = shown(leader(sweep=sweep, clock=SimpleNamespace(state=Agreement.APART)))

    assert "releases of EIPs are stopped: RELEASES is off" in page
    assert "no EIP is given up or ordered anew: half of all EIPs are not shown" in page
    assert "kept claims expire late: the clock is not believed (apart)" in page
    assert "nothing" not in page
    assert (
        "passes 7 passes that ended early 2 EIPs without claim 3 unused of them released 4 "
        "claims whose EIP was gone 5 EIPs that the cloud has locked 6 EIPBlocked"
    ) in page


def told(kind, status, reason, message):
    return {"type": kind, "status": status, "reason": reason, "message": message}


def test_claims_are_listed_by_name_with_what_they_wait_for_and_those_that_leave_elsewhere_after_them():
    waiting = told("Ready", "False", "NoMoney", "top up")
    bound = (
        told("Ready", "True", "Bound", ""),
        told("Bound", "True", "Bound", ""),
        told("EgressThroughEIP", "False", "NATGateway", "add a route"),
    )
    elsewhere = {"address": claims.OWN, "binding": claims.ON_A, "conditions": bound}
    page = shown(
        leader(
            claims.claim(name="web-2", conditions=(waiting,)),
            claims.claim(name="web-1", address=claims.GIVEN, pod=None),
            claims.claim(name="db-1", **elsewhere),
            claims.claim(name="db-0", **{**elsewhere, "pod": None}),
        )
    )

    rows = (
        "default/web-1 198.18.0.9 to bind: New "
        "default/web-2 node-a to order: NoMoney top up "
        "default/db-0 198.18.0.1 its Pod leaves with another address add a route "
        "default/db-1 node-a 198.18.0.1 its Pod leaves with another address add a route"
    )
    assert rows in page
    assert "1 Pending, 1 Provisioned, 2 Bound" in page


def test_fixed_addresses_are_listed_with_what_they_wait_for_and_those_that_the_vpc_does_not_keep_after_them():
    by_book = replace(vpc_ips.ADDRESS, ip="10.0.3.8", reservation_id="")
    waiting = told("Ready", "False", "SubnetFull", "no address is left")
    alone = (told("Ready", "True", "Assigned", ""), told("Reserved", "False", "NotOffered", "not here"))
    page = shown(
        leader(
            fixed=(
                vpc_ips.fixed_claim(name="web-2", conditions=(waiting,), pod=None),
                vpc_ips.fixed_claim(name="web-1", address=vpc_ips.ADDRESS),
                vpc_ips.fixed_claim(name="db-1", address=by_book, conditions=alone),
                vpc_ips.fixed_claim(name="db-0", address=by_book, conditions=alone, binding=vpc_ips.BINDING),
            )
        )
    )

    assert "1 reserved in the VPC, 2 kept by the cluster's book alone" in page
    rows = (
        "default/web-1 10.0.3.7 New "
        "default/web-2 SubnetFull no address is left "
        "default/db-0 node-a 10.0.3.8 the VPC does not keep it not here "
        "default/db-1 10.0.3.8 the VPC does not keep it not here"
    )
    assert rows in page


def test_a_pod_that_asks_for_the_other_network_is_shown_with_its_own_node():
    kept = vpc_ips.fixed_claim(
        address=vpc_ips.ADDRESS, pod=ClaimPod(uid="u1", node="node-a", last_seen=1_800_000_000.0)
    )
    asks = vpc_ips.pod_with_fixed_ip("tke-direct-eni", uid="u2", nodeName="node-b")

    assert "default/web-0 node-b 10.0.3.7 NetworkDiffers the Pod asks for" in shown(
        leader(fixed=(kept,), pod=asks)
    )


def test_a_quota_is_drawn_from_nothing_to_its_limit_and_nearly_used_from_four_fifths_on():
    quotas = (
        EipQuota(quota_id="TOTAL_EIP_QUOTA", used=30, limit=50),
        EipQuota(quota_id="DAILY_EIP_APPLY", used=0, limit=0),
    )
    subtitle, sections = status_page.content(leader(quotas=quotas).leader, "ctl-1")
    reader = Reader(layout.page("tke-eni-ipamd", subtitle, sections).body)

    drawn = [(name, value) for tag, name, value in reader.attributes if tag == "meter"]
    assert drawn == [
        *[("min", "0"), ("max", "50"), ("high", "40"), ("value", "30")],
        *[("min", "0"), ("max", "1"), ("high", "0"), ("value", "0")],
    ]
    assert "TOTAL_EIP_QUOTA 30 of 50" in " ".join(reader.text)
