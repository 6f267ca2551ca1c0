"""The controller's process is killed in the middle of each step; the next one finishes without a second EIP.

Real processes with their flags. A step is caught by holding its request: the simulated server carries it out,
or not, and does not answer; then the process dies by SIGKILL.
"""

import pytest

from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.kube import Fault, FaultKind


def held_by_cluster(verb, resource):
    def hold(world):
        number = world.kube.inject(
            Fault(kind=FaultKind.HANG, verb=verb, resource=resource, user_agent="tke-eni-ipamd")
        )
        return lambda: world.kube.faults.hits(FaultKind.HANG) > 0, lambda: world.kube.heal(number)

    return hold


def held_by_cloud(kind, action):
    def hold(world):
        number = world.region.faults.add(CloudFault(kind=kind, action=action, seconds=20.0, count=None))
        return world.region.faults.injected, lambda: world.region.faults.remove(number)

    return hold


BIRTH = {
    "creating the claim": held_by_cluster("create", "eipclaims"),
    "writing the claim's status": held_by_cluster("patch", "eipclaims/status"),
    "before the order": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "AllocateAddresses"),
    "after the order": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "AllocateAddresses"),
    "looking for the EIP": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DescribeAddresses"),
}
DEATH = {
    "looking at the Pod": held_by_cluster("get", "pods"),
    "deleting the claim": held_by_cluster("delete", "eipclaims"),
    "looking at the EIP": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "DescribeAddresses"),
    "before the release": held_by_cloud(CloudFaultKind.TIMEOUT_BEFORE, "ReleaseAddresses"),
    "after the release": held_by_cloud(CloudFaultKind.TIMEOUT_AFTER, "ReleaseAddresses"),
    "dropping the finalizer": held_by_cluster("patch", "eipclaims"),
}


def die_while(world, start, hold):
    """Run a controller until its request is held, and kill it."""
    held, let_go = hold(world)
    process = start()
    world.wait(held)
    process.kill()
    let_go()


@pytest.mark.parametrize("step", BIRTH)
def test_killed_while_the_pod_gets_its_eip(world, start, step):
    world.create_pod("web-0")
    die_while(world, start, BIRTH[step])

    start()

    world.wait(lambda: (c := world.claim("web-0")) and c.address)
    assert world.orders() == 1
    assert set(world.eips()) == {world.claim("web-0").address.eip_id}


@pytest.mark.parametrize("step", DEATH)
def test_killed_while_the_eip_is_released(world, start, step):
    world.create_pod("web-0")
    before = start()
    world.wait(lambda: (c := world.claim("web-0")) and c.address)
    assert before.end() == 0
    world.age_claim("web-0")
    world.remove_pod("web-0")
    die_while(world, start, DEATH[step])

    start()

    world.wait(lambda: not world.claim("web-0"))
    assert world.eips() == {}


def test_killed_after_the_order_and_the_pod_is_gone_when_the_next_comes(world, start):
    world.create_pod("web-0")
    die_while(world, start, BIRTH["after the order"])
    world.wait(world.eips)
    world.remove_pod("web-0")

    start()

    world.wait(lambda: not world.claim("web-0"))
    assert world.eips() == {}


def test_it_ends_with_code_1_when_it_loses_the_lease_and_names_it(world, start, tmp_path):
    process = start()
    world.create_pod("web-0")
    world.wait(lambda: world.claim("web-0"))

    world.kube.inject(Fault(kind=FaultKind.HANG, user_agent="tke-eni-ipamd"))

    assert process.wait(40) == 1
    assert "kube-system/tke-eni-ipamd" in (tmp_path / "controller.log").read_text()
