"""The cloud API of a simulated Tencent Cloud region, and the state behind it.

In a test, without packets:

    with CloudRegion() as region, CloudServer(region, [loopback_socket()]) as server:
        node = region.create_instance(InstanceOrder(instance_type="S5.LARGE8"))
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=server.endpoint))
        key = Credential("AKIDdemo", "demo-secret-key")
        client = CommonClient("vpc", "2017-03-12", key, "ap-guangzhou", profile)
        client.call_json("AllocateAddresses", {})

Settings: `RegionConfig`, or a dict through `region_config`. Packets: a `simulator.fabric.api.Fabric`. With a
ManualClock do not `start` the region, advance the clock and call `region.run_due()`. Faults:
`region.faults.add(Fault(...))`. Leaks: `region.snapshot()`. Calls so far: `region.audit`. CAM:
`region.accounts.set_policy(...)`. The server stops before its region. Everything here is thread-safe.
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
