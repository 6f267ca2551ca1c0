"""Carries out what `core.vpc_ip.state_machine` decided: one method for each action that changes something.

A method returns the facts as they are afterwards, so that the round goes on, or a Result when the effect
takes its time. Nothing here decides.
Thread safety: one object serves all workers; the work queue keeps two of them off the same claim.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.enis import ClaimEnis
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.claim import actions as shared
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube import errors
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_SOON = 0.5
"""Seconds until the effect of a write to the cloud is looked for."""
_REFUSED_PAUSE = 60.0
"""Seconds between two looks at what only a person mends, or at a Pod that can have no address where it is."""

VpcIpOutcome = VpcIpFacts | Result
VpcIpMethod = Callable[[Any, VpcIpClaim, VpcIpFacts], VpcIpFacts | VpcIpClaim | Result]
"""Takes the action that it is for; a claim in the answer is the claim as it is stored now."""


class Unassigner(Protocol):
    """What takes addresses off ENIs: `TencentCloud`."""

    def unassign_ips(self, eni_id: str, ips: list[str], deadline: Deadline) -> None:
        """Give secondary addresses back. Raises: CloudError."""


class VpcIpExecutor:
    """Invariant: no write begins unless the fence allows it."""

    def __init__(
        self,
        writer: VpcIpWriter,
        cloud: Unassigner,
        reservations: Reservations,
        enis: ClaimEnis,
        *,
        teller: VpcIpTeller,
        ports: Ports,
    ) -> None:
        self._writer = writer
        self._cloud = cloud
        self._teller = teller
        self._ports = ports
        self._methods: dict[type, VpcIpMethod] = {
            shared.AddFinalizer: lambda _action, claim, _facts: writer.hold(claim),
            shared.SetNodeLabel: lambda action, claim, _facts: writer.label(claim, action.node),
            shared.SetOwnerReference: self._belong_to,
            shared.RecordPod: lambda action, claim, _facts: writer.write_status(
                claim, status.serve(claim, action.pod)
            ),
            shared.Postpone: self._postpone,
            shared.DeleteClaim: self._delete_claim,
            shared.ClearBinding: self._clear_binding,
            shared.RedateOrder: self._redate,
            shared.DropFinalizer: self._drop_finalizer,
            do.Reserve: reservations.reserve,
            do.ReleaseReservation: reservations.release,
            do.WriteLine: self._write_line,
            do.DropLine: self._drop_line,
            do.SyncLine: self._sync_line,
            do.KeepAddress: self._keep_address,
            do.RefuseAddress: self._refuse_address,
            do.MarkUnreserved: self._mark_unreserved,
            do.MarkWithoutAddress: self._mark_without_address,
            do.ForgetEni: enis.forget,
            do.MarkGivenUp: self._mark_given_up,
            do.MarkReleasing: self._mark_releasing,
            do.UnassignAddress: self._unassign,
            do.MakeOwnEni: enis.create,
            do.DetachOwnEni: enis.detach,
            do.DeleteOwnEni: enis.delete,
        }

    def execute(self, action: do.VpcIpAction, facts: VpcIpFacts) -> VpcIpOutcome:
        """Carry the action out.

        Raises: KubeError (ConflictError: decide anew on what is stored now), CloudError, NotLeaderError.
        """
        self._ports.fence.deadline()
        if isinstance(action, do.CreateVpcIpClaim):
            return self._create(action, facts)
        if isinstance(action, do.RefusePod):
            return self._refuse_pod(action)
        if facts.claim is None:
            raise ValueError(f"{action} needs a claim")
        outcome = self._methods[type(action)](action, facts.claim, facts)
        return replace(facts, claim=outcome) if isinstance(outcome, VpcIpClaim) else outcome

    def _create(self, action: do.CreateVpcIpClaim, facts: VpcIpFacts) -> VpcIpOutcome:
        ref = action.pod.ref
        try:
            claim = self._writer.create(action.pod, action.request, action.owner)
        except errors.AlreadyExistsError:  # the cache did not have it yet
            return replace(facts, claim=self._writer.read(ref.namespace, ref.name))
        except (errors.ForbiddenError, errors.InvalidObjectError, errors.NotFoundError) as e:
            log.warning("Pod %s gets no VpcIPClaim: %s", ref, e)
            self._teller.pod_once(
                action.pod.ref,
                "FailedCreateVpcIPClaim",
                f"the API server refuses the VpcIPClaim of this Pod: {e}; it is tried again every minute",
            )
            return Result(requeue_after=_REFUSED_PAUSE, failed=True)
        log.info("VpcIPClaim %s is created for Pod UID %s", claim, ref.uid)
        # Its UID is new: neither the book nor the VPC has anything for it.
        return replace(facts, claim=claim, book=(), reservations=(), enis=())

    def _refuse_pod(self, action: do.RefusePod) -> Result:
        self._teller.pod_once(action.pod.ref, action.reason.value, action.message)
        return Result(requeue_after=_REFUSED_PAUSE) if action.passes else Result()

    def _belong_to(self, action: shared.SetOwnerReference, claim: VpcIpClaim, _: VpcIpFacts) -> VpcIpClaim:
        log.info("VpcIPClaim %s is deleted with %s from now on", claim, action.owner)
        return self._writer.belong_to(claim, action.owner)

    def _write_line(self, action: do.WriteLine, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts | Result:
        line = self._writer.enter(claim, action.address)
        if line.claim_uid == claim.uid:
            return replace(facts, book=(*(facts.book or ()), line), line=facts.line or line)
        owner = f"VpcIPClaim {line.claim_namespace}/{line.claim_name}" if line.ours else "another component"
        log.info("VpcIPClaim %s cannot have %s: %s has it", claim, line.ip, owner)
        if claim.address is not None:  # its own line was taken out of the book by force
            message = f"{line.ip} is written in the book for {owner}: delete one of both claims"
            self._teller.claim(claim, "Warning", VpcIpReason.ADDRESS_TAKEN.value, message)
            return Result(requeue_after=_REFUSED_PAUSE, failed=True)
        foreign = facts.foreign_ips | {line.ip}
        return replace(facts, foreign_ips=foreign, candidate="", use=None)

    def _drop_line(self, action: do.DropLine, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        self._writer.strike(action.line)
        log.info("VpcIPClaim %s: VpcIP %s is out of the book", claim, action.line)
        left = tuple(line for line in facts.book or () if line.ip != action.line.ip)
        return replace(facts, book=left, line=None)

    def _sync_line(self, action: do.SyncLine, claim: VpcIpClaim, _: VpcIpFacts) -> Result:
        self._writer.sync(action.line, claim)
        return Result()

    def _keep_address(self, action: do.KeepAddress, claim: VpcIpClaim, _: VpcIpFacts) -> VpcIpClaim:
        patch = status.provisioned(claim, action.address, action.reason, action.message, self._ports.clock())
        kept = self._writer.write_status(claim, patch)
        address = action.address
        log.info("VpcIPClaim %s has %s in %s", claim, address.ip, address.subnet_id)
        if address.eni_id:
            message = f"{address.ip} in {address.subnet_id}, of an ENI of its own ({address.eni_id})"
            self._teller.both(kept, "Normal", "ReservedAddress", message)
        elif address.reservation_id:
            message = f"{address.ip} in {address.subnet_id}, kept by the VPC ({address.reservation_id})"
            self._teller.both(kept, "Normal", "ReservedAddress", message)
        else:
            message = (
                f"{address.ip} in {address.subnet_id} is kept by this cluster only, as the VPC reserves no "
                f"address ({action.message}): keep the subnet for this cluster's Pods"
            )
            self._teller.both(kept, "Warning", "AddressNotReserved", message)
        return kept

    def _refuse_address(self, action: do.RefuseAddress, claim: VpcIpClaim, _: VpcIpFacts) -> VpcIpClaim:
        patch = status.refuse_address(claim, action.message, self._ports.clock())
        written = self._writer.write_status(claim, patch)
        self._teller.both(written, "Warning", VpcIpReason.ADDRESS_IN_USE.value, action.message)
        return written

    def _mark_unreserved(self, action: do.MarkUnreserved, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        patch = status.not_reserved(claim, action.reason, action.message, self._ports.clock())
        if patch is not None:
            claim = self._writer.write_status(claim, patch)
        return replace(facts, claim=claim, reserve_again=False)

    def _mark_without_address(
        self, action: do.MarkWithoutAddress, claim: VpcIpClaim, _: VpcIpFacts
    ) -> Result:
        patch = status.not_provisioned(claim, action.reason, action.message, self._ports.clock())
        if patch is not None:
            claim = self._writer.write_status(claim, patch)
        self._teller.both(claim, "Warning", action.reason.value, action.message)
        return Result(requeue_after=_REFUSED_PAUSE, failed=True)

    def _mark_given_up(self, action: do.MarkGivenUp, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        patch = status.given_up(claim, action.reason, action.message, self._ports.clock())
        claim = self._writer.write_status(claim, patch)
        ip = claim.address.ip if claim.address else ""
        message = f"{ip} is kept by this cluster only, and assigned once more: {action.message}"
        self._teller.both(claim, "Warning", "ReservationGivenUp", message)
        return replace(facts, claim=claim, reserve_again=False)

    def _mark_releasing(self, action: do.MarkReleasing, claim: VpcIpClaim, _: VpcIpFacts) -> VpcIpClaim:
        patch = status.releasing(claim, self._ports.clock())
        if patch is not None:
            claim = self._writer.write_status(claim, patch)
        if action.pod_runs and claim.address is not None:
            message = f"{claim.address.ip} stays Pod {claim}'s until the Pod is gone; then it is given back"
            self._teller.both(claim, "Normal", "ReleaseWaitsForPod", message)
        return claim

    def _postpone(self, action: shared.Postpone, claim: VpcIpClaim, _: VpcIpFacts) -> Result:
        reason, message = VpcIpReason(action.obstacle.reason.value), action.obstacle.message
        patch = status.not_provisioned(claim, reason, message, self._ports.clock())
        if patch is not None:
            self._writer.write_status(claim, patch)
        self._teller.served_once(claim, reason.value, message)
        return Result(requeue_after=_REFUSED_PAUSE)

    def _delete_claim(
        self, action: shared.DeleteClaim, claim: VpcIpClaim, facts: VpcIpFacts
    ) -> VpcIpFacts | Result:
        self._writer.delete(claim)
        log.info("VpcIPClaim %s is deleted: %s", claim, action.reason)
        if action.event:
            self._teller.claim(claim, "Normal", action.event, action.reason)
        left = self._writer.read(claim.namespace, claim.name)
        return replace(facts, claim=left) if left else Result()

    def _unassign(self, action: do.UnassignAddress, claim: VpcIpClaim, _: VpcIpFacts) -> Result:
        self._teller.claim(
            claim, "Normal", VpcIpReason.NODE_GONE.value, f"unassigning {action.ip} from {action.eni_id}"
        )
        self._cloud.unassign_ips(action.eni_id, [action.ip], self._ports.fence.deadline())
        log.info(
            "VpcIPClaim %s: %s is taken off %s in the place of a node that is gone",
            claim,
            action.ip,
            action.eni_id,
        )
        return Result(requeue_after=_SOON)

    def _clear_binding(self, action: shared.ClearBinding, claim: VpcIpClaim, _: VpcIpFacts) -> VpcIpClaim:
        patch = status.unassigned(claim, VpcIpReason.NODE_GONE, action.message, self._ports.clock())
        return self._writer.write_status(claim, patch)

    def _redate(self, _: shared.RedateOrder, claim: VpcIpClaim, __: VpcIpFacts) -> VpcIpClaim:
        log.warning("VpcIPClaim %s: its order has a date that is still to come, which counts as now", claim)
        return self._writer.write_status(claim, status.redate_order(claim, self._ports.clock()))

    def _drop_finalizer(self, _: shared.DropFinalizer, claim: VpcIpClaim, __: VpcIpFacts) -> Result:
        self._writer.let_go(claim)
        log.info("VpcIPClaim %s is gone", claim)
        return Result()
