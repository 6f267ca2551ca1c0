"""The part of ADD that waits for the Pod's fixed address; the work is done by controller and reconciler.

It ends when the address is at the node for this Pod, when it cannot be without a person's doing, when the
sandbox was taken away, or when the time is over; each end says what is the matter.
Thread safety: any number of threads may wait.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.agent.fixed.reconciler import FixedReconciler
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.ledger.acquisition import Attachment, resumable
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import attach_waits, placement
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedWait:
    """Waits for fixed addresses of Pods of one node."""

    node: str
    zone: Callable[[], str]
    """Where the node is."""
    shared_ledger: SharedLedger
    claims: VpcIpClaimSource
    reconciler: FixedReconciler

    def ip_of(self, pod: model.PodRef) -> str:
        """Return the address that the Pod may have, as far as the watch knows; empty while it has none."""
        return attach_waits.fixed_ip(self.claims.known(pod), pod, self.shared_ledger.current)

    def wait(self, attachment: Attachment, deadline: Deadline, given_up: Callable[[], bool]) -> None:
        """Return when the Pod's address may be given to the sandbox, or nobody waits for it any more.

        Raises: TryAgainError and CniError (TRY_AGAIN) with what is waited for or was refused.
        """
        pod = attachment.pod
        if not self.claims.has_synced:
            self.claims.ask_soon()
        refused: list[IpamError] = []

        def settled(ledger: Ledger) -> bool:
            claim = self.claims.known(pod)
            if _is_ready(ledger, attachment, attach_waits.fixed_ip(claim, pod, ledger)) or given_up():
                return True
            refusal = self._refusal(claim, exclusive=attachment.exclusive)
            refused[:] = [refusal] if refusal is not None else []
            return bool(refused)

        in_time = self.shared_ledger.wait(settled, deadline)
        if refused:
            raise CniError(Code.TRY_AGAIN, refused[0].message, advice=refused[0].advice)
        if not in_time:
            raise TryAgainError(
                f"its fixed address is not at the node in time: it waits for {self.waited_for(pod)}",
                advice="it goes on in the background and the next ADD finds it; if it lasts, see `kubectl "
                f"describe vipc {pod.name} -n {pod.namespace}`, and without one the log of the controller",
            )

    def waited_for(self, pod: model.PodRef) -> str:
        """Say in words what a Pod without its fixed address waits for."""
        claim = self.claims.known(pod)
        if claim is None and not self.claims.has_synced:
            why = self.claims.problem or "the API server has not answered yet"
            return f"the VpcIPClaims of this node, which are not known: {why}"
        waiting = attach_waits.waited_for(claim, pod, self.node)
        if not waiting and claim is not None and claim.address is not None:
            if placement.misplaced(claim, self.node, self.zone()):
                return f"a node in zone {claim.address.zone}, where its address {claim.address.ip} is"
            eni_id = claim.address.eni_id
            what = f"attach {eni_id} with {claim.address.ip}" if eni_id else f"assign {claim.address.ip}"
            waiting = f"the cloud to {what}"
        last = self.reconciler.error(claim.uid) if claim is not None else None
        return f"{waiting} (last attempt: {last})" if last else waiting

    def _refusal(self, claim: VpcIpClaim | None, *, exclusive: bool) -> IpamError | None:
        """Return what stands in the way until a person acts; None while waiting may help."""
        if claim is None or claim.deleting:
            return None
        if differs := attach_waits.other_network(claim, exclusive=exclusive):
            return TryAgainError(differs)
        if misplaced := placement.misplaced(claim, self.node, self.zone()):
            return misplaced
        if refused := attach_waits.refusal(claim):
            return TryAgainError(f"its VpcIPClaim cannot be served: {refused}")
        last = self.reconciler.error(claim.uid)
        return last if isinstance(last, CloudError) and last.kind.policy.retry_after else None


def _is_ready(ledger: Ledger, attachment: Attachment, ip: str) -> bool:
    address = ledger.addresses.get(ip)
    # What the claim says may have changed since the ADD has read it: it reads it again.
    return address is not None and resumable(address, attachment.with_fixed_ip(ip))
