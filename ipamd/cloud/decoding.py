"""From the API's JSON objects to the values of `ipamd.core.model`; pure.

Field names and states are those of the data types of vpc and cvm 2017-03-12 (API pages "Data Types").
A state that is not documented becomes UNKNOWN; see `fields` for what is tolerated and what is not.
"""

from enum import Enum
from typing import TypeVar

from ipamd.cloud import fields
from ipamd.cloud.fields import Row
from ipamd.core import model
from ipamd.core.timing import timestamps

_State = TypeVar("_State", bound=Enum)


def instance(row: Row) -> model.Instance:
    """Decode an Instance of DescribeInstances."""
    network = fields.child(row, "VirtualPrivateCloud")
    addresses = fields.texts(row, "PrivateIpAddresses")
    return model.Instance(
        instance_id=fields.identity(row, "InstanceId"),
        instance_type=fields.text(row, "InstanceType"),
        vcpus=fields.integer(row, "CPU"),
        zone=fields.text(fields.child(row, "Placement"), "Zone"),
        vpc_id=fields.text(network, "VpcId"),
        subnet_id=fields.text(network, "SubnetId"),
        private_ip=addresses[0] if addresses else "",
        state=fields.text(row, "InstanceState"),
    )


_EXTENDED = 1


def eni(row: Row) -> model.Eni:
    """Decode a NetworkInterface."""
    return model.Eni(
        eni_id=fields.identity(row, "NetworkInterfaceId"),
        mac=fields.text(row, "MacAddress").lower(),
        vpc_id=fields.text(row, "VpcId"),
        subnet_id=fields.text(row, "SubnetId"),
        primary=fields.flag(row, "Primary"),
        state=_state(model.EniState, row, "State"),
        instance_id=fields.text(fields.child(row, "Attachment"), "InstanceId"),
        addresses=tuple(eni_address(address) for address in fields.rows(row, "PrivateIpAddressSet")),
        security_groups=fields.texts(row, "GroupSet"),
        tags=fields.tags(row),
        extended=_attach_type(row) == _EXTENDED,
    )


def _attach_type(row: Row) -> int:
    """Return AttachType, which older answers lack; a private region may leave it out."""
    value = row.get("AttachType")
    return value if isinstance(value, int) else 0


def eni_address(row: Row) -> model.EniAddress:
    """Decode a PrivateIpAddressSpecification."""
    ip = fields.ip(row, "PrivateIpAddress")
    if not ip:
        raise fields.ShapeError("PrivateIpAddress is missing")
    return model.EniAddress(
        ip=ip,
        primary=fields.flag(row, "Primary"),
        state=_state(model.IpState, row, "State"),
        eip_id=fields.text(row, "AddressId"),
        public_ip=fields.ip(row, "PublicIpAddress"),
        description=fields.text(row, "Description"),
    )


def eip(row: Row) -> model.Eip:
    """Decode an Address of DescribeAddresses."""
    return model.Eip(
        eip_id=fields.identity(row, "AddressId"),
        public_ip=fields.ip(row, "AddressIp"),
        status=_state(model.EipStatus, row, "AddressStatus"),
        eni_id=fields.text(row, "NetworkInterfaceId"),
        private_ip=fields.ip(row, "PrivateAddressIp"),
        instance_id=fields.text(row, "InstanceId"),
        isp=fields.text(row, "InternetServiceProvider"),
        is_arrears=fields.flag(row, "IsArrears"),
        is_blocked=fields.flag(row, "IsBlocked"),
        cascade_release=fields.flag(row, "CascadeRelease"),
        created_at=timestamps.from_text(fields.text(row, "CreatedTime")),
        name=fields.text(row, "AddressName"),
        address_type=fields.text(row, "AddressType"),
        bandwidth_mbps=fields.integer(row, "Bandwidth") or None,
        charge_type=fields.text(row, "InternetChargeType"),
        bandwidth_package_id=fields.text(row, "BandwidthPackageId"),
        tags=fields.tags(row),
    )


def subnet(row: Row) -> model.Subnet:
    """Decode a Subnet."""
    return model.Subnet(
        subnet_id=fields.identity(row, "SubnetId"),
        vpc_id=fields.text(row, "VpcId"),
        zone=fields.text(row, "Zone"),
        cidr=fields.text(row, "CidrBlock"),
        available_ips=fields.integer(row, "AvailableIpAddressCount"),
        route_table_id=fields.text(row, "RouteTableId"),
    )


_RESERVATION_STATES = {state.value: state for state in model.ReservationState}


def reservation(row: Row) -> model.Reservation:
    """Decode a ReserveIpAddressInfo."""
    ip = fields.ip(row, "ReserveIpAddress")
    if not ip:
        raise fields.ShapeError("ReserveIpAddress is missing")
    return model.Reservation(
        reservation_id=fields.identity(row, "ReserveIpId"),
        ip=ip,
        subnet_id=fields.text(row, "SubnetId"),
        vpc_id=fields.text(row, "VpcId"),
        state=_RESERVATION_STATES.get(fields.text(row, "State"), model.ReservationState.UNKNOWN),
        resource_id=fields.text(row, "ResourceId"),
        name=fields.text(row, "Name"),
        tags=fields.tags(row),
    )


def address_use(row: Row) -> model.OccupiedAddress:
    """Decode an IpAddressStates of DescribeUsedIpAddress."""
    ip = fields.ip(row, "IpAddress")
    if not ip:
        raise fields.ShapeError("IpAddress is missing")
    return model.OccupiedAddress(
        ip=ip,
        resource_type=fields.text(row, "ResourceType"),
        resource_id=fields.text(row, "ResourceId"),
    )


def vpc_cidrs(row: Row) -> tuple[str, ...]:
    """Decode a Vpc into its IPv4 ranges, the main one first."""
    assistants = fields.rows(row, "AssistantCidrSet")
    cidrs = [fields.identity(row, "CidrBlock"), *(fields.text(cidr, "CidrBlock") for cidr in assistants)]
    return tuple(dict.fromkeys(cidr for cidr in cidrs if cidr))


def route_table(row: Row) -> model.RouteTable:
    """Decode a RouteTable; routes of IPv6 destinations are left out."""
    return model.RouteTable(
        route_table_id=fields.identity(row, "RouteTableId"),
        vpc_id=fields.text(row, "VpcId"),
        routes=tuple(
            model.Route(
                destination=destination,
                gateway_type=fields.text(route, "GatewayType"),
                gateway_id=fields.text(route, "GatewayId"),
                enabled=fields.flag(route, "Enabled", default=True),
            )
            for route in fields.rows(row, "RouteSet")
            if (destination := fields.text(route, "DestinationCidrBlock"))
        ),
    )


def eip_quota(row: Row) -> model.EipQuota:
    """Decode a Quota of DescribeAddressQuota."""
    return model.EipQuota(
        quota_id=fields.identity(row, "QuotaId"),
        used=fields.integer(row, "QuotaCurrent"),
        limit=fields.integer(row, "QuotaLimit"),
    )


def _state(states: type[_State], row: Row, name: str) -> _State:
    """Return the named member, or UNKNOWN, which each of these enumerations has."""
    value = fields.text(row, name)
    return states[value] if value in states.__members__ else states["UNKNOWN"]
