"""Carries out what the plan of a pool decides: each write of ours to its object and to the cloud.

Whatever is about to happen in the cloud is written into the pool's status first, so that a crash at any point
is just another start. Nothing here decides.
Thread safety: any thread may call `execute`; the work queue keeps two of them off the same pool.
"""

import dataclasses
import logging

from ipamd.controller.account.account_type import AccountChecks
from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.controller.claims.live_reader import LiveReader
from ipamd.controller.claims.ports import Ports
from ipamd.controller.eip_pool.writer import PoolWriter
from ipamd.core import tags
from ipamd.core.claim.actions import RedateOrder
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.eip_pool import plan, status
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.eip_pool.plan import PoolAction
from ipamd.core.failure_meanings import failures
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_SOON = 0.5
"""Seconds until the effect of an order or a release is looked for."""
_STOPPED_PAUSE = 60.0


class EipPoolExecutor:
    """Invariant: no write begins unless the fence allows it."""

    def __init__(
        self,
        cluster_id: str,
        *,
        live: LiveReader,
        selection: EipSelection,
        account: AccountChecks,
        writer: PoolWriter,
        ports: Ports,
    ) -> None:
        """Take who gives EIPs to claims: nothing is released while it chooses."""
        self._cluster_id = cluster_id
        self._live = live
        self._selection = selection
        self._account = account
        self._writer = writer
        self._ports = ports

    def execute(self, pool: EipPool, action: PoolAction) -> Result | None:
        """Carry the action out; return a Result when its effect takes time, None to look again at once.

        Raises: KubeError (ConflictError: decide anew), CloudError, NotLeaderError.
        """
        self._ports.fence.deadline()
        if isinstance(action, plan.HoldPool):
            self._writer.hold(pool)
        elif isinstance(action, plan.OrderEip):
            return self._order(pool, action)
        elif isinstance(action, RedateOrder):
            log.warning("EIPPool %s: its order has a date that is still to come, which counts as now", pool)
            self._writer.write_status(pool, status.redate_order(pool, self._ports.clock()))
        elif isinstance(action, plan.EndOrder):
            self._writer.write_status(pool, status.end_order(pool, failed=action.failed))
        elif isinstance(action, plan.ReleaseEip):
            return self._release(pool, action.eip_id)
        elif isinstance(action, plan.RecordLists):
            lists = status.with_lists(pool, created=action.created, releasing=action.releasing)
            self._writer.write_status(pool, lists)
        elif isinstance(action, plan.LetPoolGo):
            self._writer.let_go(pool)
            log.info("EIPPool %s is gone", pool)
            return Result()
        return None

    def _order(self, pool: EipPool, action: plan.OrderEip) -> Result:
        fitted = self._account.fit(action.order)
        self._ports.cloud.check_order(fitted)  # nothing is written for an order that is not sent
        if not action.begun:
            begin = status.begin_order(pool, action.attempt, self._ports.clock())
            pool = self._writer.write_status(pool, begin)
        try:
            order = self._ports.cloud.allocate_eip(
                dataclasses.replace(fitted, name=fitted.name or tags.name_for_pool(pool.name, pool.uid)),
                tags.of_pool(self._cluster_id, pool.uid),
                tags.client_token(pool.uid, action.attempt),
                self._ports.fence.deadline(),
            )
        except CloudError as e:
            # An earlier sending of the attempt may have been carried out although this one was refused.
            certain = failures.of_order(e).refused and not action.begun
            if certain or failures.spends_token(e):
                self._writer.write_status(pool, status.end_order(pool))
            raise
        log.info("EIPPool %s: %s is ordered", pool, order.eip_id)
        self._ports.teller.eip_pool(pool.name, pool.uid, "Normal", "OrderedEIP", order.eip_id)
        self._writer.write_status(pool, status.order_accepted(pool, order.eip_id, order.task_id))
        return Result(requeue_after=_SOON)

    def _release(self, pool: EipPool, eip_id: str) -> Result:
        stopped_by = self._ports.release_stopped()
        if stopped_by:
            self._ports.teller.eip_pool(pool.name, pool.uid, "Warning", "ReleasesStopped", stopped_by)
            return Result(requeue_after=_STOPPED_PAUSE)
        holder = self._selection.withdraw(eip_id, lambda: self._send_release(pool, eip_id))
        if holder is not None:
            log.info("EIPPool %s: %s is not released, EIPClaim %s has it", pool, eip_id, holder)
        return Result(requeue_after=_SOON)

    def _send_release(self, pool: EipPool, eip_id: str) -> None:
        """Release the EIP, which no claim has or can get now, unless somebody has bound it."""
        eip = self._live.at_eips((eip_id,)).get(eip_id)
        if not plan.may_release(eip):
            return
        if eip_id not in pool.releasing:
            releasing = {*pool.releasing, eip_id}
            lists = status.with_lists(pool, created=pool.created, releasing=releasing)
            self._writer.write_status(pool, lists)
        self._ports.cloud.release_eip(eip_id, self._ports.fence.deadline())
        self._ports.cloud.release_completed()
        log.info("EIPPool %s: %s is released", pool, eip_id)
        self._ports.teller.eip_pool(pool.name, pool.uid, "Normal", "ReleasedEIP", eip_id)
