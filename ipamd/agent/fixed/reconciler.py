"""Keeps fixed addresses where the claims want them: does what `ipamd.core.vpc_ip.attach_plan` decides.

What fails is told to claim and Pod. How it is repeated, and how often: `ipamd.runtime.due_actions`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ipamd import logs
from ipamd.agent.fixed.executor import FixedExecutor
from ipamd.agent.fixed.plan import AttachPlan
from ipamd.agent.fixed.publish import VpcIpPublisher
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.errors import IpamError
from ipamd.core.vpc_ip import attach_actions
from ipamd.core.vpc_ip.attach_actions import DetachEni
from ipamd.core.vpc_ip.attach_facts import pod_of
from ipamd.runtime.due_actions import DueActions, Work
from ipamd.runtime.metric import Metric, gauge

_WORKERS: Final = 2
"""An ENI is asked for one thing at a time, and a node has a few of them."""


class FixedReconciler:
    """The fixed addresses of one node. Thread safety: any thread may call any public method."""

    def __init__(
        self,
        plan: AttachPlan,
        executor: FixedExecutor,
        *,
        shared_ledger: SharedLedger,
        announcer: VpcIpPublisher,
    ) -> None:
        """Take what says what is due, who acts, whose clock it goes by, and who tells of failures."""
        self._plan = plan
        self._executor = executor
        self._shared_ledger = shared_ledger
        self._announcer = announcer
        self._detached: list[Callable[[], None]] = []
        work = Work(
            due=self._due,
            subject_of=attach_actions.claim_uid_of,
            name_of=_name_of,
            execute=self._execute,
            failed=self._failed,
            ended=shared_ledger.wake,
            about=lambda action: logs.about(**_told_of(action)),
        )
        self._actions: DueActions[attach_actions.Action] = DueActions(
            "attach", "fixed address", work, workers=_WORKERS, clock=shared_ledger.now
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
        """Have ledger and claims compared soon; most nodes have none of both."""
        if not self._plan.is_needless:
            self._actions.trigger()

    def claims_changed(self) -> None:
        """Have them compared soon, also when the last claim is gone."""
        self._actions.trigger()

    def on_detached(self, listener: Callable[[], None]) -> None:
        """Have a listener told when an ENI has left the CVM, its EIP with it; before any is detached."""
        self._detached.append(listener)

    def room_freed(self) -> None:
        """Try again at once what was refused because the CVM had all the ENIs or public IPs it may have."""
        self._actions.relieve(CloudErrorKind.QUOTA)
        self.trigger()

    def error(self, claim_uid: str) -> IpamError | None:
        """Return why the last action for a claim failed, None after a success."""
        return self._actions.error(claim_uid)

    def errors(self) -> Mapping[str, IpamError]:
        """Return the last failures by claim UID."""
        return self._actions.errors()

    def told(self) -> Mapping[str, str]:
        """Return the last failures by claim UID, for people: what to do is in it, and when it comes again."""
        return self._actions.told()

    def metrics(self) -> Iterator[Metric]:
        """Yield how many fixed addresses there are, and how much has failed."""
        yield gauge(
            "tke_eni_fixed_addresses",
            "Fixed private addresses (VpcIPClaim) at ENIs of the node, used, held or on their way.",
            len(self._shared_ledger.current.fixed),
        )
        yield gauge(
            "tke_eni_fixed_addresses_failing",
            "VpcIPClaims of the node whose address could not be assigned or given back.",
            len(self._actions.errors()),
        )

    def _due(self) -> Sequence[attach_actions.Action] | None:
        due = self._plan.due()
        if due is None:
            return None
        self._executor.keep_only(due.claims)
        return due.actions

    def _execute(self, action: attach_actions.Action) -> None:
        self._executor.execute(action)
        if isinstance(action, DetachEni):
            for freed in (self.room_freed, *self._detached):
                freed()

    def _failed(self, action: attach_actions.Action, error: IpamError) -> None:
        if isinstance(action, attach_actions.Bring):
            self._announcer.failed(action.claim, pod_of(action.claim), error)


def _name_of(action: attach_actions.Action) -> str:
    """Return the claim's name, or the address where it is not known."""
    return action.address.ip if isinstance(action, attach_actions.OfAddress) else str(action.claim)


def _told_of(action: attach_actions.Action) -> dict[str, str]:
    """Return what the log says that an action is about."""
    if isinstance(action, attach_actions.OfAddress):
        pod = action.address.pod
        return {"eni": action.address.eni_id} | ({"namespace": pod.namespace, "pod": pod.name} if pod else {})
    return {"claim": str(action.claim)}
