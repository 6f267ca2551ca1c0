"""A node that has an address ready for every Pod to come, so that no cloud call is measured with an ADD."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from testbed.bed import Bed
from testbed.bench.latency import Plugin, Pods
from testbed.bench.part import Scene

# Bare metal: 31 secondary ENIs with 19 Pod addresses each (document 576/18527).
_REGION = {
    "instances": [{"instance_type": "BMS5.16XLARGE256", "public_ip": True}],
    "vpc": {"subnets": [{"cidr": "10.0.16.0/20"}]},
}


@contextmanager
def warm_node(scene: Scene, *, addresses: int, agent_options: Sequence[str] = ()) -> Iterator[Bed]:
    """Give a region whose one node has so many free addresses, and an agent that fetches no others."""
    with Bed(scene.directory) as bed:
        with scene.progress.step(f"a node with {addresses} warm addresses"):
            bed.start_region(_REGION)
            bed.start_controller()
            fill_pool(bed, addresses, agent_options)
        yield bed


def fill_pool(bed: Bed, addresses: int, agent_options: Sequence[str] = ()) -> None:
    """Have addresses for all Pods assigned, then let the agent run with TKE's lower target.

    With the higher one it would fetch another address for each that is taken, and the cloud's work would
    be measured along with the Pods'.
    """
    most = 2 * addresses + 10
    start_agent(bed, ("--ip-min-warm-target", str(addresses + 10), *agent_options), most=most)
    wait_until_warm(bed, addresses)
    assert bed.agent is not None
    bed.stop(bed.agent)
    start_agent(bed, agent_options, most=most)
    wait_until_warm(bed, addresses)


def start_agent(bed: Bed, options: Sequence[str] = (), *, most: int) -> None:
    """Start the agent of a node that keeps up to so many free addresses."""
    ours = ("--ip-max-warm-target", str(most), "--ip-cooldown", "1s", "--ip-min-warm-target", "5")
    bed.start_agent(options=[*ours, *options])


def wait_until_warm(bed: Bed, addresses: int) -> None:
    """Wait until the pool has so many addresses that a Pod may have."""

    def is_warm() -> bool:
        status = bed.status()
        return bool(status) and int(status["pool"].get("warm", 0)) >= addresses

    bed.wait_until("a warm pool", is_warm, seconds=180)


def our_plugin(bed: Bed) -> Plugin:
    """Return our plugin as a contestant, with the agent behind it."""
    pods = Pods(workloads=bed.workloads, node=bed.node.name)

    def agent_cpu() -> float:
        assert bed.agent is not None
        return bed.agent.cpu_ms()

    return Plugin(name="tke-eni", runtime=bed.runtime, pods=pods, daemon_cpu=agent_cpu)
