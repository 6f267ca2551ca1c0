"""For how long VpcIPClaims wait, as it is shown."""

from ipamd.controller.vpc_ips.address_waits import AddressWaits
from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress
from tests.runtime.manual_clock import ManualClock
from tests.testkit.vpc_ips import ADDRESS, BINDING, fixed_claim, pod_with_fixed_ip

NOW = 1_800_000_000.0
SERVED = ClaimPod(uid="u1", node="node-a")


def no_pod(_):
    return None


def waiting(uid, reason=VpcIpReason.SUBNET_FULL):
    patch = status.not_provisioned(fixed_claim(), reason, "no", NOW)
    assert patch
    return fixed_claim(uid=uid, pod=SERVED, conditions=tuple(patch["status"]["conditions"]))


def unreserved(reason, **changes):
    patch = status.not_reserved(fixed_claim(address=ADDRESS), reason, "no", NOW)
    assert patch
    by_book = FixedAddress(ip="10.0.3.7", subnet_id="subnet-aaaaaaaa")
    return fixed_claim(address=by_book, conditions=tuple(patch["status"]["conditions"]), **changes)


def shown(waits, *claims):
    found = {metric.name: metric.samples for metric in waits.metrics(claims)}
    return {name.removeprefix("tke_eni_vpc_ip_claims_"): samples for name, samples in found.items()}


def test_the_oldest_wait_counts_from_when_it_was_first_seen():
    clock = ManualClock()
    waits = AddressWaits(clock.now, no_pod)
    shown(waits, waiting("a"))
    clock.advance(60)

    found = shown(waits, waiting("a"), waiting("b"), waiting("c", VpcIpReason.NO_SUBNET))

    assert found["not_ready_seconds"] == {("SubnetFull",): 60, ("NoSubnet",): 0}


def test_one_that_was_served_meanwhile_or_has_another_pod_begins_anew():
    clock = ManualClock()
    waits = AddressWaits(clock.now, no_pod)
    shown(waits, waiting("a"), waiting("b"))
    shown(waits, waiting("b"))
    clock.advance(60)

    assert shown(waits, waiting("a"))["not_ready_seconds"] == {("SubnetFull",): 0}


def test_a_claim_that_no_pod_waits_for_does_not_wait_and_a_deleted_one_does():
    waits = AddressWaits(ManualClock().now, no_pod)
    assigned = status.assigned(fixed_claim(address=ADDRESS), BINDING, NOW)["status"]["conditions"]
    bound = fixed_claim(address=ADDRESS, binding=BINDING, pod=SERVED, conditions=tuple(assigned))
    kept = fixed_claim(address=ADDRESS, pod=ClaimPod(uid="u1", node="node-a", last_seen=NOW))

    assert shown(waits, bound, kept)["not_ready_seconds"] == {}
    assert shown(waits, fixed_claim(deleting=True))["not_ready_seconds"] == {("Releasing",): 0}
    assert shown(waits, fixed_claim(pod=SERVED))["not_ready_seconds"] == {("New",): 0}


def test_a_pod_of_the_other_network_counts_although_its_claim_is_served_by_nobody():
    clock = ManualClock()
    pods = {("default", "web-0"): pod_with_fixed_ip("tke-direct-eni", uid="u2")}
    waits = AddressWaits(clock.now, pods.get)
    kept = fixed_claim(address=ADDRESS, pod=ClaimPod(uid="u1", node="node-a", last_seen=NOW))
    shown(waits, kept)
    clock.advance(700)

    assert shown(waits, kept)["not_ready_seconds"] == {("NetworkDiffers",): 700}


def test_addresses_that_the_vpc_does_not_keep_count_by_why():
    waits = AddressWaits(ManualClock().now, no_pod)

    found = shown(
        waits,
        unreserved(VpcIpReason.QUOTA_EXCEEDED),
        unreserved(VpcIpReason.QUOTA_EXCEEDED),
        unreserved(VpcIpReason.NOT_SUPPORTED),
        unreserved(VpcIpReason.ENI_LOST),
        fixed_claim(address=ADDRESS),
        fixed_claim(),
    )

    assert found["not_reserved_by_reason"] == {
        ("QuotaExceeded",): 2,
        ("ReservationNotSupported",): 1,
        ("ENILost",): 1,
    }
