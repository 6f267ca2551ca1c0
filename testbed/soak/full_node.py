"""A node with as many Pods as it has addresses for: far beyond the scheduler's own 110.

Every Pod's traffic is looked at once, when all of them run: each reaches one of them, and is seen with its
own address. When they have gone, exactly what was theirs has to be gone from the kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ipamd.core.names import HOST_VETH_PREFIX
from testbed import leaks
from testbed.bed import Bed
from testbed.probes import SourceReporter, seen_source
from testbed.runtime import Outcome, Sandbox
from testbed.soak import figures

PODS = 250
_AT_ONCE = 25
"""ADDs under way: fewer than the agent lets wait (`ipamd.agent.cni.build`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was measured, and what was wrong."""

    add_ms: float
    """Median of all ADDs, 25 of them at once, the waits for new ENIs among them."""
    rss_mib: float
    """Of the agent while all Pods run."""
    problems: tuple[str, ...]


def visit(bed: Bed, pods: int = PODS) -> Findings:
    """Fill the node, look at everybody, and empty it again. Raises CniError of an ADD or DEL."""
    sandboxes = [
        bed.runtime.new_sandbox(pod=bed.workloads.create_pod(f"full-{number}", node=bed.node.name))
        for number in range(pods)
    ]
    added = _run(bed, "ADD", sandboxes)
    ips = [outcome.ip() for outcome in added]
    problems = [*_traffic(sandboxes, ips), *map(str, bed.ctl("check").get("problems", []))]
    rss = figures.sample(bed)["agent RSS MiB"]
    if len(_kept(leaks.kernel_state(bed.node.netns), ips)) < 3 * pods:
        problems.append("not each Pod has a link, a route and an element of nft")
    for sandbox in sandboxes:
        bed.workloads.delete_pod(sandbox.pod_name)
    _run(bed, "DEL", sandboxes)
    for sandbox in sandboxes:
        bed.runtime.remove_sandbox(sandbox)
        bed.workloads.remove_pod(sandbox.pod_name)
    bed.wait_until(
        "the node is empty", lambda: not _kept(leaks.kernel_state(bed.node.netns), ips), seconds=60
    )
    return Findings(
        add_ms=round(median(outcome.milliseconds for outcome in added), 1),
        rss_mib=rss,
        problems=tuple(problems),
    )


def _run(bed: Bed, verb: str, sandboxes: Sequence[Sandbox]) -> list[Outcome]:
    outcomes = []
    for batch in range(0, len(sandboxes), _AT_ONCE):
        outcomes += bed.runtime.run_all(verb, sandboxes[batch : batch + _AT_ONCE])[0]
    for outcome in outcomes:
        outcome.result()
    return outcomes


def _traffic(sandboxes: Sequence[Sandbox], ips: Sequence[str]) -> list[str]:
    """Return a sentence for each Pod that does not reach the first one with its own address."""
    if len(set(ips)) != len(ips):
        return ["an address was given to two Pods"]
    with SourceReporter(sandboxes[0].netns):
        seen = [seen_source(sandbox.netns, ips[0]) for sandbox in sandboxes[1:]]
    return [
        f"the Pod with {ip} is seen as {source or 'nobody'}"
        for ip, source in zip(ips[1:], seen, strict=True)
        if source != ip
    ]


def _kept(now: leaks.KernelState, ips: Sequence[str]) -> list[str]:
    """Return what a state of the kernel has of the Pods."""
    return [
        *(link for link in now["links"] if link.startswith(HOST_VETH_PREFIX)),
        *(route for route in now["routes"] if f'"dev": "{HOST_VETH_PREFIX}' in route),
        *(fact for fact in now["nft"] if any(f'"{ip}"' in fact for ip in ips)),
    ]
