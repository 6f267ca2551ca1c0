"""ENIs for single Pods: which there are, and who keeps some warm."""

import time
from collections.abc import Iterator
from dataclasses import replace

from ipamd.agent.enis import NodeEnis
from ipamd.agent.exclusive.pool import ExclusivePool, ExclusiveTerms
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.options import AgentSettings
from ipamd.agent.pool.build import NodePool
from ipamd.agent.pool.executor import EniPlan, PoolExecutor
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.runtime.metric import Metric
from ipamd.runtime.service import Service
from ipamd.store.database import Database

_GRACE = 5.0


def pool(
    settings: AgentSettings,
    facts: LiveFacts,
    *,
    shared_ledger: SharedLedger,
    node_enis: NodeEnis,
    enis: ExclusiveEnis,
    cloud: TencentCloud,
    database: Database,
    like: NodePool,
) -> ExclusivePool:
    """Return the pool, which looks again when ledger or facts have changed; `run` makes a service of it.

    Its ENIs look `like` those of the other pool, and are frozen with them.
    """

    def plan() -> EniPlan:
        return replace(like.plan(), exclusive=True)

    def terms() -> ExclusiveTerms:
        if not settings.direct_eni:
            return ExclusiveTerms(quota=0, targets=settings.eni_targets)
        chosen = like.config.current
        return ExclusiveTerms(
            quota=facts.current.limits.extended,
            most=chosen.most_direct_enis,
            targets=replace(
                settings.eni_targets, min_warm=chosen.min_warm_enis, max_warm=chosen.max_warm_enis
            ),
            disabled_by=like.pool.terms.disabled_by,
        )

    made = ExclusivePool(
        terms,
        shared_ledger=shared_ledger,
        node_enis=node_enis,
        enis=enis,
        actions=PoolExecutor(
            plan,
            cloud=cloud,
            enis=node_enis,
            shared_ledger=shared_ledger,
            database=database,
            monotonic=time.monotonic,
        ),
        freeze=like.freeze,
    )
    like.drain.drains_too(made.drain)
    shared_ledger.on_change(made.trigger)
    facts.on_change(made.trigger)
    like.freeze.on_change(made.trigger)
    like.config.on_change(made.trigger)
    return made


def run(made: ExclusivePool, enis: ExclusiveEnis) -> Service:
    """Return the service that keeps the pool."""

    def metrics() -> Iterator[Metric]:
        yield from enis.metrics()

    return Service(name="exclusive ENIs", start=made.start, stop=made.stop, grace=_GRACE, metrics=metrics)
