"""The pool of the node's addresses: what it has to keep to, who grows and shrinks it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from ipamd.agent.enis import NodeEnis
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.options import AgentSettings
from ipamd.agent.pool import node_config
from ipamd.agent.pool.control import PoolControlService
from ipamd.agent.pool.drain import Drain
from ipamd.agent.pool.executor import EniPlan, PoolExecutor
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.homes import SubnetHomes
from ipamd.agent.pool.node_config import NodeConfig
from ipamd.agent.pool.pool import Pool, PoolTerms
from ipamd.agent.pool.report import PoolReport
from ipamd.agent.pool.security_groups import EniSecurityGroups
from ipamd.agent.pool.subnet_choice import SubnetChoice
from ipamd.agent.pool.subnets import SubnetLevels
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.core.node_config.state import NodeEniState
from ipamd.runtime.metric import Metric
from ipamd.runtime.service import Service
from ipamd.store.database import Database

_GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """The pool, and what an operator has it do."""

    pool: Pool
    report: PoolReport
    """What people are told of it."""
    freeze: PoolFreeze
    control: PoolControlService
    """Adds the service by which an operator does it."""
    config: NodeConfig
    security_groups: EniSecurityGroups
    levels: SubnetLevels
    homes: SubnetHomes
    """Of which subnets the node can have addresses."""
    state: Callable[[], NodeEniState]
    """What the node has, for people."""
    drain: Drain
    plan: Callable[[], EniPlan]
    """What new ENIs look like."""

    @property
    def is_synced(self) -> bool:
        """Whether the security groups, asked for once by an annotation, are as they should be."""
        return self.config.is_sync_asked and self.security_groups.are_in_step

    def trigger(self) -> None:
        """Look again: something has changed."""
        self.pool.trigger()
        self.security_groups.trigger()


def build(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    shared_ledger: SharedLedger,
    enis: NodeEnis,
    cloud: TencentCloud,
    database: Database,
) -> NodePool:
    """Return the pool, which looks again when ledger, facts or configuration have changed.

    `run` makes services of it.
    """
    config = NodeConfig(node_config.of_flags(settings), database)

    def groups() -> tuple[str, ...]:
        inherited = enis.primary_security_groups or facts.current.security_groups
        return config.current.security_groups or inherited

    def plan() -> EniPlan:
        return EniPlan(
            instance=facts.current.instance,
            cluster_id=settings.cluster_id,
            security_groups=groups(),
            subnets=choice,
        )

    def ids() -> Iterator[str]:
        yield from choice.ids
        yield from (eni.subnet_id for eni in enis.enis.values() if eni.subnet_id)

    levels = SubnetLevels(cloud, ids, low=settings.subnet_free_warning)
    facts.on_answer(levels.look)
    choice = SubnetChoice(cloud, lambda: facts.current.instance, lambda: config.current.places, levels.seen)
    homes = SubnetHomes(
        enis,
        choice,
        known=lambda: levels.known,
        zone=lambda: facts.current.instance.zone,
        disabled=lambda: config.current.disabled,
        monotonic=time.monotonic,
    )
    executor = PoolExecutor(
        plan,
        cloud=cloud,
        enis=enis,
        shared_ledger=shared_ledger,
        database=database,
        monotonic=time.monotonic,
    )
    freeze = PoolFreeze(database, wall=time.time)
    terms = partial(terms_of, settings, facts, config)
    pool = Pool(terms, shared_ledger=shared_ledger, enis=enis, actions=executor, freeze=freeze)

    def synced() -> tuple[str, ...]:
        is_wanted = config.current.sync_security_groups or config.is_sync_asked
        return groups() if is_wanted else ()

    sync = EniSecurityGroups(enis, cloud, synced)
    drain = Drain(
        shared_ledger=shared_ledger,
        enis=enis,
        cloud=cloud,
        executor=executor,
        freeze=freeze,
        instance=lambda: facts.current.instance,
    )
    made = NodePool(
        pool=pool,
        report=PoolReport(pool, freeze),
        freeze=freeze,
        control=PoolControlService(freeze, drain),
        config=config,
        security_groups=sync,
        levels=levels,
        homes=homes,
        drain=drain,
        plan=plan,
        state=lambda: NodeEniState(
            enis=len(enis.enis),
            addresses=len(shared_ledger.current.shared.addresses),
            limit=capacity.pod_ips(pool.terms.limits),
            values=config.current.values,
            refused=" ".join(config.refused()),
        ),
    )
    shared_ledger.on_transition(pool.follow)
    freeze.on_change(pool.trigger)
    facts.on_change(made.trigger)
    config.on_change(made.trigger)
    return made


def terms_of(settings: AgentSettings, facts: LiveFacts, config: NodeConfig, foreign: int) -> PoolTerms:
    """Return what the pool has to keep to on a CVM with so many ENIs of others."""
    limits, chosen = facts.current.limits, config.current
    own = replace(limits, enis=max(1, limits.enis - foreign))
    targets = replace(
        settings.targets, min_warm=chosen.min_warm, max_warm=chosen.max_warm, desired=chosen.desired
    )
    nothing = replace(settings.targets, min_warm=0, max_warm=0, quick_release=True)
    return PoolTerms(
        limits=chosen.within(own),
        targets=nothing if chosen.disabled else targets,
        cooldown=settings.ip_cooldown,
        disabled_by=chosen.source("disabled") if chosen.disabled else "",
    )


def figures(shared_ledger: SharedLedger, pool: Pool) -> str:
    """Return how many addresses there are, and for what, in a few words."""
    ledger, most = shared_ledger.current.shared, capacity.pod_ips(pool.terms.limits)
    used = len(ledger.in_state(Assigned, Occupied))
    return f"{used} of {most} addresses in use, {ledger.free()} free"


def run(made: NodePool) -> tuple[Service, ...]:
    """Return the services that keep the pool, and the security groups of its ENIs."""
    pool, freeze, groups = made.pool, made.freeze, made.security_groups

    def metrics() -> Iterator[Metric]:
        yield from made.report.metrics()
        yield from freeze.metrics()
        yield from made.config.metrics()

    return (
        Service(name="pool", start=pool.start, stop=pool.stop, grace=_GRACE, metrics=metrics),
        Service(
            name="security groups",
            start=groups.start,
            stop=groups.stop,
            grace=_GRACE,
            metrics=groups.metrics,
        ),
    )


def subnets(made: NodePool) -> Service:
    """Return what shows how full the subnets are; it is asked whenever the facts are."""
    return Service(name="subnets", metrics=made.levels.metrics)
