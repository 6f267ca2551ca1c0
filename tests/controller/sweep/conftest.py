"""A controller that sweeps all the time, and a port to bind EIPs to."""

import pytest

from simulator.cloud import InstanceOrder
from tests.controller.sweep.passes import terms


@pytest.fixture
def controller(world):
    return world.start_controller(sweep=terms())


@pytest.fixture
def port(world):
    world.region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
    (eni,) = world.region.snapshot()["enis"].values()
    return eni["eni_id"], next(iter(eni["addresses"]))
