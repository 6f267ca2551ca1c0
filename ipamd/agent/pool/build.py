"""The pool of the node's addresses: what it has to keep to, who grows and shrinks it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ipamd.agent.enis import NodeEnis
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.options import AgentSettings
from ipamd.agent.pool.control import PoolControlService
from ipamd.agent.pool.drain import Drain
from ipamd.agent.pool.executor import EniPlan, PoolExecutor
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.pool.pool import Pool, PoolTerms
from ipamd.agent.pool.subnets import SubnetLevels
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.kubernetes import capacity
from ipamd.core.ledger.states import Assigned, Occupied
from ipamd.runtime.metric import Metric
from ipamd.runtime.service import Service
from ipamd.store.database import Database

_GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """The pool, and what an operator has it do."""

    pool: Pool
    freeze: PoolFreeze
    control: PoolControlService
    """Adds the service by which an operator does it."""


def build(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    shared_ledger: SharedLedger,
    enis: NodeEnis,
    cloud: TencentCloud,
    database: Database,
) -> NodePool:
    """Return the pool, which looks again when ledger or facts have changed; `run` makes a service of it."""

    def plan() -> EniPlan:
        known = facts.current
        return EniPlan(
            instance=known.instance,
            cluster_id=settings.cluster_id,
            subnet_ids=settings.pod_subnets or (known.instance.subnet_id,),
            security_groups=settings.security_groups or known.security_groups,
        )

    def terms() -> PoolTerms:
        limits = facts.current.limits
        return PoolTerms(limits=limits, targets=settings.targets, cooldown=settings.ip_cooldown)

    executor = PoolExecutor(
        plan, cloud=cloud, enis=enis, shared_ledger=shared_ledger, database=database, monotonic=time.monotonic
    )
    freeze = PoolFreeze(database, wall=time.time)
    pool = Pool(terms, shared_ledger=shared_ledger, enis=enis, actions=executor, freeze=freeze)
    shared_ledger.on_change(pool.trigger)
    facts.on_change(pool.trigger)
    freeze.on_change(pool.trigger)
    drain = Drain(
        shared_ledger=shared_ledger,
        enis=enis,
        cloud=cloud,
        executor=executor,
        freeze=freeze,
        instance=lambda: facts.current.instance,
    )
    return NodePool(pool=pool, freeze=freeze, control=PoolControlService(freeze, drain))


def figures(shared_ledger: SharedLedger, pool: Pool) -> str:
    """Return how many addresses there are, and for what, in a few words."""
    ledger, most = shared_ledger.current, capacity.pod_ips(pool.terms.limits)
    used = len(ledger.in_state(Assigned, Occupied))
    return f"{used} of {most} addresses in use, {len(ledger.available)} free"


def run(made: NodePool) -> Service:
    """Return the service that keeps the pool."""
    pool, freeze = made.pool, made.freeze

    def metrics() -> Iterator[Metric]:
        yield from pool.metrics()
        yield from freeze.metrics()

    return Service(name="pool", start=pool.start, stop=pool.stop, grace=_GRACE, metrics=metrics)


def subnets(settings: AgentSettings, facts: LiveFacts, *, enis: NodeEnis, cloud: TencentCloud) -> Service:
    """Return what shows how full the subnets are; it is asked whenever the facts are."""

    def ids() -> Iterator[str]:
        yield from settings.pod_subnets or (facts.current.instance.subnet_id,)
        yield from (eni.subnet_id for eni in enis.enis.values() if eni.subnet_id)

    levels = SubnetLevels(cloud, ids)
    facts.on_answer(levels.look)
    return Service(name="subnets", metrics=levels.metrics)
