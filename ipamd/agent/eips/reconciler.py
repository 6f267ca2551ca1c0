"""Keeps EIPs where the claims want them: does what `ipamd.core.eip.binding_plan` decides, again and again.

A thread compares ledger and claims after every change of either, and hands what is to be done to a few
workers, one at a time for each claim. What fails is told to the Pod and comes again after a pause; nothing
is remembered of it but its last error. What succeeds and is due as before, because a watch is behind, waits
as well.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from functools import partial

from ipamd import logs
from ipamd.agent.eips.executor import BindingExecutor, subject_of
from ipamd.agent.eips.plan import BindingPlan
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.claim import failures
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.eip import binding_plan
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.kube.errors import KubeError
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.expectations import Expectations
from ipamd.runtime.failure_cache import FailureCache
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, gauge
from ipamd.runtime.task import note_defect
from ipamd.runtime.workers import OF_JOBS, JobQueue, Workers, do_job

log = logging.getLogger(__name__)

_GATHER = 0.01
"""Seconds in which changes are gathered before they are looked at."""
_TICK = 10.0
"""Seconds after which everything is compared even if nothing has happened."""
WORKERS = 10
"""As many as a CVM may have public IPs (document 1199/41648): no Pod's EIP waits for another one's."""


class EipReconciler:
    """The EIPs of one node.

    Invariant: at most one action for a claim (or for an EIP without claim) is under way; `_under_way` names
    their subjects and is touched under `_guard` only. Thread safety: any thread may call any public method.
    """

    def __init__(
        self,
        plan: BindingPlan,
        executor: BindingExecutor,
        *,
        shared_ledger: SharedLedger,
        announcer: ClaimPublisher,
    ) -> None:
        """Take what says what is due, who acts, whose clock it goes by, and who tells of failures."""
        self._plan = plan
        self._executor = executor
        self._shared_ledger = shared_ledger
        self._announcer = announcer
        self._guard = threading.Lock()
        self._under_way: set[str] = set()
        self._failures = FailureCache(clock=shared_ledger.now, random=chance.fraction)
        self._expectations = Expectations(clock=shared_ledger.now, random=chance.fraction)
        self._jobs = JobQueue()
        self._workers = Workers("bind-worker", WORKERS, self._jobs, do_job, policy=OF_JOBS)
        # The ADD that changed the ledger has wiring to do, and needs the interpreter more.
        self._loop = Loop(
            "bind", self._round, policy=Survive(), pace=LoopPace(period=_TICK, first=None, gather=_GATHER)
        )

    def start(self) -> None:
        """Begin to compare and act."""
        self._workers.start()
        self._loop.start()

    def stop(self, timeout: float) -> bool:
        """End; actions under way are waited for, and resumed by the next start if they take longer.

        Return whether they have ended.
        """
        self._loop.stop(None)
        return self._workers.stop(timeout)

    def trigger(self) -> None:
        """Have ledger and claims compared now."""
        self._loop.trigger()

    def error(self, claim: str) -> IpamError | None:
        """Return why the last action for a claim (namespace/name) failed, None after a success."""
        return self._failures.error(claim)

    def errors(self) -> Mapping[str, IpamError]:
        """Return the last failures by claim, or by EIP where there is no claim."""
        return self._failures.errors()

    def told(self) -> Mapping[str, str]:
        """Return the same for people: what to do is in it, and when it is tried again."""
        return self._failures.told()

    def metrics(self) -> Iterator[Metric]:
        """Yield how much has failed."""
        yield gauge(
            "tke_eni_eips_failing",
            "Claims of the node whose last bind or unbind failed.",
            len(self.errors()),
        )

    def _round(self) -> None:
        due = self._plan.due()
        if due is None:
            return
        subjects = {subject_of(action) for action in due.actions}
        self._failures.keep_only(subjects)
        self._expectations.keep_only(subjects)
        self._executor.keep_only(due.claims)
        for action in due.actions:
            self._begin(action)

    def _begin(self, action: binding_plan.Action) -> None:
        subject = subject_of(action)
        with self._guard:
            if subject in self._under_way or self._failures.is_closed(subject):
                return
            if self._expectations.is_early(subject, action):
                return
            self._under_way.add(subject)
        self._jobs.submit(partial(self._carry_out, subject, action))

    def _carry_out(self, subject: str, action: binding_plan.Action) -> None:
        with logs.about(**_told_of(action)):
            self._attempt(subject, action)

    def _attempt(self, subject: str, action: binding_plan.Action) -> None:
        try:
            if self._executor.execute(action):
                # The CVM may have one more public IP now: who was refused for that need not wait.
                self._failures.relieve(CloudErrorKind.QUOTA)
            self._failures.succeeded(subject)
            self._expectations.done(subject, action)
        except TryAgainError as e:
            log.info("EIP of %s: %s", subject, e)
            self._failures.failed(subject, e)
        except IpamError as e:
            self._failed(subject, action, e)
        except Exception as e:  # a worker must give its subject back
            log.exception("EIP of %s: a defect", subject)
            note_defect()
            self._failures.failed(subject, IpamError(f"a defect of the agent: {type(e).__name__}: {e}"))
        finally:
            with self._guard:
                self._under_way.discard(subject)
            self._shared_ledger.wake()
            self.trigger()

    def _failed(self, subject: str, action: binding_plan.Action, error: IpamError) -> None:
        pause = self._failures.failed(subject, error)
        log.warning("EIP of %s: %s (again in %.0f s)", subject, error, pause)
        pod = action.address.pod if not isinstance(action, binding_plan.ClearPublishedBinding) else None
        if pod is not None:
            reason = "FailedAssociateEIP" if isinstance(action, _BINDS) else "FailedDisassociateEIP"
            self._announcer.warning(pod, reason, failures.told(error))
            claim = self._plan.kept_waiting(action, pod)
            if claim is not None and not isinstance(error, KubeError):
                self._announcer.bind_failed(claim, pod, error)


_BINDS = (binding_plan.Associate, binding_plan.PublishBinding)


def _told_of(action: binding_plan.Action) -> dict[str, str]:
    """Return what the log says that an action is about."""
    if isinstance(action, binding_plan.Disassociate):
        record, pod = action.address.eip, action.address.pod
        told = {"eni": action.address.eni_id}
        told |= {"namespace": pod.namespace, "pod": pod.name} if pod else {}
        return told | ({"eip": record.eip_id, "claim": record.claim} if record else {})
    claim = action.claim
    return {"claim": str(claim), "eip": claim.address.eip_id if claim.address else ""}
