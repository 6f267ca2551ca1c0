"""What a real controller's probes say while the metadata service or the API server is away, and after."""

import pytest

from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.cloud import InstanceOrder, loopback_socket
from simulator.kube import Fault, FaultKind
from simulator.metadata import FAULT_ACTION, MetadataServer

PATIENT_LEASE = {
    "leader_elect_lease_duration": "5s",
    "leader_elect_renew_deadline": "3s",
    "leader_elect_retry_period": "200ms",
}
OK = (200, "ok\n")


def wait_ready(world, process):
    world.wait(lambda: process.probe("/readyz") == OK)


@pytest.fixture
def metadata_url(world):
    instance = world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    with MetadataServer(world.region, [loopback_socket()], instance.instance_id) as server:
        yield f"http://{server.endpoint}"


@pytest.fixture
def silence(world):
    """The metadata service closes every connection without an answer; returns the fault's number."""
    return world.region.faults.add(
        CloudFault(kind=CloudFaultKind.TIMEOUT_BEFORE, action=FAULT_ACTION, seconds=0.0, count=None)
    )


def test_a_controller_that_waits_for_its_region_is_alive_and_not_ready_and_goes_on(
    world, start, metadata_url, silence, tmp_path
):
    process = start(region="", metadata_url=metadata_url)

    world.wait(lambda: process.probe("/livez") == OK)
    world.wait(lambda: sum(world.region.faults.injected().values()) >= 2)  # it has asked again
    assert process.probe("/livez") == OK
    status, said = process.probe("/readyz")
    assert status == 503
    assert "region" in said
    log = (tmp_path / "controller.log").read_text()
    assert "waiting for the region of this CVM" in log
    assert f"no answer from the metadata service {metadata_url}" in log
    assert "Traceback" not in log

    world.region.faults.remove(silence)
    wait_ready(world, process)
    world.create_pod("web-0")
    assert world.wait_provisioned("web-0").address is not None


def test_a_controller_that_waits_for_its_region_ends_when_it_is_told_to(world, start, metadata_url, silence):
    process = start(region="", metadata_url=metadata_url)
    world.wait(world.region.faults.injected)

    assert process.end() == 0


def test_without_the_api_server_the_leader_ends_who_stands_by_stays_and_who_starts_waits(world, start):
    leader = start(**PATIENT_LEASE)
    world.create_pod("web-0")
    world.wait(lambda: (claim := world.claim("web-0")) and claim.address)
    standby = start(**PATIENT_LEASE)
    wait_ready(world, standby)
    assert leader.probe("/readyz") == OK

    away = world.kube.inject(Fault(kind=FaultKind.REFUSE))
    assert leader.wait(40) == 1
    successor = start(**PATIENT_LEASE)  # as its kubelet does
    unread = (503, "the cluster has not been read yet\n")
    world.wait(lambda: successor.probe("/readyz") == unread)

    assert successor.probe("/livez") == OK
    assert (standby.probe("/livez"), standby.probe("/readyz")) == (OK, OK)

    world.kube.heal(away)
    wait_ready(world, successor)
    world.create_pod("web-1")
    world.wait(lambda: (claim := world.claim("web-1")) and claim.address)
    assert not standby.ended
    assert not successor.ended
