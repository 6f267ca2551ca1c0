"""Many claims wait for quota: a release goes first, serves one of them, and costs the others nothing."""

from collections import Counter

import pytest

from ipamd.core import tags
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.model import EipOrder
from simulator.cloud import Latencies
from simulator.cloud.config import Quotas
from tests.controller.replica import CLUSTER

QUOTA, WAITING = 3, 60


@pytest.fixture
def settings():
    quotas = Quotas(total_eips=QUOTA, daily_eip_applications=1000, package_eips=1)
    return {"latencies": Latencies(scale=0.2), "quotas": quotas}


def writes(world):
    counts: Counter[str] = Counter()
    for request in world.kube.traffic.as_json()["requests"]:
        if request["verb"] in ("patch", "update") and "eipclaims" in request["resource"]:
            counts[request["resource"]] += request["count"]
    return sum(counts.values())


def with_address(world):
    return [n for n in range(WAITING) if (claim := world.claim(f"wait-{n}")) and claim.address]


def test_a_release_serves_one_and_writes_nothing_to_the_others(world):
    world.start_controller(workers=16)
    for number in range(QUOTA):
        world.create_pod(f"old-{number}")
        world.wait_provisioned(f"old-{number}")
    for number in range(WAITING):
        world.create_pod(f"wait-{number}")
    for number in range(WAITING):
        world.wait(lambda n=number: world.condition(f"wait-{n}").get("reason") == "QuotaExceeded")

    before = writes(world)
    world.remove_pod("old-0")
    world.wait_gone("old-0")
    world.wait(lambda: with_address(world))

    assert len(with_address(world)) == 1
    # The one claim's way and that of the claim that is gone.
    assert writes(world) - before <= 12
    assert world.orders() == QUOTA + 1


def test_an_orphan_that_is_gone_serves_one_who_waits(world):
    sweep = SweepTerms(mode=SweepMode.RELEASE, interval=0.1, age=1.5)
    controller = world.start_controller(sweep=sweep)
    for number in range(QUOTA):
        marks = tags.of_claim(CLUSTER, "a-claim-of-yesterday")
        controller.cloud.allocate_eip(EipOrder(), marks, f"token-{number}")
    world.create_pod("wait-0")
    world.wait(lambda: world.condition("wait-0").get("reason") == "QuotaExceeded")

    world.wait_provisioned("wait-0")


def test_every_waiting_user_is_told(world):
    world.start_controller(workers=16)
    for number in range(QUOTA + WAITING):
        world.create_pod(f"p-{number}")

    def told():
        return {e["involvedObject"]["name"] for e in world.events("FailedAllocateEIP")}

    refused = {f"p-{n}" for n in range(QUOTA + WAITING)}
    world.wait(lambda: len(told() & refused) == WAITING)
    kinds = Counter(e["involvedObject"]["kind"] for e in world.events("FailedAllocateEIP"))
    world.wait(
        lambda: (
            Counter(e["involvedObject"]["kind"] for e in world.events("FailedAllocateEIP"))
            == Counter(Pod=WAITING, EIPClaim=WAITING)
        )
    )
    assert kinds
    # Also in those that were refused by what was known, without an attempt.
    served = {world.claim_object(name)["status"].get("pod", {}).get("node") for name in refused}
    assert served == {"node-a"}


def test_a_full_package_stops_the_orders_that_name_it_and_no_other(world):
    """Which the cloud refuses with LimitExceeded.BandwidthPackageResourceQuota."""
    world.start_controller()
    for name in ("takes-it", "bad"):
        attributes = '{"InternetChargeType":"BANDWIDTH_PACKAGE","BandwidthPackageId":"bwp-demo0001"}'
        world.create_pod(name, {"eip-attributes": attributes})
        if name == "takes-it":
            world.wait_provisioned(name)
    world.wait(lambda: world.condition("bad").get("reason") == "BandwidthPackageFull")
    world.create_pod("good")

    world.wait_provisioned("good")
    assert "name another package" in world.condition("bad")["message"]
