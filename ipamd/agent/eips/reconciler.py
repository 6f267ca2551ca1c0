"""Keeps EIPs where the claims want them: does what `ipamd.core.eip.binding_plan` decides, again and again.

What fails is told to the Pod. How it is repeated, and how often: `ipamd.runtime.due_actions`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from ipamd import logs
from ipamd.agent.eips.executor import BindingExecutor, subject_of
from ipamd.agent.eips.plan import BindingPlan
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.eip import binding_plan
from ipamd.core.errors import IpamError
from ipamd.core.failure_meanings import failures
from ipamd.kube.errors import KubeError
from ipamd.runtime.due_actions import DueActions, Work
from ipamd.runtime.metric import Metric, gauge

WORKERS = 10
"""As many as a CVM may have public IPs (document 1199/41648): no Pod's EIP waits for another one's."""


class EipReconciler:
    """The EIPs of one node. Thread safety: any thread may call any public method."""

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
        self._announcer = announcer
        self._freed: list[Callable[[], None]] = []
        work = Work(
            due=self._due,
            subject_of=subject_of,
            name_of=subject_of,
            execute=self._execute,
            failed=self._failed,
            ended=shared_ledger.wake,
            about=lambda action: logs.about(**binding_plan.about(action)),
        )
        self._actions: DueActions[binding_plan.Action] = DueActions(
            "bind", "EIP", work, workers=WORKERS, clock=shared_ledger.now
        )

    def start(self) -> None:
        """Begin to compare and act."""
        self._actions.start()

    def stop(self, timeout: float) -> bool:
        """End; actions under way are waited for, and resumed by the next start if they take longer.

        Return whether they have ended.
        """
        return self._actions.stop(timeout)

    def trigger(self) -> None:
        """Have ledger and claims compared soon, with what else changes; most nodes have none of both."""
        if not self._plan.is_needless:
            self._actions.trigger()

    def hurry(self) -> None:
        """Have them compared now: an ADD may wait for the claim that has changed."""
        self._actions.hurry()

    def on_freed(self, listener: Callable[[], None]) -> None:
        """Have a listener told when an EIP has left the CVM; before anything is unbound."""
        self._freed.append(listener)

    def public_ip_freed(self) -> None:
        """Try again at once what was refused because the CVM had all the public IPs that it may have."""
        self._actions.relieve(CloudErrorKind.QUOTA)
        self.trigger()

    def error(self, claim: str) -> IpamError | None:
        """Return why the last action for a claim (namespace/name) failed, None after a success."""
        return self._actions.error(claim)

    def errors(self) -> Mapping[str, IpamError]:
        """Return the last failures by claim, or by EIP where there is no claim."""
        return self._actions.errors()

    def told(self) -> Mapping[str, str]:
        """Return the same for people: what to do is in it, and when it is tried again."""
        return self._actions.told()

    def metrics(self) -> Iterator[Metric]:
        """Yield how much has failed."""
        yield gauge(
            "tke_eni_eips_failing",
            "Claims of the node whose last bind or unbind failed.",
            len(self.errors()),
        )

    def _due(self) -> Sequence[binding_plan.Action] | None:
        due = self._plan.due()
        if due is None:
            return None
        self._executor.keep_only(due.claims)
        return due.actions

    def _execute(self, action: binding_plan.Action) -> None:
        if self._executor.execute(action):
            # The CVM may have one more public IP now: who was refused for that need not wait.
            for freed in (self.public_ip_freed, *self._freed):
                freed()

    def _failed(self, action: binding_plan.Action, error: IpamError) -> None:
        pod = action.address.pod if not isinstance(action, binding_plan.ClearPublishedBinding) else None
        if pod is not None:
            reason = "FailedAssociateEIP" if isinstance(action, _BINDS) else "FailedDisassociateEIP"
            self._announcer.warning(pod, reason, failures.told(error))
            claim = self._plan.kept_waiting(action, pod)
            if claim is not None and not isinstance(error, KubeError):
                self._announcer.bind_failed(claim, pod, error)


_BINDS = (binding_plan.Associate, binding_plan.PublishBinding)
