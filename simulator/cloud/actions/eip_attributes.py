"""Changing an EIP that stays where it is: its bandwidth, charge type and name; and what it may have.

ModifyAddressesBandwidth, ModifyAddressInternetChargeType, ModifyAddressAttribute,
DescribeAddressBandwidthRange. Sources: documents 215/19214, 215/36091 and 215/16704. No packet notices any of
them: bandwidths are not simulated.
"""

from dataclasses import dataclass

from simulator.cloud import situations
from simulator.cloud.actions import eip_lookup
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.actions.eip_orders import check_bandwidth, most_bandwidth
from simulator.cloud.actions.eip_packages import IN_PACKAGE
from simulator.cloud.config import LEGACY
from simulator.cloud.parameters import BOOLEAN, INTEGER, TEXT, TEXTS, Record, check_not_empty
from simulator.cloud.state.resources import Address
from simulator.cloud.state.schedule import Change
from simulator.cloud.state.world import World

_PREPAID = "BANDWIDTH_PREPAID_BY_MONTH"
_CHARGE_TYPES = ("TRAFFIC_POSTPAID_BY_HOUR", "BANDWIDTH_POSTPAID_BY_HOUR", _PREPAID)
"""Between which a charge type can change; packages are left and joined by actions of their own."""
_MOST_CHARGE_CHANGES = 2
"""Of one EIP in its life (document 215/36091)."""
_MOST_IN_RANGE_QUERY = 20


@dataclass(slots=True)
class _Adjustment(Change):
    """EIPs that get another bandwidth."""

    changed: list[Address]
    bandwidth: int

    def done(self) -> None:
        for address in self.changed:
            address.task_id = 0
            address.bandwidth = self.bandwidth

    def failed(self) -> None:
        for address in self.changed:
            address.task_id = 0


def modify_addresses_bandwidth(world: World, call: Call) -> JsonObject:
    """ModifyAddressesBandwidth: another bandwidth for several EIPs, as a task."""
    check_not_empty(call.params, "AddressIds")
    bandwidth = call.params["InternetMaxBandwidthOut"]
    ids = list(dict.fromkeys(call.params["AddressIds"]))
    changed = [eip_lookup.existing(world, address_id) for address_id in ids]
    for address in changed:
        if address.is_arrears:
            raise situations.EIP_IN_ARREARS.error(address_id=address.address_id)
        eip_lookup.check_free(address)
        if world.config.account.network_type == LEGACY:
            raise situations.EIP_BANDWIDTH_OF_CVM.error(address_id=address.address_id)
        check_bandwidth(address.charge_type, bandwidth)
    seconds = world.config.latencies.eip_modify
    task = start_task(world, call, _Adjustment(changed, bandwidth), seconds=seconds, resources=ids)
    for address in changed:
        address.task_id = task.task_id
    return {"TaskId": str(task.task_id)}


@dataclass(slots=True)
class _Billing(Change):
    """An EIP that gets another charge type, with a bandwidth."""

    address: Address
    charge_type: str
    bandwidth: int

    def done(self) -> None:
        self.address.task_id = 0
        self.address.charge_type = self.charge_type
        self.address.bandwidth = self.bandwidth
        self.address.charge_changes += 1

    def failed(self) -> None:
        self.address.task_id = 0


def _check_charge_type(world: World, address: Address, charge_type: str, *, prepaid: bool) -> None:
    if world.config.account.network_type == LEGACY:
        raise situations.EIP_CHARGE_TYPE_ACCOUNT.error()
    if address.nat_gateway_id:
        raise situations.EIP_CHARGE_TYPE_NAT.error(address_id=address.address_id)
    if address.charge_type == IN_PACKAGE or charge_type not in _CHARGE_TYPES:
        raise situations.EIP_CHARGE_TYPE_STAYS.error(
            charge_type=address.charge_type, address_id=address.address_id
        )
    if (charge_type == _PREPAID) != prepaid:
        raise situations.EIP_CHARGE_TYPE.error(
            charge_type=charge_type, reason="and AddressChargePrepaid do not go together"
        )
    if address.charge_type == charge_type:
        raise situations.EIP_CHARGE_TYPE_SAME.error(address_id=address.address_id, charge_type=charge_type)
    if address.charge_changes >= _MOST_CHARGE_CHANGES:
        raise situations.EIP_CHARGE_TYPE_QUOTA.error(
            address_id=address.address_id, limit=_MOST_CHARGE_CHANGES
        )


def modify_address_internet_charge_type(world: World, call: Call) -> JsonObject:
    """ModifyAddressInternetChargeType: another charge type, twice in the life of an EIP; names no task."""
    address = eip_lookup.existing(world, call.params["AddressId"])
    charge_type = call.params["InternetChargeType"]
    bandwidth = call.params["InternetMaxBandwidthOut"]
    if address.is_arrears:
        raise situations.EIP_IN_ARREARS.error(address_id=address.address_id)
    eip_lookup.check_free(address)
    _check_charge_type(world, address, charge_type, prepaid="AddressChargePrepaid" in call.params)
    if not 1 <= bandwidth <= most_bandwidth(charge_type):
        raise situations.EIP_CHARGE_RANGE.error(bandwidth=bandwidth, limit=most_bandwidth(charge_type))
    seconds = world.config.latencies.eip_charge_type
    change = _Billing(address, charge_type, bandwidth)
    task = start_task(world, call, change, seconds=seconds, resources=[address.address_id])
    address.task_id = task.task_id
    return {}


def describe_address_bandwidth_range(world: World, call: Call) -> JsonObject:
    """DescribeAddressBandwidthRange: what ModifyAddressesBandwidth would take for each EIP."""
    check_not_empty(call.params, "AddressIds")
    ids = call.params["AddressIds"]
    if len(ids) > _MOST_IN_RANGE_QUERY:
        raise situations.EIP_LIMIT.error(name="AddressIds", value=len(ids), low=1, high=_MOST_IN_RANGE_QUERY)
    if world.config.account.network_type == LEGACY:
        raise situations.EIP_RANGE_ACCOUNT.error()
    found = []
    for address_id in ids:
        if not eip_lookup.is_id(address_id):
            raise situations.EIP_RANGE_MALFORMED.error(address_id=address_id)
        if address_id not in world.addresses:
            raise situations.EIP_RANGE_NOT_FOUND.error(address_id=address_id)
        found.append(world.addresses[address_id])
    return {
        "BandwidthRangeSet": [
            {
                "ResourceId": address.address_id,
                "BandwidthLowerLimit": 1,
                "BandwidthUpperLimit": min(
                    most_bandwidth(address.charge_type), world.config.quotas.most_bandwidth
                ),
            }
            for address in found
        ]
    }


def modify_address_attribute(world: World, call: Call) -> JsonObject:
    """ModifyAddressAttribute: the name, at once. Direct connection and visibility are not sold here."""
    address = eip_lookup.existing(world, call.params["AddressId"])
    eip_lookup.check_free(address)
    name = call.params.get("AddressName", address.name)
    if len(name) > 128:
        raise situations.EIP_NAME_TOO_LONG.error()
    for feature in ("EipDirectConnection", "EipVisibleOnEni"):
        if call.params.get(feature) in (True, "TRUE"):
            raise situations.EIP_DIRECT.error(feature=feature, address_id=address.address_id)
    address.name = name
    return {}


ACTIONS = (
    Action(
        name="ModifyAddressesBandwidth",
        product="vpc",
        handler=modify_addresses_bandwidth,
        parameters=Record(
            {"AddressIds": TEXTS, "InternetMaxBandwidthOut": INTEGER, "StartTime": TEXT, "EndTime": TEXT},
            required=("AddressIds", "InternetMaxBandwidthOut"),
        ),
        rate=20,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressIds"),
        writes=True,
    ),
    Action(
        name="ModifyAddressInternetChargeType",
        product="vpc",
        handler=modify_address_internet_charge_type,
        parameters=Record(
            {
                "AddressId": TEXT,
                "InternetChargeType": TEXT,
                "InternetMaxBandwidthOut": INTEGER,
                "AddressChargePrepaid": Record({"Period": INTEGER, "AutoRenewFlag": INTEGER}),
            },
            required=("AddressId", "InternetChargeType", "InternetMaxBandwidthOut"),
        ),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressId"),
        writes=True,
    ),
    Action(
        name="DescribeAddressBandwidthRange",
        product="vpc",
        handler=describe_address_bandwidth_range,
        parameters=Record({"AddressIds": TEXTS}, required=("AddressIds",)),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressIds"),
    ),
    Action(
        name="ModifyAddressAttribute",
        product="vpc",
        handler=modify_address_attribute,
        parameters=Record(
            {"AddressId": TEXT, "AddressName": TEXT, "EipDirectConnection": TEXT, "EipVisibleOnEni": BOOLEAN},
            required=("AddressId",),
        ),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressId"),
        writes=True,
    ),
)
