"""Ordering an EIP for a claim, so that whatever happens one order makes at most one EIP, known by its tag.

The attempt is written into the claim before the cloud is asked, its number makes the ClientToken, and the EIP
carries the claim's UID as a tag. A refusal becomes the claim's condition and an Event; only one that is
certain lets the claim forget that an order was given.
Claims that were refused for lack of quota try again one after the other: of many that wait for one EIP to
come free the first gets it, the second is refused, and the rest learn of that without an order or a write.
Thread safety: any thread may call any method, for different claims.
"""

import dataclasses
import logging
import threading

from ipamd.controller.account.account_type import AccountChecks
from ipamd.controller.claims.ports import Ports
from ipamd.core import tags
from ipamd.core.annotations.eip_attributes import BY_CVM
from ipamd.core.claim import status
from ipamd.core.claim.actions import Allocate
from ipamd.core.claim.eipclaim import PROVISIONED, Claim, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.eip.tagging import Tagging
from ipamd.core.failure_meanings import failures
from ipamd.core.model import EipOrder
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_SOON = 0.1
"""Seconds until an order that the account refused is given in another form."""
_QUOTA_LOCK_SECONDS = 1.0
"""Seconds for which a worker waits for the one that tries again for quota, and then leaves it for as long."""
_BY_CVM = (
    "the account bills EIPs by CVM (LEGACY): bandwidth and charge type of this EIP are the CVM's, not those "
    f"of eip-attributes; to say so, annotate InternetChargeType {BY_CVM} and no Bandwidth"
)


class Provisioning:
    """Invariant: at most one order of a claim that was refused for lack of quota is under way."""

    def __init__(self, cluster_id: str, ports: Ports, account: AccountChecks) -> None:
        """Take the cluster's id, which every EIP is tagged with, and what knows the account's type."""
        self._cluster_id = cluster_id
        self._ports = ports
        self._account = account
        self._quota_lock = threading.Lock()
        self._limits = ports.tag_limits

    def give(self, claim: Claim, action: Allocate) -> Result:
        """Order the EIP of the claim; the EIP itself is found by the next look.

        Raises: KubeError when the claim cannot be written; NotLeaderError.
        """
        if condition(claim.conditions, PROVISIONED).get("reason") != Reason.QUOTA_EXCEEDED.value:
            return self._check(claim, action) or self._send(claim, action)
        refusal = self._check(claim, action)
        if refusal:  # most come to this, and need no turn for it
            return refusal
        if not self._quota_lock.acquire(timeout=_QUOTA_LOCK_SECONDS):
            return Result(requeue_after=_QUOTA_LOCK_SECONDS)
        try:
            return self._check(claim, action) or self._send(claim, action)
        finally:
            self._quota_lock.release()

    def _check(self, claim: Claim, action: Allocate) -> Result | None:
        """Refuse what the cloud is known to refuse: nothing is written for an order that is not sent."""
        try:
            self._ports.cloud.check_order(self._account.fit(action.order))
        except CloudError as e:
            if action.pod is not None:
                claim = self._ports.writer.write_status(claim, status.serve(claim, action.pod))
            return self._refused(claim, action, e)
        return None

    def _send(self, claim: Claim, action: Allocate) -> Result:
        if not action.begun:
            intent = status.begin_attempt(claim, action.attempt, self._ports.clock(), action.pod)
            claim = self._ports.writer.write_status(claim, intent)
            self._ports.in_flight.order_begun(claim.uid)
        tagging = self._limits.tagging
        try:
            fitted = self._account.fit(action.order)
            order = self._ports.cloud.allocate_eip(
                dataclasses.replace(fitted, name=_name(claim, fitted, tagging)),
                tagging.tags_of(self._cluster_id, claim.uid),
                tags.client_token(claim.uid, action.attempt),
                self._ports.fence.deadline(),
            )
        except CloudError as e:
            # Tags of the Pod's own may be the cause, and are no reason for others to have fewer.
            if e.kind is CloudErrorKind.TAGS and not fitted.tags and self._limits.refused(tagging):
                return self._give_fewer_tags(claim, action, e)
            if failures.is_answer(e):
                self._ports.in_flight.order_refused(claim.uid)
            return self._refused(claim, action, e)
        log.info("claim %s: %s is ordered", claim, order.eip_id)
        self._ports.in_flight.order_accepted(claim.uid, order)
        if fitted.bandwidth_mbps != action.order.bandwidth_mbps:
            self._ports.teller.both(claim, "Normal", "BilledByCVM", _BY_CVM)
        return Result(requeue_after=self._ports.in_flight.delivery_in(claim.uid))

    def _give_fewer_tags(self, claim: Claim, action: Allocate, error: CloudError) -> Result:
        """Begin another attempt, as one token may not stand for two different orders.

        But not if an earlier sending may have been carried out: with its token none is made twice.
        """
        if not action.begun:
            self._ports.writer.write_status(
                claim, status.begin_attempt(claim, action.attempt + 1, self._ports.clock())
            )
            self._ports.in_flight.order_begun(claim.uid)
        message = f"{error}; the EIP is ordered with fewer tags and known by its name"
        log.warning("claim %s: %s", claim, message)
        self._ports.teller.both(claim, "Warning", "EIPTagsRefused", message)
        return Result(requeue_after=_SOON)

    def _refused(self, claim: Claim, action: Allocate, error: CloudError) -> Result:
        meaning = failures.of_order(error)
        known = condition(claim.conditions, PROVISIONED).get("reason") == meaning.reason.value
        log.log(logging.DEBUG if known else logging.WARNING, "claim %s gets no EIP: %s", claim, error)
        # An earlier call of the attempt may have been carried out although this one was refused.
        certain = meaning.refused and not action.begun
        patch = status.not_provisioned(
            claim, meaning.reason, failures.told(error), self._ports.clock(), certain=certain
        )
        if patch is not None:
            claim = self._ports.writer.write_status(claim, patch)
        if failures.spends_token(error):
            self._ports.writer.write_status(
                claim, status.begin_attempt(claim, action.attempt + 1, self._ports.clock())
            )
        self._ports.teller.both(claim, "Warning", "FailedAllocateEIP", failures.told(error))
        return Result(requeue_after=meaning.pause, failed=True)


def _name(claim: Claim, order: EipOrder, tagging: Tagging) -> str:
    """Return the user's name for the EIP, or the claim's, by which it is known without the tag of the UID."""
    if order.name and tagging is Tagging.FULL:
        return order.name
    return tags.name_of(claim.namespace, claim.name, claim.uid)
