"""A simulated cluster and region for controllers."""

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
