"""Carries out what `claim_rules` decided: one method for each action that changes something.

A method returns the facts as they are afterwards, so that the round goes on, or a Result when the effect
takes its time. Nothing here decides; what a method needs to know stands in the action.
Thread safety: one object serves all workers; the work queue keeps two of them off the same claim.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ipamd.controller.claims.eip_changes import EipChanges
from ipamd.controller.claims.eip_selection import EipSelection
from ipamd.controller.claims.ports import Ports
from ipamd.controller.claims.provisioning import Provisioning
from ipamd.core.claim import actions as do
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.facts import ClaimFacts
from ipamd.core.claim.reason import Reason
from ipamd.core.model import PodRef
from ipamd.kube import errors
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_SOON = 0.5
"""Seconds until the effect of an unbind or a release is looked for."""
_REFUSED_PAUSE = 60.0
"""Seconds between two looks at what only a person mends."""
_OBSTACLE_PAUSE = 60.0
"""Seconds between two looks at a Pod that can have no EIP where it is; what changes that wakes it before."""
_STOPPED_PAUSE = 10.0
"""Seconds between two looks at whether releases are allowed again."""

Outcome = ClaimFacts | Result
Method = Callable[[Any, Claim], Claim | Result]
"""Takes the action that it is for."""


class Executor:
    """Invariant: no write begins unless the fence allows it."""

    def __init__(self, orders: Provisioning, choices: EipSelection, ports: Ports) -> None:
        self._orders = orders
        self._choices = choices
        self._changes = EipChanges(ports)
        self._ports = ports
        self._methods: dict[type, Method] = {
            do.AddFinalizer: self._hold,
            do.SetNodeLabel: self._move_to,
            do.SetOwnerReference: self._belong_to,
            do.RecordPod: self._serve,
            do.Allocate: self._allocate,
            do.Choose: self._choose,
            do.RecordAddress: self._record_address,
            do.MarkNotProvisioned: self._refuse,
            do.Postpone: self._postpone,
            do.CarryAttributes: lambda action, claim: self._changes.carry(claim, action),
            do.ChangeEip: lambda action, claim: self._changes.change(claim, action),
            do.FinishChange: lambda action, claim: self._changes.finish(claim, action),
            do.RefuseChange: lambda action, claim: self._changes.refuse(claim, action),
            do.DeleteClaim: self._delete_claim,
            do.DisassociateEip: self._disassociate,
            do.ClearBinding: self._clear_binding,
            do.Release: self._release,
            do.RedateOrder: self._redate,
            do.DropFinalizer: self._drop_finalizer,
        }

    def execute(self, action: do.Action, facts: ClaimFacts) -> Outcome:
        """Carry the action out.

        Raises: KubeError (ConflictError: decide anew on what is stored now), CloudError,
        NotLeaderError.
        """
        self._ports.fence.deadline()
        if isinstance(action, do.Create):
            return self._create(action, facts)
        if isinstance(action, do.RejectPod):
            return self._reject(action)
        if facts.claim is None:
            raise ValueError(f"{action} needs a claim")
        outcome = self._methods[type(action)](action, facts.claim)
        return replace(facts, claim=outcome) if isinstance(outcome, Claim) else outcome

    def _create(self, action: do.Create, facts: ClaimFacts) -> Outcome:
        try:
            claim = self._ports.writer.create(action.pod, action.request, action.owner)
        except errors.AlreadyExistsError:
            ref = action.pod.ref  # the cache did not have it yet
            return replace(facts, claim=self._ports.writer.read(ref.namespace, ref.name))
        except (errors.ForbiddenError, errors.InvalidObjectError) as e:
            # Only a person mends that: a quota of the namespace, an admission policy, a missing right.
            log.warning("Pod %s gets no EIPClaim: %s", action.pod.ref, e)
            self._ports.teller.pod_once(
                action.pod.ref,
                "FailedCreateEIPClaim",
                f"the API server refuses the EIPClaim of this Pod: {e}; it is tried again every minute",
            )
            return Result(requeue_after=_REFUSED_PAUSE, failed=True)
        log.info("claim %s is created for Pod UID %s", claim, action.pod.ref.uid)
        # Its UID is new: the cloud has nothing that was ordered for it, and need not be asked.
        return replace(facts, claim=claim, eips=())

    def _reject(self, action: do.RejectPod) -> Result:
        self._ports.teller.pod(action.pod.ref, "Warning", action.reason.value, action.message)
        return Result()

    def _hold(self, _: do.AddFinalizer, claim: Claim) -> Claim:
        return self._ports.writer.hold(claim)

    def _move_to(self, action: do.SetNodeLabel, claim: Claim) -> Claim:
        return self._ports.writer.label(claim, action.node)

    def _belong_to(self, action: do.SetOwnerReference, claim: Claim) -> Claim:
        log.info("claim %s is deleted with %s from now on", claim, action.owner)
        return self._ports.writer.belong_to(claim, action.owner)

    def _serve(self, action: do.RecordPod, claim: Claim) -> Claim:
        return self._ports.writer.write_status(claim, status.serve(claim, action.pod))

    def _allocate(self, action: do.Allocate, claim: Claim) -> Result:
        return self._orders.give(claim, action)

    def _choose(self, action: do.Choose, claim: Claim) -> Claim | Result:
        outcome = self._choices.choose(claim, action, self._record_address)
        if isinstance(outcome, do.MarkNotProvisioned):
            return self._refuse(outcome, claim)
        return Result(requeue_after=outcome.seconds, failed=True) if isinstance(outcome, do.Wait) else outcome

    def _record_address(self, action: do.RecordAddress, claim: Claim) -> Claim:
        address, order = action.address, self._ports.in_flight.ordered(claim.uid)
        patch = status.provisioned(
            claim,
            address,
            action.reason,
            self._ports.clock(),
            request_id=order.request_id if order and order.eip_id == address.eip_id else "",
        )
        recorded = self._ports.writer.write_status(claim, patch)
        log.info("claim %s has %s (%s)", claim, address.eip_id, address.public_ip)
        self._ports.teller.both(
            recorded, "Normal", f"{action.reason.value}EIP", f"{address.eip_id}, {address.public_ip}"
        )
        return recorded

    def _refuse(self, action: do.MarkNotProvisioned, claim: Claim) -> Result:
        patch = status.not_provisioned(
            claim, action.reason, action.message, self._ports.clock(), certain=False
        )
        if patch is not None:
            claim = self._ports.writer.write_status(claim, patch)
        self._ports.teller.both(claim, "Warning", action.reason.value, action.message)
        return Result(requeue_after=_REFUSED_PAUSE, failed=True)

    def _postpone(self, action: do.Postpone, claim: Claim) -> Result:
        reason, message = action.obstacle
        patch = status.not_provisioned(claim, reason, message, self._ports.clock(), certain=False)
        if patch is not None:
            claim = self._ports.writer.write_status(claim, patch)
        pod = PodRef(namespace=claim.namespace, name=claim.name, uid=claim.pod_uid)
        self._ports.teller.pod_once(pod, reason.value, message)
        return Result(requeue_after=_OBSTACLE_PAUSE)

    def _delete_claim(self, action: do.DeleteClaim, claim: Claim) -> Claim | Result:
        self._ports.writer.delete(claim)
        log.info("claim %s is deleted: %s", claim, action.reason)
        if action.event:
            self._ports.teller.claim(claim, "Normal", action.event, action.reason)
        return self._ports.writer.read(claim.namespace, claim.name) or Result()

    def _disassociate(self, action: do.DisassociateEip, claim: Claim) -> Result:
        self._ports.cloud.disassociate_eip(action.eip_id, self._ports.fence.deadline())
        reason, place = Reason.NODE_GONE, "in the place of a node that is gone"
        if action.leaves_eni:
            reason, place = Reason.UNBOUND, f"from {action.leaves_eni}, which it is not to stay at"
        log.info("claim %s: %s is unbound %s", claim, action.eip_id, place)
        self._ports.teller.claim(claim, "Normal", reason.value, f"unbinding {action.eip_id} {place}")
        return Result(requeue_after=_SOON)

    def _clear_binding(self, action: do.ClearBinding, claim: Claim) -> Claim:
        patch = status.unbound(claim, Reason.NODE_GONE, action.message, self._ports.clock())
        return self._ports.writer.write_status(claim, patch)

    def _release(self, action: do.Release, claim: Claim) -> Result:
        for eip_id in action.eip_ids:
            stopped_by = self._ports.release_stopped()
            if stopped_by:
                log.warning("claim %s: %s is not released: %s", claim, eip_id, stopped_by)
                self._ports.teller.claim(claim, "Warning", "ReleasesStopped", f"{eip_id}: {stopped_by}")
                return Result(requeue_after=_STOPPED_PAUSE)
            self._ports.cloud.release_eip(eip_id, self._ports.fence.deadline())
            self._ports.in_flight.release_accepted(
                claim.uid, eip_id, tagged=eip_id in action.tagged, only=not action.looked
            )
            log.info("claim %s: %s is released", claim, eip_id)
            self._ports.teller.claim(claim, "Normal", "ReleasedEIP", eip_id)
        return Result(requeue_after=_SOON)

    def _redate(self, _: do.RedateOrder, claim: Claim) -> Claim:
        log.warning("claim %s: its order has a date that is still to come, which counts as now", claim)
        return self._ports.writer.write_status(claim, status.redate_attempt(claim, self._ports.clock()))

    def _drop_finalizer(self, _: do.DropFinalizer, claim: Claim) -> Result:
        self._ports.writer.let_go(claim)
        released = len(self._ports.in_flight.released(claim.uid, frozenset()))
        freed = max(released, 1 if claim.address and claim.address.owned else 0)
        self._ports.in_flight.forget(claim.uid)
        self._ports.changes.forget(claim.uid)
        log.info("claim %s is gone", claim)
        if freed:
            self._ports.cloud.release_completed()
            self._ports.on_freed(freed)
        return Result()
