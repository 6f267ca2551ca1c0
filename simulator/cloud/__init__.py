"""The cloud API of a simulated Tencent Cloud region, and the state behind it.

In a test, against the unmodified SDK, in-process and without packets:

    with CloudRegion() as region, CloudServer(region, [loopback_socket()]) as server:
        node = region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=server.endpoint))
        client = CommonClient(
            "vpc", "2017-03-12", Credential("AKIDdemo", "demo-secret-key"), "ap-guangzhou", profile
        )
        client.call_json("AllocateAddresses", {})

`CloudRegion(config, fabric, clock)` takes a `RegionConfig` (dataclasses in `config`, or a dict through
`region_config`), a data plane (`simulator.fabric.api.Fabric`; without one nothing is reachable) and a clock.
With a ManualClock do not `start` it: advance the clock, then `region.run_due()`. Faults:
`region.faults.add(Fault(...))`. Leaks: `region.snapshot()`. Calls so far: `region.audit`. Policies:
`region.accounts.set_policy(...)`.
"""

from simulator.cloud.clock import Clock, ManualClock, SystemClock
from simulator.cloud.config import InstanceOrder, Latencies, RateLimits, RegionConfig, region_config
from simulator.cloud.faults import Fault, FaultKind
from simulator.cloud.region import CloudRegion
from simulator.cloud.server import CloudServer
from simulator.http_server import loopback_socket

__all__ = [
    "Clock",
    "CloudRegion",
    "CloudServer",
    "Fault",
    "FaultKind",
    "InstanceOrder",
    "Latencies",
    "ManualClock",
    "RateLimits",
    "RegionConfig",
    "SystemClock",
    "loopback_socket",
    "region_config",
]
