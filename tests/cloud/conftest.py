"""A simulated region with one CVM, the adapter that talks to it, and servers that say what a test wants."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ipamd.cloud import endpoints
from ipamd.cloud.credentials import Credential, StaticCredentials
from ipamd.cloud.session import SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.cloud.throttling import ALLOWANCE, Limiter
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from simulator.cloud import (
    CloudRegion,
    CloudServer,
    InstanceOrder,
    Latencies,
    RateLimits,
    RegionConfig,
    loopback_socket,
)
from tests.cloud.scripted_http import Answer, ScriptedHttp

REGION = "ap-guangzhou"
KEYS = StaticCredentials(Credential(secret_id="AKIDdemo", secret_key="demo-secret-key"))
UNHURRIED = dict.fromkeys(ALLOWANCE, 1000.0)
BRISK = Backoff(first=0.02, longest=0.1)

OpenCloud = Callable[..., TencentCloud]
Serve = Callable[[Answer], ScriptedHttp]


@pytest.fixture
def region() -> Iterator[CloudRegion]:
    config = RegionConfig(latencies=Latencies(scale=0.3), rate_limits=RateLimits(enabled=False))
    with CloudRegion(config) as region:
        yield region


@pytest.fixture
def api_url(region) -> Iterator[str]:
    with CloudServer(region, [loopback_socket()]) as server:
        yield f"http://{server.endpoint}"


@pytest.fixture
def open_cloud() -> Iterator[OpenCloud]:
    """Returns what opens adapters by URL, with short back-offs, and closes them at the end."""
    opened: list[TencentCloud] = []

    def open_cloud(url: str, conduct: dict[str, Any] | None = None, **options: Any) -> TencentCloud:
        conducted = SessionPolicy(**{"backoff": BRISK, "call_seconds": 30.0, **(conduct or {})})
        options = {
            "region": REGION,
            "credentials": KEYS,
            "limiter": Limiter(clock=conducted.clock, share=1.0, allowance=UNHURRIED),
            **options,
        }
        cloud = TencentCloud(endpoints=endpoints.parse(url), conduct=conducted, **options)
        opened.append(cloud)
        return cloud

    yield open_cloud
    for cloud in opened:
        cloud.close()


@pytest.fixture
def cloud(open_cloud, api_url):
    return open_cloud(api_url)


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[ScriptedHttp] = []

    def serve(answer: Answer) -> ScriptedHttp:
        servers.append(ScriptedHttp(answer))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def node(region) -> str:
    """The id of a CVM that takes 4 ENIs of 10 addresses each and 2 public IPs."""
    return str(region.create_instance(InstanceOrder(instance_type="S5.LARGE8")).instance_id)


@pytest.fixture
def soon() -> Callable[..., Deadline]:
    """Makes deadlines on the machine's monotonic clock."""

    def soon(seconds: float = 60.0) -> Deadline:
        return Deadline.after(seconds, time.monotonic)

    return soon
