"""The part of ADD that waits for the Pod's EIP; the work is done by the controller and the EIP reconciler.

It ends when the EIP is bound, when it cannot be without a person's doing, when the sandbox was taken away, or
when the time is over; each end says what is the matter.
Thread safety: any number of threads may wait.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.reconciler import EipReconciler
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.eip import binding_plan
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.timing.deadline import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class EipWait:
    """Waits for EIPs of Pods of one node."""

    node: str
    shared_ledger: SharedLedger
    claims: ClaimSource
    eip_reconciler: EipReconciler
    wanted: bool
    """Whether Pods wait for their EIP at all."""

    def eip_of(self, pod: model.PodRef) -> str:
        """Return the EIP that the Pod's claim has, as far as the watch knows; empty when it has none."""
        claim = self.claims.known(pod)
        return claim.address.eip_id if claim is not None and claim.address is not None else ""

    def is_ready(self, key: model.SandboxKey, pod: model.PodRef) -> bool:
        """Whether there is nothing to wait for."""
        owned = self.shared_ledger.current.owned_by(key)
        return owned is not None and binding_plan.is_ready(owned, self.claims.known(pod), pod)

    def wait(
        self, key: model.SandboxKey, pod: model.PodRef, deadline: Deadline, given_up: Callable[[], bool]
    ) -> None:
        """Return when the EIP of the Pod is bound to the sandbox's address.

        Raises: TryAgainError and CniError (TRY_AGAIN) with what is waited for or was refused.
        """

        def settled(shared_ledger: Ledger) -> bool:
            owned = shared_ledger.owned_by(key)
            if owned is None or given_up():
                return True
            claim = self.claims.known(pod)
            return binding_plan.is_ready(owned, claim, pod) or self._refusal(pod) is not None

        in_time = self.shared_ledger.wait(settled, deadline)
        owned = self.shared_ledger.current.owned_by(key)
        if owned is None:
            raise TryAgainError("the sandbox was deleted or replaced while its ADD was under way")
        claim = self.claims.known(pod)
        if binding_plan.is_ready(owned, claim, pod):
            return
        refusal = self._refusal(pod)
        if refusal is not None:
            raise CniError(Code.TRY_AGAIN, refusal.message, advice=refusal.advice)
        waiting = binding_plan.waited_for(claim, pod, self.node) or "the cloud to bind it"
        last = self.eip_reconciler.error(str(pod))
        said = f" (last attempt: {last})" if last else ""
        why = "not bound in time" if not in_time else "not bound, and nobody waits for it any more"
        raise TryAgainError(
            f"its EIP is {why}, it waits for {waiting}{said}",
            advice="it goes on in the background and the next ADD finds it",
        )

    def _refusal(self, pod: model.PodRef) -> IpamError | None:
        """Return what stands in the way until a person acts; None while waiting may help."""
        refused = binding_plan.refusal(self.claims.known(pod))
        if refused:
            return TryAgainError(f"its EIPClaim cannot be provisioned: {refused}")
        last = self.eip_reconciler.error(str(pod))
        if not isinstance(last, CloudError):
            return None
        # An EIP, or an ENI, that does not exist is not waited for either.
        lasts = last.kind.policy.retry_after or last.kind is CloudErrorKind.NOT_FOUND
        return last if lasts else None
