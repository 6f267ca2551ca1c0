"""A VPC as plain data: a small subnet, its addresses at ENIs, reservations; and the controller's copies.

As `tests.controller.model`: each call may be lost on its way in or out, and lists may be old.
"""

import ipaddress
import itertools
from dataclasses import replace
from typing import Any

from ipamd.controller.vpc_ips.address_book import AddressBook
from ipamd.core import tags
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.model import (
    Eni,
    EniAddress,
    EniState,
    IpState,
    OccupiedAddress,
    Reservation,
    ReservationState,
    Subnet,
)
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS

SUBNET = "subnet-aaaaaaaa"
CIDR = "10.0.3.0/28"


def usable_of(cidr):
    """The addresses of a subnet that somebody may have."""
    return [str(ip) for ip in ipaddress.IPv4Network(cidr)][2:-1]


USABLE = usable_of(CIDR)
ZONE = "ap-test-1"
FOREIGN = "eni-foreign"
_KINDS = {"not offered": CloudErrorKind.NOT_OFFERED, "denied": CloudErrorKind.PERMISSION}


class ModelVpc:
    """Stands for TencentCloud."""

    def __init__(self, wire, cidr=CIDR):
        self.wire = wire
        self.cidr = cidr
        self.usable = usable_of(cidr)
        self.ids = itertools.count(1)
        self.reservations = {}
        self.tokens = {}
        self.past = {}
        self.stale_lists = 0
        self.refuse = ""
        self.at_enis = {}
        """ENI and description of each address that is at one."""
        self.own_enis = {}
        """ENIs that were made for one claim, attached to something or not."""
        self.past_enis = {}
        self.on_detach = lambda eni: None
        self.on_delete = lambda eni: None
        self.on_release = lambda reservation: None
        self.on_unassign = lambda eni_id, ip: None

    # -- what the controller calls

    def describe_subnets(self, subnet_ids, deadline=None):
        def read():
            free = len(set(self.usable) - self.at_enis.keys() - {r.ip for r in self.reservations.values()})
            known = Subnet(
                subnet_id=SUBNET,
                vpc_id="vpc-1",
                zone=ZONE,
                cidr=self.cidr,
                available_ips=free,
                route_table_id="",
            )
            return [known] if SUBNET in subnet_ids else []

        return self._call("DescribeSubnets", read)

    def find_subnets(self, vpc_id, tags, cidr, deadline=None):
        return self.describe_subnets([SUBNET])

    def reserve_ip(self, order, client_token, deadline=None):
        def write():
            if client_token in self.tokens:
                asked, reservation_id = self.tokens[client_token]
                assert asked == order, "the same token for another order"
                if reservation_id in self.reservations:
                    return self._shown(self.reservations[reservation_id])
            if self.refuse:
                raise self._refusal("CreateReserveIpAddresses")
            taken = self.at_enis.keys() | {r.ip for r in self.reservations.values()}
            if order.ip in taken:
                raise _error("CreateReserveIpAddresses", CloudErrorKind.ADDRESS_IN_USE, "in use")
            ip = order.ip or next((ip for ip in self.usable if ip not in taken), "")
            if not ip:
                raise _error("CreateReserveIpAddresses", CloudErrorKind.SUBNET_FULL, "full")
            made = Reservation(
                reservation_id=f"rsvip-{next(self.ids)}",
                ip=ip,
                subnet_id=SUBNET,
                vpc_id="vpc-1",
                state=ReservationState.UNBIND,
                tags=dict(order.tags),
            )
            self.reservations[made.reservation_id] = made
            self.tokens[client_token] = order, made.reservation_id
            return made

        return self._call("CreateReserveIpAddresses", write)

    def describe_reservations(self, *, tags=None, ips=None, vpc_id="", deadline=None):
        def read():
            if self.refuse:
                raise self._refusal("DescribeReserveIpAddresses")
            shown = self.reservations
            if self.stale_lists:
                self.stale_lists -= 1
                shown = self.past
            found = [self._shown(one) for one in shown.values()]
            if ips is not None:
                return [one for one in found if one.ip in ips]
            return [one for one in found if tags.items() <= one.tags.items()]

        return self._call("DescribeReserveIpAddresses", read)

    def release_reservation(self, vpc_id, reservation_id, deadline=None):
        def write():
            if reservation_id in self.reservations:
                self.on_release(self.reservations[reservation_id])
                del self.reservations[reservation_id]

        return self._call("DeleteReserveIpAddresses", write)

    def describe_used_ips(self, vpc_id, subnet_id, ips, deadline=None):
        def read():
            return {
                ip: OccupiedAddress(ip=ip, resource_type="ENI", resource_id=self.at_enis[ip][0])
                for ip in ips
                if ip in self.at_enis
            }

        return self._call("DescribeUsedIpAddress", read)

    def find_enis(self, tags, deadline=None):
        def read():
            shown = self.own_enis
            if self.stale_lists:
                self.stale_lists -= 1
                shown = self.past_enis
            return [eni for eni in shown.values() if tags.items() <= eni.tags.items()]

        return self._call("DescribeNetworkInterfaces", read)

    def create_eni(self, order, client_token, deadline):
        def write():
            if client_token in self.tokens:
                asked, eni_id = self.tokens[client_token]
                assert asked == order, "the same token for another order"
                if eni_id in self.own_enis:
                    return self.own_enis[eni_id]
            if self.refuse:
                raise self._refusal("CreateNetworkInterface")
            taken = self.at_enis.keys() | {r.ip for r in self.reservations.values()}
            if order.ip in taken:
                raise _error("CreateNetworkInterface", CloudErrorKind.ADDRESS_IN_USE, "in use")
            ip = order.ip or next((ip for ip in self.usable if ip not in taken), "")
            if not ip:
                raise _error("CreateNetworkInterface", CloudErrorKind.SUBNET_FULL, "full")
            eni_id = f"eni-own-{next(self.ids)}"
            address = EniAddress(ip=ip, primary=True, state=IpState.AVAILABLE)
            self.own_enis[eni_id] = _eni(eni_id, (address,), tags=dict(order.tags))
            self.at_enis[ip] = eni_id, ""
            self.tokens[client_token] = order, eni_id
            return self.own_enis[eni_id]

        return self._call("CreateNetworkInterface", write)

    def detach_eni(self, eni_id, instance_id, deadline):
        def write():
            eni = self.own_enis.get(eni_id)
            if eni is not None and eni.instance_id == instance_id:
                self.on_detach(eni)
                self.own_enis[eni_id] = replace(eni, instance_id="")

        self._call("DetachNetworkInterface", write)

    def delete_eni(self, eni_id, deadline):
        def write():
            eni = self.own_enis.get(eni_id)
            if eni is None:
                return
            if eni.instance_id:
                raise _error("DeleteNetworkInterface", CloudErrorKind.WRONG_STATE, "attached")
            self.on_delete(eni)
            self.remove_eni(eni_id)

        self._call("DeleteNetworkInterface", write)

    def describe_eni(self, eni_id, deadline=None):
        def read():
            if eni_id.startswith("eni-own-"):
                return self.own_enis.get(eni_id)
            found = [
                EniAddress(ip=ip, primary=False, state=IpState.AVAILABLE, description=description)
                for ip, (eni, description) in self.at_enis.items()
                if eni == eni_id
            ]
            return _eni(eni_id, tuple(found), instance_id="ins-1")

        return self._call("DescribeNetworkInterfaces", read)

    def unassign_ips(self, eni_id, ips, deadline):
        def write():
            for ip in ips:
                if self.at_enis.get(ip, ("",))[0] == eni_id:
                    self.on_unassign(eni_id, ip)
                    del self.at_enis[ip]

        self._call("UnassignPrivateIpAddresses", write)

    def describe_instance(self, instance_id, deadline=None):
        raise AssertionError("the model's nodes name no CVM")

    # -- what others do

    def assign(self, eni_id, ip, claim_uid=""):
        """Return whether the address is at the ENI now: not if another one has it, or its reservation."""
        if ip in self.at_enis:
            return self.at_enis[ip][0] == eni_id
        description = tags.address_description(claim_uid) if claim_uid else ""
        holders = {r.tags.get(tags.VPC_IP_CLAIM_UID) for r in self.reservations.values() if r.ip == ip}
        if holders - {claim_uid}:
            return False
        self.at_enis[ip] = eni_id, description
        return True

    def remove_eni(self, eni_id):
        """An ENI goes, and its address is free."""
        del self.at_enis[self.own_enis.pop(eni_id).primary_ip]

    def change_eni(self, eni_id, **changes):
        """An agent attaches or detaches an ENI; somebody binds an EIP to it, or unbinds it."""
        self.own_enis[eni_id] = replace(self.own_enis[eni_id], **changes)

    def settle(self):
        """Let lists show what there is."""
        self.past = dict(self.reservations)
        self.past_enis = dict(self.own_enis)

    def _shown(self, one):
        if one.ip not in self.at_enis:
            return one
        return replace(one, state=ReservationState.BIND, resource_id=self.at_enis[one.ip][0])

    def _refusal(self, action):
        return _error(action, _KINDS[self.refuse], self.refuse)

    def _call(self, action, carry_out):
        return self.wire.call(carry_out, lambda: cloud_error(action, "ClientNetworkError", "lost"))


class ModelBook(AddressBook):
    """The controller's copies, as the model's caches have them."""

    def __init__(self, api):
        claims: Any = _Copies(api, VPCIPCLAIMS)
        lines: Any = _Copies(api, VPCIPS)
        self._claims, self._lines = claims, lines


class _Copies:
    def __init__(self, api, resource):
        self._api, self._kind = api, resource.kind

    def items(self):
        return [obj for (kind, _), obj in self._api.cached.items() if kind == self._kind]

    def get(self, namespace, name):
        return self._api.cached.get((self._kind, name))


def _eni(eni_id, addresses, *, instance_id="", tags=None):
    return Eni(
        eni_id=eni_id,
        mac="",
        vpc_id="vpc-1",
        subnet_id=SUBNET,
        primary=False,
        state=EniState.AVAILABLE,
        instance_id=instance_id,
        addresses=addresses,
        tags=tags or {},
    )


def _error(action, kind, message):
    return CloudError(kind, message, action=action, code="InvalidParameterValue", request_id="")
