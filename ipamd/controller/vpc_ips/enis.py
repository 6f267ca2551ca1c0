"""ENIs made for claims alone, detached and deleted; `orders` sees to it that one order makes at most one.

Thread safety: any thread may call any method, for different claims.
"""

import logging
from dataclasses import replace
from typing import Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.orders import AddressOrders, SubnetCloud
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.failure_meanings import failures
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import own_eni, status
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_SOON = 0.5
"""Seconds until the effect of a write to the cloud is looked for."""
_MOST_CHARACTERS = 60
"""Of an ENI's name (API page CreateNetworkInterface)."""


class EniCloud(SubnetCloud, Protocol):
    """What makes ENIs and takes them away: `TencentCloud`. All methods raise CloudError."""

    def create_eni(self, order: model.EniOrder, client_token: str, deadline: Deadline) -> model.Eni:
        """Create an ENI that is attached to nothing."""

    def describe_eni(self, eni_id: str, deadline: Deadline | None = None) -> model.Eni | None:
        """Return one ENI, None when there is none."""

    def detach_eni(self, eni_id: str, instance_id: str, deadline: Deadline) -> None:
        """Take the ENI off the CVM; one that is not on it is a success."""

    def delete_eni(self, eni_id: str, deadline: Deadline) -> None:
        """Delete a detached ENI; one that is gone is a success."""


class ClaimEnis:
    """Invariant: no ENI is created that does not stand in its claim before, and none deleted that is used."""

    def __init__(
        self, cluster_id: str, cloud: EniCloud, writer: VpcIpWriter, *, teller: VpcIpTeller, ports: Ports
    ) -> None:
        self._cluster_id = cluster_id
        self._cloud = cloud
        self._orders = AddressOrders(cloud, writer, teller=teller, ports=ports)
        self._writer = writer
        self._teller = teller
        self._ports = ports

    def create(self, action: do.MakeOwnEni, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Have an ENI made; return what that came to.

        Raises: CloudError when it may come yet; KubeError; NotLeaderError.
        """
        order = action.order
        subnet = self._orders.subnet(order.subnet_id, facts)
        claim = self._orders.begin(action, claim)
        facts = replace(facts, claim=claim)
        wanted = model.EniOrder(
            vpc_id=subnet.vpc_id,
            subnet_id=order.subnet_id,
            ip=order.ip,
            name=f"tke-eni {claim.namespace}/{claim.name}"[:_MOST_CHARACTERS],
            tags=tags.of_vpc_ip_claim(self._cluster_id, claim.uid),
        )
        token = tags.fixed_eni_token(claim.uid, order.attempt)
        try:
            made = self._cloud.create_eni(wanted, token, self._ports.fence.deadline())
        except CloudError as e:
            return self._refused(e, claim, facts)
        log.info("VpcIPClaim %s: %s is made (%s)", claim, made.eni_id, made.primary_ip)
        others = [eni for eni in facts.enis or () if eni.eni_id != made.eni_id]
        return replace(facts, enis=(*others, made))

    def detach(self, action: do.DetachOwnEni, claim: VpcIpClaim, _: VpcIpFacts) -> Result:
        """Take the ENI off the CVM of a node that is gone. Raises: as `create`."""
        self._teller.claim(
            claim,
            "Normal",
            VpcIpReason.NODE_GONE.value,
            f"detaching {action.eni_id} from {action.instance_id}",
        )
        self._cloud.detach_eni(action.eni_id, action.instance_id, self._ports.fence.deadline())
        log.info("VpcIPClaim %s: %s is detached in the place of a node that is gone", claim, action.eni_id)
        return Result(requeue_after=_SOON)

    def delete(self, action: do.DeleteOwnEni, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts | Result:
        """Delete the ENI, unless it is in use now or releases are stopped. Raises: as `create`."""
        held_back = self._orders.held_back(claim, action.eni_id, "deleted")
        if held_back is not None:
            return held_back
        if not self._delete_unused(action.eni_id):
            return Result(requeue_after=_SOON)
        log.info("VpcIPClaim %s: %s is deleted", claim, action.eni_id)
        self._teller.claim(claim, "Normal", "DeletedENI", action.eni_id)
        left = tuple(eni for eni in facts.enis or () if eni.eni_id != action.eni_id)
        return replace(self._orders.given_back(claim, facts, action.eni_id), enis=left)

    def forget(self, action: do.ForgetEni, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Say that the claim's ENI is gone, so that another is made. Raises: KubeError."""
        return replace(facts, claim=self.miss(claim, action.message) or claim, reserve_again=True)

    def miss(self, claim: VpcIpClaim, message: str) -> VpcIpClaim | None:
        """Say in the claim, and tell its owner, that its ENI is gone; None when it says so already.

        Raises: KubeError.
        """
        patch = status.not_reserved(claim, VpcIpReason.ENI_LOST, message, self._ports.clock())
        if patch is None:
            return None
        written = self._writer.write_status(claim, patch)
        self._teller.both(written, "Warning", VpcIpReason.ENI_LOST.value, message)
        return written

    def give_up(self, eni_id: str) -> str:
        """Delete an ENI that no claim answers for; return why it is not, empty when it is.

        Raises: as `create`.
        """
        stopped_by = self._ports.release_stopped()
        if stopped_by or self._delete_unused(eni_id):
            return stopped_by
        return "it is in use again"

    def _delete_unused(self, eni_id: str) -> bool:
        """Delete an ENI if a look at it shows nothing of it in use: the list it was found in may be older."""
        now = self._cloud.describe_eni(eni_id)
        if now is not None and not own_eni.may_delete(now):
            return False
        self._cloud.delete_eni(eni_id, self._ports.fence.deadline())
        return True

    def _refused(self, error: CloudError, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Return what a failed order means; only one that is certain is forgotten."""
        refusal = failures.eni_refusal(error)
        failed = error.kind is CloudErrorKind.TASK_FAILED
        certain = refusal is not None or failed
        facts = self._orders.refused(error, claim, facts, certain=certain, said="no ENI is made")
        if failed:
            raise error  # the next round asks anew, after a pause
        return replace(facts, eni_refusal=refusal)
