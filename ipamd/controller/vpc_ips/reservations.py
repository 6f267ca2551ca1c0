"""Addresses reserved in the VPC for claims, and given back, so that one order makes at most one reservation.

The order is written into the claim before the cloud is asked, its number makes the ClientToken, and the
reservation carries the claim's UID as a tag. Only a refusal that is certain lets the claim forget the order.
Thread safety: any thread may call any method, for different claims.
"""

import logging
from dataclasses import replace
from typing import Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.teller import VpcIpTeller
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core import model, tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.failure_meanings import failures
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import actions as do
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.runtime.reconcile import Result

log = logging.getLogger(__name__)

_STOPPED_PAUSE = 10.0
"""Seconds between two looks at whether releases are allowed again."""


class ReservationCloud(Protocol):
    """What reserves private addresses: `TencentCloud`. All methods raise CloudError."""

    def describe_subnets(self, subnet_ids: list[str], deadline: Deadline | None = None) -> list[model.Subnet]:
        """Return those of the subnets that exist."""

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
        self._writer = writer
        self._teller = teller
        self._ports = ports

    def reserve(self, action: do.Reserve, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Have the VPC reserve an address; return what that came to.

        Raises: CloudError when it may come yet; KubeError; NotLeaderError.
        """
        order = action.order
        subnet = self._subnet(order.subnet_id, facts)
        if not action.begun:
            claim = self._writer.write_status(claim, status.begin_order(claim, order))
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
        vpc_id = action.vpc_id
        if not vpc_id and claim.address is not None:
            vpc_id = self._subnet(claim.address.subnet_id, facts).vpc_id
        stopped_by = self._give_up(vpc_id, action.reservation_id)
        if stopped_by:
            log.warning("VpcIPClaim %s: %s is not released: %s", claim, action.reservation_id, stopped_by)
            said = f"{action.reservation_id}: {stopped_by}"
            self._teller.claim(claim, "Warning", "ReleasesStopped", said)
            return Result(requeue_after=_STOPPED_PAUSE)
        log.info("VpcIPClaim %s: reservation %s is released", claim, action.reservation_id)
        self._teller.claim(claim, "Normal", "ReleasedAddress", action.reservation_id)
        if claim.allocation.started is not None:  # what it was to make was this one
            claim = self._writer.write_status(claim, status.end_order(claim))
        left = tuple(r for r in facts.reservations or () if r.reservation_id != action.reservation_id)
        released = facts.released | {action.reservation_id}
        return replace(facts, claim=claim, reservations=left, released=released)

    def give_up(self, reservation: model.Reservation) -> str:
        """Release a reservation that no claim answers for; return by what releases are stopped, if they are.

        Raises: as `reserve`.
        """
        return self._give_up(reservation.vpc_id, reservation.reservation_id)

    def _give_up(self, vpc_id: str, reservation_id: str) -> str:
        stopped_by = self._ports.release_stopped()
        if not stopped_by:
            self._cloud.release_reservation(vpc_id, reservation_id, self._ports.fence.deadline())
        return stopped_by

    def _refused(self, error: CloudError, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Return what a failed order means; only one that is certain is forgotten."""
        order, refusal = claim.allocation, failures.reservation_refusal(error)
        in_use = error.kind is CloudErrorKind.ADDRESS_IN_USE
        full = error.kind is CloudErrorKind.SUBNET_FULL
        if refusal is None and not in_use and not full and not failures.spends_token(error):
            raise error
        claim = self._writer.write_status(claim, status.end_order(claim))
        log.info("VpcIPClaim %s: nothing is reserved: %s", claim, error)
        return replace(
            facts,
            claim=claim,
            refusal=refusal,
            foreign_ips=facts.foreign_ips | {order.ip} if in_use else facts.foreign_ips,
            taken_by=error.detail if in_use else facts.taken_by,
            full=facts.full | {order.subnet_id} if full else facts.full,
            candidate="",
        )

    def _subnet(self, subnet_id: str, facts: VpcIpFacts) -> model.Subnet:
        known = next((s for s in facts.subnets or () if s.subnet_id == subnet_id), None)
        if known is not None:
            return known
        found = self._cloud.describe_subnets([subnet_id])
        if found:
            return found[0]
        raise CloudError(
            CloudErrorKind.NOT_FOUND,
            f"there is no subnet {subnet_id}",
            action="DescribeSubnets",
            code="ClientNotFound",
            request_id="",
        )
