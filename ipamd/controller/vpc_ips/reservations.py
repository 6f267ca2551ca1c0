"""Addresses reserved in the VPC for claims, and given back; `orders` sees to it that one order makes one.

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
from ipamd.core.failure_meanings import failures
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)


class ReservationCloud(SubnetCloud, Protocol):
    """What reserves private addresses: `TencentCloud`. All methods raise CloudError."""

    def reserve_ip(
        self, order: model.ReservationOrder, client_token: str, deadline: Deadline | None = None
    ) -> model.Reservation:
        """Reserve one address."""

    def release_reservation(self, vpc_id: str, reservation_id: str, deadline: Deadline | None = None) -> None:
        """Give a reservation up; one that is gone is a success."""


class Reservations:
    """Invariant: nothing is reserved that does not stand in its claim before."""

    def __init__(
        self,
        cluster_id: str,
        cloud: ReservationCloud,
        writer: VpcIpWriter,
        *,
        teller: VpcIpTeller,
        ports: Ports,
    ) -> None:
        self._cluster_id = cluster_id
        self._cloud = cloud
        self._orders = AddressOrders(cloud, writer, teller=teller, ports=ports)
        self._teller = teller
        self._ports = ports

    def reserve(self, action: do.Reserve, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Have the VPC reserve an address; return what that came to.

        Raises: CloudError when it may come yet; KubeError; NotLeaderError.
        """
        order = action.order
        subnet = self._orders.subnet(order.subnet_id, facts)
        claim = self._orders.begin(action, claim)
        facts = replace(facts, claim=claim)
        wanted = model.ReservationOrder(
            vpc_id=subnet.vpc_id,
            subnet_id=order.subnet_id,
            ip=order.ip,
            name=f"{claim.namespace}-{claim.name}"[:60],
            tags=tags.of_vpc_ip_claim(self._cluster_id, claim.uid),
        )
        token = tags.reservation_token(claim.uid, order.attempt)
        try:
            made = self._cloud.reserve_ip(wanted, token, self._ports.fence.deadline())
        except CloudError as e:
            return self._refused(e, claim, facts)
        log.info("VpcIPClaim %s: %s is reserved (%s)", claim, made.ip, made.reservation_id)
        others = [r for r in facts.reservations or () if r.reservation_id != made.reservation_id]
        return replace(facts, reservations=(*others, made))

    def release(
        self, action: do.ReleaseReservation, claim: VpcIpClaim, facts: VpcIpFacts
    ) -> VpcIpFacts | Result:
        """Give a reservation up, unless the operator has stopped releases. Raises: as `reserve`."""
        held_back = self._orders.held_back(claim, action.reservation_id, "released")
        if held_back is not None:
            return held_back
        vpc_id = action.vpc_id
        if not vpc_id and claim.address is not None:
            vpc_id = self._orders.subnet(claim.address.subnet_id, facts).vpc_id
        self._cloud.release_reservation(vpc_id, action.reservation_id, self._ports.fence.deadline())
        log.info("VpcIPClaim %s: reservation %s is released", claim, action.reservation_id)
        self._teller.claim(claim, "Normal", "ReleasedAddress", action.reservation_id)
        left = tuple(r for r in facts.reservations or () if r.reservation_id != action.reservation_id)
        return replace(self._orders.given_back(claim, facts, action.reservation_id), reservations=left)

    def give_up(self, vpc_id: str, reservation_id: str) -> str:
        """Release a reservation that no claim answers for; return by what releases are stopped, if they are.

        Raises: as `reserve`.
        """
        stopped_by = self._ports.release_stopped()
        if not stopped_by:
            self._cloud.release_reservation(vpc_id, reservation_id, self._ports.fence.deadline())
        return stopped_by

    def _refused(self, error: CloudError, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Return what a failed order means; only one that is certain is forgotten."""
        refusal = failures.reservation_refusal(error)
        certain = refusal is not None
        facts = self._orders.refused(error, claim, facts, certain=certain, said="nothing is reserved")
        return replace(facts, refusal=refusal)
