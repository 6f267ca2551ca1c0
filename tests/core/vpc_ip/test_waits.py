"""What the Pod of a VpcIPClaim waits for, as it is told."""

from dataclasses import replace

import pytest

from ipamd.core.claim.eipclaim import ClaimPod
from ipamd.core.vpc_ip import status, waits
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.waits import AddressWait
from tests.testkit.vpc_ips import ADDRESS, BINDING, fixed_claim, pod_with_fixed_ip

NOW = 1_800_000_000.0
SERVED = ClaimPod(uid="u1", node="node-a")
KEPT = fixed_claim(address=ADDRESS, pod=ClaimPod(uid="u1", node="node-a", last_seen=NOW))


def test_one_that_is_refused_says_why():
    patch = status.not_provisioned(fixed_claim(), VpcIpReason.SUBNET_FULL, "no address is left", NOW)
    assert patch is not None
    claim = fixed_claim(pod=SERVED, conditions=tuple(patch["status"]["conditions"]))

    assert waits.wait_of(claim, None) == AddressWait(reason="SubnetFull", message="no address is left")


def test_one_of_which_nothing_is_told_yet_is_new():
    assert waits.wait_of(fixed_claim(pod=SERVED), None) == AddressWait(reason="New", message="")


def test_one_whose_pod_has_its_address_waits_for_nothing():
    conditions = status.assigned(fixed_claim(address=ADDRESS), BINDING, NOW)["status"]["conditions"]
    claim = fixed_claim(address=ADDRESS, binding=BINDING, pod=SERVED, conditions=tuple(conditions))

    assert waits.wait_of(claim, pod_with_fixed_ip("tke-route-eni")) is None


def test_a_kept_one_waits_for_nothing_until_a_pod_of_the_other_network_comes():
    assert waits.wait_of(KEPT, None) is None
    assert waits.wait_of(KEPT, pod_with_fixed_ip("tke-route-eni", uid="u2")) is None

    wait = waits.wait_of(KEPT, pod_with_fixed_ip("tke-direct-eni", uid="u2"))

    assert wait is not None
    assert wait.reason == "NetworkDiffers"
    assert wait.message.startswith("the Pod asks for tke-direct-eni")


@pytest.mark.parametrize("end", [{"phase": "Failed"}, {"deleting": True}], ids=["failed", "deleting"])
def test_a_pod_that_ends_asks_for_nothing(end):
    pod = replace(pod_with_fixed_ip("tke-direct-eni", uid="u2"), **end)

    assert waits.wait_of(KEPT, pod) is None


def test_a_deleted_one_waits_until_its_address_is_given_back_whatever_its_pod_asks_for():
    deleted = fixed_claim(address=ADDRESS, deleting=True)

    for pod in (None, pod_with_fixed_ip("tke-direct-eni")):
        wait = waits.wait_of(deleted, pod)
        assert wait is not None
        assert wait.reason == "Releasing"
