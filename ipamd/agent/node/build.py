"""The node itself: what its Pods reach, how it comes back after a start, how it is kept, what it offers."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Final

from ipamd.agent.cni.build import Sandboxes
from ipamd.agent.eips.build import NodeEips
from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive.pool import ExclusivePool
from ipamd.agent.exclusive_enis import LINK_LOCAL, ExclusiveEnis
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.agent.node.condition import NodeCondition, NodeSources, all_well
from ipamd.agent.node.exclusive_repair import ExclusiveRepair
from ipamd.agent.node.extended_resources import ExtendedResources
from ipamd.agent.node.intrusions import Intrusions
from ipamd.agent.node.kernel_repair import KernelRepair, RoundListing
from ipamd.agent.node.loose_eips import LooseEips
from ipamd.agent.node.lost_links import LostLinks
from ipamd.agent.node.orphan_sandboxes import OrphanSandboxes
from ipamd.agent.node.outside_repair import OutsideRepair
from ipamd.agent.node.pod_repair import PodRepair
from ipamd.agent.node.pod_sides import PodSides
from ipamd.agent.node.ranges import GivenRanges, NodeRanges
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.node.repair import Repair, links_of
from ipamd.agent.node.repair_loop import RepairLoop
from ipamd.agent.options import AgentSettings
from ipamd.agent.pods.build import NodePods
from ipamd.agent.pool.build import NodePool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.kernel.difference import Difference
from ipamd.core.kubernetes import capacity
from ipamd.core.kubernetes.node_condition import NodeProblem
from ipamd.core.model import PodRef
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import PodEgress
from ipamd.runtime.metric import Metric, counters
from ipamd.runtime.service import Service, ended
from ipamd.store import recovery as store_recovery
from ipamd.store.database import Database

_GRACE: Final = 5.0


def ranges(
    settings: AgentSettings, facts: LiveFacts, *, client: KubeClient, database: Database
) -> NodeRanges:
    """Return what Pods reach with their own address; `watch` makes a service of it."""
    given = GivenRanges(
        direct=settings.direct_cidrs,
        services=settings.service_cidrs,
        matter=PodEgress(settings.pod_egress) is PodEgress.NODE or settings.direct_eni,
    )
    return NodeRanges(given, vpc=lambda: facts.current.vpc_cidrs, client=client, database=database)


def reach_by_node(settings: AgentSettings, facts: LiveFacts, enis: ExclusiveEnis, ranges: NodeRanges) -> None:
    """Have Pods reach the node, Services, link-local addresses and what is configured by the node."""

    def by_node() -> Iterator[str]:
        yield f"{facts.current.instance.private_ip}/32"
        yield LINK_LOCAL
        yield from ranges.services()
        yield from settings.direct_eni_node_cidrs

    enis.reaches_by_node(by_node)


def watch(ranges: NodeRanges) -> Service:
    """Return the service that watches what the ranges are read from."""
    return Service(name="watch of ranges", start=ranges.start, stop=ended(ranges.stop))


def recovery(opened: store_recovery.Opened, shared_ledger: SharedLedger, enis: NodeEnis) -> Recovery:
    """Return what brings store, cloud and kernel in step after a start."""
    return Recovery(
        opened.past,
        rebooting=partial(opened.database.expect_boot, opened.boot_id),
        settled=partial(store_recovery.finish_start, opened.database, opened.boot_id),
        shared_ledger=shared_ledger,
        enis=enis,
    )


def resources(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    client: KubeClient,
    pool: NodePool,
    exclusive_pool: ExclusivePool,
    enis: NodeEnis,
) -> ExtendedResources:
    """Return what tells the scheduler how much the node has, again whenever facts have changed."""

    def quantities() -> dict[str, int]:
        limits = pool.pool.terms.limits
        offered = capacity.resources(facts.current.instance.vcpus, limits, enis.other_public_ips)
        whole = {capacity.DIRECT_ENI_RESOURCE: exclusive_pool.limit} if settings.direct_eni else {}
        return offered | whole

    offered = ExtendedResources(
        client,
        settings.node_name,
        quantities,
        withdrawn=() if settings.direct_eni else (capacity.DIRECT_ENI_RESOURCE,),
        agent=settings.agent_pod,
        state=pool.state,
        is_synced=lambda: pool.is_synced,
        subnets=pool.homes.current,
    )
    facts.on_change(offered.trigger)
    facts.on_answer(offered.trigger)
    offered.on_node(pool.config.told)
    pool.config.on_change(offered.trigger)
    return offered


def watch_node(resources: ExtendedResources) -> Service:
    """Return the service that watches the Node."""
    return Service(name="watch of the Node", start=resources.watch, stop=ended(resources.end_watch))


def offer(resources: ExtendedResources) -> Service:
    """Return the service that keeps them in the Node."""
    return Service(name="extended resources", start=resources.start, stop=resources.stop)


def condition(
    settings: AgentSettings,
    resources: ExtendedResources,
    *,
    client: KubeClient,
    problems: Callable[[], Sequence[NodeProblem]],
    enis: NodeEnis,
    events: EventRecorder,
) -> NodeCondition:
    """Return what the Node says of this agent."""
    return NodeCondition(
        client,
        settings.node_name,
        sources=NodeSources(
            present=resources.node, problems=problems, well=lambda: all_well(enis.enis.values())
        ),
        events=events,
        clock=time.time,  # what is written to the API server is for people and other machines
    )


def say(condition: NodeCondition) -> Service:
    """Return the service that keeps it true; after what serves Pods has started."""
    return Service(name="node condition", start=condition.start, stop=ended(condition.stop))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRepair:
    """What keeps kernel, store and cloud in step, and what it cannot mend."""

    rounds: RepairLoop
    outside: OutsideRepair
    lost_links: LostLinks
    cut_off: Callable[[], list[str]]
    """One sentence for each Pod that has lost its link or its address."""
    foreign: Callable[[], list[str]]
    """One sentence for each thing of others that is in the way of Pods' packets."""
    loose_eips: Callable[[], Mapping[PodRef, str]]
    """What to tell of each Pod whose EIP somebody has unbound and that has not got it back."""
    service: Service
    pods: Repair
    """Compares the Pods' wiring, also without mending it."""
    exclusive: ExclusiveRepair
    """Compares where the links of exclusive ENIs are, likewise."""
    intrusions: Intrusions


def repair(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    shared_ledger: SharedLedger,
    dataplane: DataPlane,
    enis: NodeEnis,
    exclusive: ExclusiveEnis,
    ranges: NodeRanges,
    recovery: Recovery,
    pods: NodePods,
    eips: NodeEips,
    sandboxes: Sandboxes,
    repaired: Callable[[Difference], None],
) -> NodeRepair:
    """Return what repairs the node, and looks at the kernel whenever facts or ranges have changed.

    `repaired` hears of what was bound again in the cloud; of the kernel the data plane tells itself.
    """
    primary_mac, cooldown = facts.current.primary_mac, settings.ip_cooldown
    pending = sandboxes.pending_adds
    orphans = OrphanSandboxes(
        shared_ledger=shared_ledger, pods=pods.source, deleting=sandboxes.delete, cooldown=cooldown
    )
    lost_links = LostLinks(orphans, eips.publisher)
    loose_eips = LooseEips(shared_ledger, repaired)
    cloud_check = CloudCheck(
        recovery,
        shared_ledger=shared_ledger,
        enis=enis,
        announcer=eips.publisher,
        loose=loose_eips,
        interval=settings.cloud_check_interval,
        monotonic=time.monotonic,
    )
    wirings = Repair(
        shared_ledger=shared_ledger,
        enis=enis,
        dataplane=dataplane,
        locks=pods.locks,
        pending=pending,
        cooldown=cooldown,
    )
    exclusive_repair = ExclusiveRepair(
        shared_ledger=shared_ledger,
        enis=exclusive,
        dataplane=dataplane,
        locks=pods.locks,
        pending=pending,
    )
    pod_repair = PodRepair(
        wirings,
        exclusive_repair,
        PodSides(shared_ledger=shared_ledger, enis=enis, dataplane=dataplane, pending=pending),
        lost_links,
    )
    intrusions = Intrusions(shared_ledger, enis, dataplane, own=lambda: facts.current.instance.private_ip)
    outside = OutsideRepair(
        cloud_check=cloud_check,
        ranges=ranges,
        recovery=recovery,
        orphans=orphans,
        lost_links=lost_links,
        pending=sandboxes.pending_deletes,
    )
    rounds = RepairLoop(
        kernel=KernelRepair(
            listing=RoundListing(dataplane),
            ensure_node=lambda seen: dataplane.ensure_node(primary_mac, ranges.current(), seen),
            intrusions=intrusions,
            enis=enis,
            recovery=recovery,
            pods=pod_repair,
        ),
        outside=outside,
        cloud_check=cloud_check,
        pods=pod_repair,
        links=lambda: _links(shared_ledger, dataplane),
        interval=settings.repair_interval,
    )
    lost_links.on_more(rounds.look_outside)
    pods.source.on_change(orphans.end_holds)
    facts.on_change(rounds.look_at_kernel)
    ranges.on_change(rounds.look_at_kernel)
    return NodeRepair(
        rounds=rounds,
        outside=outside,
        lost_links=lost_links,
        cut_off=lambda: [*lost_links.problems(), *cloud_check.missing()],
        foreign=intrusions.problems,
        loose_eips=loose_eips.waiting,
        pods=wirings,
        exclusive=exclusive_repair,
        intrusions=intrusions,
        service=Service(
            name="repair",
            start=rounds.start,
            stop=rounds.stop,
            grace=_GRACE,
            metrics=lambda: chain(rounds.metrics(), _repairs(dataplane, pod_repair, cloud_check, intrusions)),
        ),
    )


def _links(shared_ledger: SharedLedger, dataplane: DataPlane) -> Collection[str]:
    """Return the names of our links."""
    return links_of(shared_ledger.current) | {eni.name for eni in dataplane.enis}


def _repairs(
    dataplane: DataPlane, pods: PodRepair, cloud_check: CloudCheck, intrusions: Intrusions
) -> Iterator[Metric]:
    """Yield how often since the start something that others had done was mended, by what it was."""
    yield counters(
        "tke_eni_repairs",
        "What others had removed or changed and was mended.",
        "what",
        {
            "node": dataplane.mended,
            "pod": pods.mended,
            "leftover": pods.removed,
            "eip": cloud_check.unbound,
            "address": intrusions.removed,
        },
    )
