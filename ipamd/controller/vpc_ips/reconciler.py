"""The loop around the rules: gather facts, decide, look or act, decide again, until the claim can rest.

One round serves one key (namespace and name of Pod and claim). It keeps nothing: whatever it learns is asked
for again in the next round, so a crash at any point is no special case.
Thread safety: one object serves all workers; the work queue keeps two of them off the same key.
"""

import logging
from collections.abc import Mapping

from ipamd import logs
from ipamd.controller.vpc_ips.executor import VpcIpExecutor
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.claim import actions as shared
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.failure_meanings import failures
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import state_machine, warnings
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.kube import errors
from ipamd.kube.watch import Key
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_MOST_STEPS = 40
"""More than any claim needs to come to rest.

A round that exceeds it is a defect or a fight with another writer.
"""
_UNSYNCED = 0.5
"""Seconds until a key is looked at again while the copies are not complete."""
_FAILED: Mapping[type, str] = {
    do.UnassignAddress: "FailedUnassignAddress",
    do.ReleaseReservation: "FailedReleaseAddress",
    do.DetachOwnEni: "FailedDetachENI",
    do.DeleteOwnEni: "FailedDeleteENI",
}
"""Reasons of the Events that tell of what was not done for a claim that nobody uses."""


class VpcIpReconciler:
    """Brings one claim as far as it gets."""

    def __init__(
        self, sight: VpcIpSight, executor: VpcIpExecutor, writer: VpcIpWriter, teller: VpcIpTeller
    ) -> None:
        self._sight = sight
        self._executor = executor
        self._writer = writer
        self._teller = teller

    def reconcile(self, key: Key) -> Result:
        """Work on the key once.

        Raises: KubeError, CloudError, NotLeaderError: nothing is lost, come back later.
        """
        if not self._sight.book.complete:
            return Result(requeue_after=_UNSYNCED)
        namespace, name = key
        with logs.about(claim=f"{namespace}/{name}", namespace=namespace, pod=name):
            return self._reconcile(key)

    def _reconcile(self, key: Key) -> Result:
        facts = self._sight.begin(self._sight.book.claim(key), key)
        for _ in range(_MOST_STEPS):
            action = state_machine.decide(facts)
            try:
                outcome = self._step(action, facts)
            except errors.ConflictError:
                outcome = self._sight.begin(self._writer.read(*key), key)
            except errors.NotFoundError as e:
                log.debug("VpcIPClaim %s/%s is gone meanwhile: %s", *key, e)
                return Result(requeue_after=1.0)
            except CloudError as e:
                self._tell_failure(action, facts, e)
                raise
            if isinstance(outcome, Result):
                self._give_hints(facts)
                return outcome
            facts = outcome
        log.warning("VpcIPClaim %s/%s does not come to rest; last facts: %s", *key, facts)
        return Result(failed=True)

    def _step(self, action: do.VpcIpAction, facts: VpcIpFacts) -> VpcIpFacts | Result:
        if isinstance(action, shared.Idle):
            return Result()
        if isinstance(action, shared.Wait):
            return self._wait(action, facts)
        seen = self._sight.look(action, facts)
        return seen if seen is not None else self._executor.execute(action, facts)

    def _wait(self, action: shared.Wait, facts: VpcIpFacts) -> Result:
        log.debug("VpcIPClaim %s waits %.1f s: %s", facts.claim, action.seconds, action.reason)
        if action.warning and facts.claim:
            self._teller.claim(facts.claim, "Warning", action.warning, action.reason)
        return Result(requeue_after=action.seconds, failed=bool(action.warning))

    def _tell_failure(self, action: do.VpcIpAction, facts: VpcIpFacts, error: CloudError) -> None:
        """Tell of what was not done, if time alone may not mend it."""
        claim = facts.claim
        if claim is None:
            return
        failed = _FAILED.get(type(action))
        if failed:
            self._teller.claim(claim, "Warning", failed, failures.told(error))
        elif error.kind.policy.needs_operator:
            self._teller.both(claim, "Warning", "FailedAddressRequest", failures.told(error))

    def _give_hints(self, facts: VpcIpFacts) -> None:
        for note in warnings.notes(facts):
            if facts.pod:
                self._teller.pod_once(facts.pod.ref, note.reason, note.message)
