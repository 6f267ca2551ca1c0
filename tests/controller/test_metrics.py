"""The metrics of a replica."""

import pytest

from ipamd import metrics
from ipamd.metrics.controller import LeaderState


@pytest.fixture
def counted():
    counted = metrics.begin("tke-eni-ipamd")
    yield counted
    counted.close()


def test_claims_are_counted_by_phase_and_the_leader_is_known(world, counted):
    replica = world.new_controller()
    counted.registry.register(LeaderState(replica.leader))
    value = counted.registry.get_sample_value
    assert value("tke_eni_leader") == 0

    replica.start()
    world.create_pod("web-0")
    world.wait_provisioned("web-0")

    world.wait(lambda: value("tke_eni_claims", {"phase": "Provisioned"}) == 1)
    assert value("tke_eni_claims", {"phase": "Failed"}) == 0
    assert value("tke_eni_leader") == 1
    world.wait(lambda: value("tke_eni_work_queue_length") == 0)
