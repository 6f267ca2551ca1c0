"""Private addresses that the VPC keeps for us: reserving, finding, giving back; and who uses an address.

The writes are done when the answer is there, without a task. For what is wrong the API pages list little more
than InvalidParameterValue, so why a reservation was refused is found out by a look.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ipamd.cloud import decoding, paging
from ipamd.cloud.inhibition import Scope
from ipamd.cloud.session import Calls
from ipamd.core import model
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.timing.deadline import Deadline

_RESERVATIONS = paging.PagedListing(
    action="DescribeReserveIpAddresses",
    rows="ReserveIpAddressSet",
    decode=decoding.reservation,
    identify=lambda reservation: reservation.reservation_id,
)
_USES = paging.PagedListing(
    action="DescribeUsedIpAddress",
    rows="IpAddressStates",
    decode=decoding.address_use,
    identify=lambda use: use.ip,
)
_NOT_OFFERED = (
    "ActionOffline",
    "InvalidAction",
    "NoSuchVersion",
    "UnsupportedOperation",
    "UnsupportedRegion",
)
"""Codes, and families of codes, of an action that region or account do not have."""
_ABOUT_THE_ADDRESS = (CloudErrorKind.INVALID, CloudErrorKind.NOT_FOUND, CloudErrorKind.WRONG_STATE)


class ReservationCalls(Calls):
    """Reserves addresses, finds and releases reservations. Thread safety: as the session."""

    def reserve_ip(
        self, order: model.ReservationOrder, client_token: str, deadline: Deadline | None = None
    ) -> model.Reservation:
        """Reserve the address that the order names, or one that the VPC chooses; return the reservation.

        CreateReserveIpAddresses (API document 215/112867). With the same `client_token` a repeat returns the
        reservation of the first try. Raises CloudError: ADDRESS_IN_USE when somebody has the address or its
        reservation; NOT_OFFERED, PERMISSION, QUOTA, INVALID when the VPC will not keep it for us;
        SUBNET_FULL; UNKNOWN_OUTCOME when it may be reserved, to be found by its tags.
        """
        deadline = self._session.deadline(deadline)
        params: dict[str, Any] = {
            "VpcId": order.vpc_id,
            "SubnetId": order.subnet_id,
            "Name": order.name,
            "Tags": [{"Key": key, "Value": value} for key, value in order.tags.items()],
            "ClientToken": client_token,
            **({"IpAddresses": [order.ip]} if order.ip else {"IpAddressCount": 1}),
        }
        try:
            reply = self._session.call(
                "CreateReserveIpAddresses", params, deadline=deadline, scope=_scope(order)
            )
        except CloudError as error:
            raise self._explained(error, order, deadline) from error
        made = reply.each("ReserveIpAddressSet", decoding.reservation)
        if len(made) != 1 or (order.ip and made[0].ip != order.ip):
            given = ", ".join(f"{one.reservation_id} ({one.ip})" for one in made) or "none"
            raise cloud_error(
                reply.action,
                "ClientUnexpectedAnswer",
                f"one reservation was asked for ({order.ip or 'any address'}) and answered was: {given}",
                reply.request_id,
            )
        return made[0]

    def describe_reservations(
        self,
        *,
        tags: Mapping[str, str] | None = None,
        ips: Sequence[str] | None = None,
        vpc_id: str = "",
        deadline: Deadline | None = None,
    ) -> list[model.Reservation]:
        """Return the reservations with all of these tags, or of these addresses in the VPC: one of both.

        DescribeReserveIpAddresses (API document 215/112865). Raises CloudError: NOT_OFFERED where the cloud
        has no reservations at all.
        """
        if (tags is None) == (ips is None) or not (tags or vpc_id):
            msg = "describe_reservations takes tags, or ips and their vpc_id"
            raise ValueError(msg)
        if tags is not None:
            filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
            return self._read(filters, deadline)
        in_vpc = {"Name": "vpc-id", "Values": [vpc_id]}
        return [
            reservation
            for some in paging.by_hundreds(ips or ())
            for reservation in self._read([in_vpc, {"Name": "reserve-address-ip", "Values": some}], deadline)
            if reservation.ip in some
        ]

    def _read(self, filters: list[dict[str, Any]], deadline: Deadline | None) -> list[model.Reservation]:
        try:
            return paging.read_all(self._session, _RESERVATIONS, {"Filters": filters}, deadline)
        except CloudError as error:
            if _is_of_family(error.code, _NOT_OFFERED):
                raise error.restated(error.detail, CloudErrorKind.NOT_OFFERED) from error
            raise

    def release_reservation(self, vpc_id: str, reservation_id: str, deadline: Deadline | None = None) -> None:
        """Give a reservation up; the address is anybody's then. One that is gone is a success.

        DeleteReserveIpAddresses. Take the address off its ENI first: no page says what becomes of it.
        """
        params = {"VpcId": vpc_id, "ReserveIpIds": [reservation_id]}
        try:
            self._session.call("DeleteReserveIpAddresses", params, deadline=deadline)
        except CloudError as error:
            if error.kind is CloudErrorKind.NOT_FOUND:
                return
            if not error.kind.policy.needs_look or self._is_there(reservation_id, deadline):
                raise

    def _is_there(self, reservation_id: str, deadline: Deadline | None) -> bool:
        found = self._read([{"Name": "reserve-ip-id", "Values": [reservation_id]}], deadline)
        return any(reservation.reservation_id == reservation_id for reservation in found)

    def describe_used_ips(
        self, vpc_id: str, subnet_id: str, ips: Sequence[str], deadline: Deadline | None = None
    ) -> dict[str, model.OccupiedAddress]:
        """Return which of these addresses of the subnet something has, or somebody has reserved, and what.

        DescribeUsedIpAddress takes 100 addresses at once. No page says whether it lists what is reserved and
        at no ENI, so the reservations are read too, where they can be. Raises CloudError.
        """
        where = {"VpcId": vpc_id, "SubnetId": subnet_id}
        used = {
            use.ip: use
            for some in paging.by_hundreds(ips)
            for use in paging.read_all(self._session, _USES, {**where, "IpAddresses": some}, deadline)
        }
        reserved = {
            kept.ip: model.OccupiedAddress(
                ip=kept.ip, resource_type="reservation", resource_id=kept.reservation_id
            )
            for kept in self._reserved(vpc_id, ips, deadline)
        }
        return {**reserved, **used}

    def _reserved(
        self, vpc_id: str, ips: Sequence[str], deadline: Deadline | None
    ) -> list[model.Reservation]:
        """Return the reservations of these addresses; none where the VPC has or shows no reservations."""
        try:
            return self.describe_reservations(ips=ips, vpc_id=vpc_id, deadline=deadline)
        except CloudError as error:
            if error.kind not in (CloudErrorKind.PERMISSION, CloudErrorKind.NOT_OFFERED):
                raise
            return []

    def _explained(self, error: CloudError, order: model.ReservationOrder, deadline: Deadline) -> CloudError:
        """Return the refusal of a reservation as what it is: the codes alone do not tell."""
        if _is_of_family(error.code, _NOT_OFFERED):
            return error.restated(error.detail, CloudErrorKind.NOT_OFFERED)
        if order.ip and error.kind in _ABOUT_THE_ADDRESS:
            user = self._user_of(order, deadline)
            if user:
                return error.restated(f"{order.ip} is in use by {user}", CloudErrorKind.ADDRESS_IN_USE)
        return error

    def _user_of(self, order: model.ReservationOrder, deadline: Deadline) -> str:
        """Return who has the address, in words; empty for nobody, and when the cloud does not say."""
        try:
            uses = self.describe_used_ips(order.vpc_id, order.subnet_id, [order.ip], deadline)
        except CloudError:
            return ""
        return str(uses[order.ip]) if order.ip in uses else ""


def _is_of_family(code: str, families: Sequence[str]) -> bool:
    """Whether a code is one of these, or has one of them before a dot."""
    return any(code == family or code.startswith(f"{family}.") for family in families)


def _scope(order: model.ReservationOrder) -> Scope:
    """Return what refusals are about: the quota is not the subnet's, and one address's is no other's."""
    about = {"LimitExceeded": "reservations", "ResourceInsufficient.Subnet": order.subnet_id}
    return Scope(f"{order.subnet_id} {order.ip}".strip(), about)
