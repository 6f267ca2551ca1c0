"""A simulated cluster and region for controllers, and what starts controllers as processes."""

from collections.abc import Iterator

import pytest

from simulator.cloud import (
    CloudRegion,
    CloudServer,
    Latencies,
    RateLimits,
    RegionConfig,
    loopback_socket,
)
from simulator.cloud.config import Quotas
from simulator.kube import KubeServer, Store, listen
from tests.controller.process import Process
from tests.controller.world import World


@pytest.fixture
def quotas() -> Quotas:
    return Quotas()


@pytest.fixture
def world(quotas) -> Iterator[World]:
    config = RegionConfig(
        latencies=Latencies(scale=0.5), rate_limits=RateLimits(enabled=False), quotas=quotas
    )
    with (
        CloudRegion(config) as region,
        CloudServer(region, [loopback_socket()]) as cloud,
        KubeServer(Store(), [listen()], bookmark_seconds=1.0) as kube,
    ):
        world = World(kube, region, f"http://{cloud.endpoint}")
        yield world
        world.close()


@pytest.fixture
def start(world, tmp_path):
    """Returns what starts controllers with changed flags; those that are left are killed."""
    started = []

    def start(**flags):
        started.append(Process(world, tmp_path, **flags))
        return started[-1]

    yield start
    for process in started:
        process.kill()
