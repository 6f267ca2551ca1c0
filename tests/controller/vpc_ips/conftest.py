"""A world in which fixed addresses can be had, with one controller and two nodes."""

import pytest

from tests.controller.vpc_ips.fixed_world import FixedWorld


@pytest.fixture
def bare(world) -> FixedWorld:
    """Without a controller."""
    return FixedWorld(world)


@pytest.fixture
def fixed(bare: FixedWorld) -> FixedWorld:
    bare.world.start_controller()
    bare.add_node("node-1")
    bare.add_node("node-2")
    return bare
