"""The loop around the plan of a pool: look at its EIPs and claims, decide, act, say in its status how it is.

One round serves one pool and keeps nothing but since when EIPs are free, which only delays releases. Claims
get their EIPs from `EipSelection`; here EIPs come and go.
Thread safety: one object serves all workers; the work queue keeps two of them off the same pool.
"""

import dataclasses
import logging
from collections.abc import Mapping

from ipamd.cloud.tasks import TaskState
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.controller.eip_pool.eip_times import EipTimes
from ipamd.controller.eip_pool.executor import EipPoolExecutor
from ipamd.controller.eip_pool.writer import PoolWriter
from ipamd.core.claim.actions import Choose
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip_pool import plan, status
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.eip_pool.plan import EipPoolFacts
from ipamd.core.eip_pool.status import PoolEipState, PoolReason, PoolSight
from ipamd.core.failure_meanings import failures
from ipamd.core.model import AcceptedOrder, Eip
from ipamd.kube import errors
from ipamd.kube.watch import Key
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_LOOK = 60.0
"""Seconds between looks at a pool in which nothing happens: EIPs are tagged and bound by others, too."""
_SOON = 0.5
_MOST_STEPS = 20
"""More than a pool needs to come to rest, or another writer fights with us."""


class PoolReconciler:
    """Brings one pool as far as it gets."""

    def __init__(
        self,
        *,
        cluster: ClusterView,
        live: LiveReader,
        executor: EipPoolExecutor,
        selection: EipSelection,
        writer: PoolWriter,
        ports: Ports,
    ) -> None:
        self._cluster = cluster
        self._live = live
        self._executor = executor
        self._selection = selection
        self._writer = writer
        self._ports = ports
        self._free = EipTimes(ports.steady)
        self._unshown = EipTimes(ports.steady)

    def reconcile(self, key: Key) -> Result:
        """Work on the pool once.

        Raises: KubeError, CloudError, NotLeaderError: nothing is lost, come back later.
        """
        _, name = key
        for _ in range(_MOST_STEPS):
            pool = self._live.at_pool(name)
            if pool is None:
                self._free.forget(name)
                self._unshown.forget(name)
                return Result()
            try:
                result = self._step(pool)
            except errors.ConflictError as e:
                log.debug("EIPPool %s: %s", name, e)
                continue
            except errors.NotFoundError:
                return Result()
            if result is not None:
                return result
        return Result(requeue_after=_SOON, failed=True)

    def _step(self, pool: EipPool) -> Result | None:
        """Do the next thing for the pool; return a Result when it can rest."""
        sight = self._look(pool)
        action = plan.decide(pool, self._facts(pool, sight))
        if isinstance(action, plan.Rest):
            return self._rest(pool, sight, action)
        try:
            result = self._executor.execute(pool, action)
        except CloudError as e:
            refusal = failures.of_order(e).reason.value, failures.told(e)
            self._tell(pool.name, dataclasses.replace(sight, refusal=refusal))
            raise
        if result is not None and not isinstance(action, plan.LetPoolGo):
            self._tell(pool.name, sight)
        return result

    def _look(self, pool: EipPool) -> PoolSight:
        eips = self._live.at_all_of(pool) if pool.spec is not None or pool.held else {}
        unlisted = tuple(eip_id for eip_id in pool.created if eip_id not in eips)
        if unlisted:  # the tag may have been removed, or the list lag
            eips |= self._live.at_eips(unlisted)
        ids = pool.spec.address_ids if pool.spec else ()
        return PoolSight(
            eips=eips,
            missing=tuple(eip_id for eip_id in ids if eip_id not in eips),
            holders={eip_id: str(claim) for eip_id in eips for claim in self._cluster.holders(eip_id)},
            line=tuple(str(claim) for claim in self._cluster.line(pool.name)),
        )

    def _facts(self, pool: EipPool, sight: PoolSight) -> EipPoolFacts:
        free = {i for i, eip in sight.eips.items() if status.state_of(eip, sight) is PoolEipState.FREE}
        return EipPoolFacts(
            now=self._ports.clock(),
            eips=sight.eips,
            holders=sight.holders,
            waiting=len(sight.line),
            free_for=self._free.looked(pool.name, free),
            unshown=self._unshown.looked(pool.name, set(pool.created) - sight.eips.keys()),
            failed=self._has_failed(pool, sight.eips),
            blind=self._ports.blind(),
        )

    def _has_failed(self, pool: EipPool, eips: Mapping[str, Eip]) -> bool:
        """Whether the cloud says that what it has promised does not come."""
        promised = pool.allocation
        if promised.started is None or not promised.eip_id or promised.eip_id in eips:
            return False
        order = AcceptedOrder(eip_id=promised.eip_id, task_id=promised.task_id)
        return self._live.at_order(order) is TaskState.FAILED

    def _rest(self, pool: EipPool, sight: PoolSight, rest: plan.Rest) -> Result:
        if rest.not_shown:
            message = (
                f"{pool.allocation.eip_id} was ordered and the cloud does not show it: no other is ordered; "
                "check --region, the account of the keys and whether a CAM policy hides EIPs; if it was "
                "released by hand, make another pool"
            )
            sight = dataclasses.replace(sight, refusal=(PoolReason.EIP_NOT_SHOWN.value, message))
        self._tell(pool.name, sight)
        free = status.counts(pool, sight)[PoolEipState.FREE]
        moved = pool.status.get("waitingClaims") != list(sight.line[: status.MOST_WAITING])
        if sight.line and (free or moved):
            self._selection.look_again(Choose(pool=pool.name).source)
            self._cluster.wake_line(pool.name, max(free, status.MOST_WAITING if moved else 0))
        return Result(requeue_after=min(rest.seconds or _LOOK, _LOOK))

    def _tell(self, name: str, sight: PoolSight) -> None:
        """Write how the pool is, and tell of what is wrong with it."""
        pool = self._live.at_pool(name)
        patch = status.patch(pool, sight, self._ports.clock()) if pool else None
        if pool is None or patch is None:
            return
        self._ports.fence.deadline()
        self._writer.write_status(pool, patch)
        [ready] = patch["status"]["conditions"]
        if ready["status"] == "False" and not pool.deleting:
            self._ports.teller.eip_pool(pool.name, pool.uid, "Warning", ready["reason"], ready["message"])
