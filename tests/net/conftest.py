import pytest

from ipamd.net.model import DataPlaneConfig
from tests.net.world import World


@pytest.fixture
def config():
    return DataPlaneConfig(link_wait=2.0)


@pytest.fixture
def bare_world(config):
    """A node on which the data plane has done nothing yet."""
    world = World(config)
    yield world
    world.close()


@pytest.fixture
def world(bare_world):
    """A node with both ENIs ensured."""
    bare_world.ensure()
    return bare_world
