"""Two replicas: one works; the other takes over, and who lost the Lease writes nothing more."""

from simulator.cloud import Fault as CloudFault
from simulator.cloud import FaultKind as CloudFaultKind
from simulator.kube import Fault, FaultKind


def test_only_the_leader_writes(world):
    first = world.start_controller()
    world.wait(lambda: first.election.leading)
    second = world.start_controller()

    for number in range(3):
        world.create_pod(f"web-{number}")
    for number in range(3):
        world.wait_provisioned(f"web-{number}")

    writes = [
        world.kube.traffic.count(verb=verb, resource=resource, user_agent=second.name)
        for verb in ("create", "patch", "delete")
        for resource in ("eipclaims", "eipclaims/status")
    ]
    assert writes == [0] * 6
    assert not second.election.leading


def test_the_second_takes_over_at_once_when_the_first_ends_in_order(world):
    first = world.start_controller()
    world.wait(lambda: first.election.leading)
    second = world.start_controller()
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.stop_controller(first)
    world.create_pod("web-1")
    world.remove_pod("web-0")

    world.wait_provisioned("web-1")
    world.wait_gone("web-0")
    assert second.election.leading
    assert len(world.eips()) == 1


def test_a_leader_that_is_cut_off_writes_nothing_after_its_lease(world):
    first = world.start_controller()
    world.wait(lambda: first.election.leading)
    second = world.start_controller()
    world.region.faults.add(CloudFault(kind=CloudFaultKind.HTTP_500, action="AllocateAddresses", count=None))
    world.create_pod("web-0")
    world.wait(world.region.faults.injected)

    world.kube.inject(Fault(kind=FaultKind.HANG, user_agent=first.name))
    world.wait(first.leader.lost.is_set)
    world.wait(lambda: second.election.leading)
    assert not first.election.leading
    world.region.faults.clear()

    world.wait_provisioned("web-0")
    assert world.orders() == 1
    assert len(world.eips()) == 1


def test_a_write_lasts_no_longer_than_the_lease_is_believed_in(world):
    replica = world.start_controller()
    world.wait(lambda: replica.election.leading)

    deadline = replica.election.deadline()

    assert 0 < deadline.remaining() <= 2.0
    replica.election.stop()
    assert not replica.election.leading


def test_a_controller_that_starts_before_its_api_server_waits_for_it(world):
    outage = world.kube.inject(Fault(kind=FaultKind.STATUS, code=503, user_agent="ctl-"))
    replica = world.new_controller()
    replica.leader.start_watching()
    assert not replica.leader.cluster.wait_synced(0.3)
    assert not replica.election.leading

    world.kube.heal(outage)
    assert replica.leader.cluster.wait_synced(10)
    replica.leader.stand_for_election()
    world.create_pod("web-0")

    world.wait_provisioned("web-0")
