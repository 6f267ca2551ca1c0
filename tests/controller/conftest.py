"""A simulated cluster and region for controllers, and what starts controllers as processes."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ipamd.kube.client import KubeClient
from ipamd.kube.connection import Connection
from simulator.cloud import (
    CloudRegion,
    CloudServer,
    Latencies,
    RateLimits,
    RegionConfig,
    loopback_socket,
)
from simulator.kube import KubeServer, Store, listen
from tests.controller.process import Process
from tests.controller.world import World


@pytest.fixture
def settings() -> dict[str, Any]:
    """What the region of `world` has other than by default; a test file may say more."""
    return {}


@pytest.fixture
def client() -> Iterator[KubeClient]:
    """A client of a simulated API server that has nothing yet, for what needs no controller."""
    with (
        KubeServer(Store(), [listen()]) as kube,
        contextlib.closing(KubeClient(Connection(server=kube.url), component="test")) as client,
    ):
        yield client


@pytest.fixture
def make_world() -> Iterator[Callable[..., World]]:
    """Returns what makes a cluster, with another store if given, and a region with these settings."""
    with contextlib.ExitStack() as stack:

        def make(store: Store | None = None, **changes: Any) -> World:
            config = RegionConfig(
                **{"latencies": Latencies(scale=0.5), "rate_limits": RateLimits(enabled=False), **changes}
            )
            region = stack.enter_context(CloudRegion(config))
            cloud = stack.enter_context(CloudServer(region, [loopback_socket()]))
            kube = stack.enter_context(KubeServer(store or Store(), [listen()], bookmark_seconds=1.0))
            return stack.enter_context(contextlib.closing(World(kube, region, f"http://{cloud.endpoint}")))

        yield make


@pytest.fixture
def world(make_world, settings) -> World:
    world: World = make_world(**settings)
    return world


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
