"""Changing the EIP of a claim while it stays bound: each step written down, then given to the cloud once.

No step has a ClientToken. So the step stands in the claim before the cloud is asked, and whoever comes after
a crash looks for its effect first (`ipamd.core.claim.change` decides). A step that the cloud has refused for
certain is not under way, and the claim says why; one whose answer was lost is taken to be under way.
Thread safety: any thread may call any method, for different claims.
"""

import logging
from typing import Final

from ipamd.controller.claims.ports import Ports
from ipamd.core.claim import change_status
from ipamd.core.claim.actions import CarryAttributes, ChangeEip, FinishChange, RefuseChange
from ipamd.core.claim.eip_change import SetBandwidth
from ipamd.core.claim.eipclaim import UP_TO_DATE, Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cloud_errors.policy import Outcome
from ipamd.core.failure_meanings import failures
from ipamd.kube import errors
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_SOON: Final = 0.3
"""Seconds until the effect of a step is looked for."""
_LATER: Final = 1.0
"""The same for one whose answer was lost."""
_LEAST_PAUSE: Final = 30.0
"""Seconds between two tries of what the cloud refuses and may grant later."""
_OLD_DEFINITION_PAUSE: Final = 600.0
"""Seconds until it is tried whether the API server keeps all of a claim now."""
_FOR_GOOD: Final = frozenset({"LimitExceeded.ModifyAddressInternetChargeTypeQuota"})
"""Codes that no time mends, whatever their kind."""


class EipChanges:
    """Invariant: a step is given to the cloud only after the claim says that it was begun."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def carry(self, claim: Claim, action: CarryAttributes) -> Claim:
        """Write into the spec what the Pod's annotation says.

        What the API server does not take (by rules of an earlier release, or of a webhook) is told and not
        tried again: else it would keep the claim from all that comes after it.
        Raises: KubeError.
        """
        if action.order is None:
            return self._ports.writer.carry(claim, None, action.mark)
        try:
            carried = self._ports.writer.carry(claim, action.order, action.mark)
        except (errors.InvalidObjectError, errors.ForbiddenError) as e:
            marked = self._ports.writer.carry(claim, None, action.mark)
            message = (
                f"the edit of the Pod's annotation is not taken into EIPClaim {claim}: {e}; if the "
                "CustomResourceDefinition is of an earlier release, apply deploy/crd.yaml; then edit again"
            )
            log.warning("%s", message)
            self._ports.teller.both(claim, "Warning", Reason.CHANGE_REFUSED.value, message)
            return marked
        log.info("claim %s: the annotation of its Pod was edited: %s", claim, action.mark)
        return carried

    def change(self, claim: Claim, action: ChangeEip) -> Result:
        """Give the step to the cloud; its effect is found by the next look.

        Raises: KubeError when the claim cannot be written; CloudError for what is tried again by itself;
        NotLeaderError. An API server that does not keep the record has nothing changed.
        """
        try:
            self._ports.cloud.check_change(action.eip_id, action.step)
        except CloudError as e:
            return self._refused(claim, e)
        if isinstance(action.step, SetBandwidth):
            outside = self._outside_range(action.eip_id, action.step.mbps)
            if outside:
                return self.refuse(claim, RefuseChange(message=outside))
        begun = change_status.begun(claim, action.step, self._ports.clock())
        claim = self._ports.writer.write_status(claim, begun)
        if claim.change is None:
            return self._not_kept(claim)  # whoever comes after a crash would take the step once more
        self._ports.changes.forget(claim.uid)
        self._ports.teller.both(claim, "Normal", Reason.CHANGING.value, f"{action.eip_id}: {action.step}")
        try:
            task_id = self._ports.cloud.change_eip(action.eip_id, action.step, self._ports.fence.deadline())
        except CloudError as e:
            return self._failed(claim, e)
        log.info("claim %s: %s: %s is accepted", claim, action.eip_id, action.step)
        self._ports.changes.accepted(claim.uid, action.eip_id, task_id)
        return Result(requeue_after=_SOON)

    def finish(self, claim: Claim, action: FinishChange) -> Claim | Result:
        """Record that the EIP is as the spec says; a confirmation is used up. Raises: KubeError."""
        asked = claim.change is not None or condition(claim.conditions, UP_TO_DATE).get("status") == "False"
        claim = self._use_up_confirmation(claim)
        patch = change_status.finished(claim, action.message, self._ports.clock())
        claim = self._ports.writer.write_status(claim, patch)
        self._ports.changes.forget(claim.uid)
        if claim.attributes is None:
            return self._not_kept(claim)
        if asked:
            log.info("claim %s: %s", claim, action.message)
            self._ports.teller.both(claim, "Normal", Reason.CHANGED.value, action.message)
        return claim

    def refuse(self, claim: Claim, action: RefuseChange) -> Result:
        """Say why the EIP stays as it is, until somebody edits the claim. Raises: KubeError."""
        order = claim.request.order if claim.request else None
        if order and claim.confirmed == order.charge_type:
            claim = self._use_up_confirmation(claim)
        self._say_refused(claim, action.message, for_good=True)
        return Result()

    def _not_kept(self, claim: Claim) -> Result:
        """Leave a claim alone of whose status the API server drops what changes need."""
        message = (
            "the EIP stays as it is: the CustomResourceDefinition eipclaims.networking.tke.cloud.tencent.com "
            "of this cluster is of an earlier release and drops status.change and status.attributes; apply "
            "that of this release (deploy/crd.yaml)"
        )
        log.warning("claim %s: %s", claim, message)
        self._ports.teller.both(claim, "Warning", Reason.CHANGE_REFUSED.value, message)
        return Result(requeue_after=_OLD_DEFINITION_PAUSE, failed=True)

    def _outside_range(self, eip_id: str, mbps: int) -> str:
        """Return why the EIP cannot have the bandwidth; empty when it can, or nobody says."""
        try:
            least, most = self._ports.cloud.describe_bandwidth_range(eip_id, self._ports.fence.deadline())
        except CloudError as e:
            log.debug("which bandwidths %s may have is not known: %s", eip_id, e)
            return ""
        if least <= mbps <= most:
            return ""
        return (
            f"{eip_id} cannot have {mbps} Mbps as it is billed: allowed are {least} to {most} Mbps; edit "
            "bandwidthMbps, or chargeType and bandwidthPackageID"
        )

    def _failed(self, claim: Claim, error: CloudError) -> Result:
        """Deal with a step that was given to the cloud and not accepted."""
        # An INTERNAL error tells little of what the cloud has done, and no step may be taken twice.
        certain = error.kind.policy.outcome is Outcome.NOTHING and error.kind is not CloudErrorKind.INTERNAL
        if not certain:
            log.warning("claim %s: whether its EIP is being changed is not known: %s", claim, error)
            return Result(requeue_after=_LATER)
        if error.kind in (CloudErrorKind.BUSY, CloudErrorKind.THROTTLED):
            self._ports.writer.write_status(claim, change_status.stopped(claim))
            raise error
        return self._refused(claim, error)

    def _refused(self, claim: Claim, error: CloudError) -> Result:
        for_good = error.kind is CloudErrorKind.INVALID or error.code in _FOR_GOOD
        if for_good:
            message = f"{error}; the EIP stays as it is until the claim is edited"
            return self.refuse(claim, RefuseChange(message=message))
        self._say_refused(claim, failures.told(error), for_good=False)
        pause = max(_LEAST_PAUSE, failures.of_order(error).pause)
        return Result(requeue_after=pause, failed=True)

    def _say_refused(self, claim: Claim, message: str, *, for_good: bool) -> None:
        log.warning("claim %s: its EIP is not changed: %s", claim, message)
        patch = change_status.refused(claim, message, self._ports.clock(), for_good=for_good)
        if patch is not None:
            claim = self._ports.writer.write_status(claim, patch)
        self._ports.changes.forget(claim.uid)
        self._ports.teller.both(claim, "Warning", Reason.CHANGE_REFUSED.value, message)

    def _use_up_confirmation(self, claim: Claim) -> Claim:
        return self._ports.writer.unconfirm(claim) if claim.confirmed else claim
