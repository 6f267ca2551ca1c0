"""The region under test: a real one if CONTRACT_CLOUD names it, else a simulated one."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from simulator.cloud import (
    CloudRegion,
    CloudServer,
    InstanceOrder,
    Latencies,
    RegionConfig,
    loopback_socket,
)
from simulator.metadata import MetadataServer
from tests.contract.cloud.account import Endpoint


@contextlib.contextmanager
def under_test() -> Iterator[Endpoint]:
    """Yield how to reach it."""
    if given := os.environ.get("CONTRACT_CLOUD"):
        yield Endpoint(**json.loads(Path(given).read_text(encoding="utf-8")))
    else:
        with _simulated() as simulated:
            yield simulated


@contextlib.contextmanager
def _simulated() -> Iterator[Endpoint]:
    config = RegionConfig(latencies=Latencies(scale=0.3))
    with CloudRegion(config) as region, CloudServer(region, [loopback_socket()]) as server:
        node = region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
        user = config.account.users[0]
        with MetadataServer(region, [loopback_socket()], node.instance_id) as metadata:
            yield Endpoint(
                protocol="http",
                host=server.endpoint,
                region=config.region,
                secret_id=user.secret_id,
                secret_key=user.secret_key,
                instance_id=node.instance_id,
                vpc_id=config.vpc.vpc_id,
                subnet_id=config.vpc.subnets[0].subnet_id,
                metadata=f"http://{metadata.endpoint}",
                pause=0.06,
            )
