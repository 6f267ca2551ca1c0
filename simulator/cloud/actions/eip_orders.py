"""Buying and giving back EIPs: AllocateAddresses, ReleaseAddresses.

A new EIP is CREATING, then UNBIND; a released one is OFFLINING, then gone. Sources: documents 215/16699,
215/16700, 215/16701 and the quotas of 1199/41648.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cloud import situations
from simulator.cloud.actions import eip_lookup, eip_packages, tags
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.config import LEGACY
from simulator.cloud.parameters import BOOLEAN, INTEGER, TAGS, TEXT, TEXTS, Record, check_not_empty
from simulator.cloud.state.resources import Address, EipStatus
from simulator.cloud.state.schedule import Change
from simulator.cloud.state.world import World

_ISPS = ("BGP", "CMCC", "CTCC", "CUCC")
_EGRESSES = ("center_egress1", "center_egress2", "center_egress3")
_ONLY_WITH = {"AnycastZone": "AnycastEIP", "AntiDDoSPackageId": "AntiDDoSEIP"}
DAILY_EIPS = "DAILY_EIP_APPLY"
DAILY_SINGLE_ISP = "DAILY_SINGLEISP_APPLY"
_MAX_BANDWIDTH = {
    "BANDWIDTH_PACKAGE": 2000,
    "BANDWIDTH_POSTPAID_BY_HOUR": 100,
    "BANDWIDTH_PREPAID_BY_MONTH": 200,
    "TRAFFIC_POSTPAID_BY_HOUR": 100,
}


def most_bandwidth(charge_type: str) -> int:
    """Give the highest bandwidth in Mbps of a charge type (document 1199/48333)."""
    return _MAX_BANDWIDTH[charge_type]


def check_bandwidth(charge_type: str, bandwidth: int) -> None:
    """Raise ApiError unless a bandwidth in Mbps may be had with a charge type."""
    limit = most_bandwidth(charge_type)
    if bandwidth < 1:
        raise situations.EIP_BANDWIDTH_SMALL.error(bandwidth=bandwidth)
    if bandwidth > limit:
        raise situations.EIP_BANDWIDTH_RANGE.error(bandwidth=bandwidth, limit=limit, charge_type=charge_type)


def _check_line(world: World, isp: str) -> None:
    if isp not in _ISPS:
        raise situations.EIP_ISP_UNKNOWN.error(isp=isp)
    if isp != "BGP" and isp not in world.config.account.single_isps:
        raise situations.EIP_ISP_NOT_ALLOWED.error(isp=isp)


def _check_type(world: World, params: Mapping[str, Any]) -> None:
    address_type = params.get("AddressType", "EIP")
    if address_type not in world.config.account.address_types:
        if address_type == "AnycastEIP":
            raise situations.EIP_ANYCAST.error()
        raise situations.EIP_TYPE_UNSUPPORTED.error(address_type=address_type)
    for name, owner in _ONLY_WITH.items():
        if name in params and address_type != owner:
            raise situations.EIP_TYPE_NEEDS.error(
                address_type=address_type, name=name, reason="do not go together"
            )
    if address_type == "AntiDDoSEIP" and not params.get("AntiDDoSPackageId"):
        raise situations.EIP_TYPE_NEEDS.error(
            address_type=address_type, name="AntiDDoSPackageId", reason="go together"
        )
    egress, isp = params.get("Egress", _EGRESSES[0]), params.get("InternetServiceProvider", "BGP")
    if egress not in _EGRESSES or ("Egress" in params and address_type != "HighQualityEIP" and isp == "BGP"):
        raise situations.EIP_EGRESS.error(egress=egress, kind=f"{address_type} on line {isp}")
    if len(params.get("AddressName", "")) > 128:
        raise situations.EIP_NAME_TOO_LONG.error()


def _check_charge(world: World, params: Mapping[str, Any]) -> None:
    billing = ("InternetChargeType", "InternetMaxBandwidthOut", "BandwidthPackageId")
    named = [name for name in billing if params.get(name)]
    if named and world.config.account.network_type == LEGACY:
        raise situations.EIP_BILLED_BY_CVM.error(names=" and ".join(named))
    charge_type = params.get("InternetChargeType", "TRAFFIC_POSTPAID_BY_HOUR")
    if charge_type not in _MAX_BANDWIDTH:
        raise situations.EIP_CHARGE_TYPE.error(charge_type=charge_type, reason="does not exist")
    if (charge_type == "BANDWIDTH_PREPAID_BY_MONTH") != ("AddressChargePrepaid" in params):
        raise situations.EIP_CHARGE_TYPE.error(
            charge_type=charge_type, reason="and AddressChargePrepaid do not go together"
        )
    package_id = params.get("BandwidthPackageId", "")
    if (charge_type == eip_packages.IN_PACKAGE) != bool(package_id):
        raise situations.EIP_CHARGE_TYPE.error(
            charge_type=charge_type, reason="and BandwidthPackageId do not go together"
        )
    if package_id:
        line = eip_packages.network_type(
            params.get("AddressType", "EIP"), params.get("InternetServiceProvider", "BGP")
        )
        package = eip_packages.package_of(world, package_id)
        eip_packages.check_room(world, package, line, params.get("AddressCount", 1))
    check_bandwidth(charge_type, params.get("InternetMaxBandwidthOut", 1))


def _check_quota(world: World, isp: str, count: int, now: float) -> None:
    quotas = world.config.quotas
    single = isp != "BGP"
    limit = quotas.single_isp_eips if single else quotas.total_eips
    current = len(world.eips(single_isp=single))
    if current + count > limit:
        raise situations.EIP_QUOTA.error(limit=limit, current=current, count=count)
    daily_limit = quotas.daily_single_isp_applications if single else quotas.daily_eip_applications
    today = world.daily.today(DAILY_SINGLE_ISP if single else DAILY_EIPS, now)
    if today + count > daily_limit:
        raise situations.EIP_DAILY_QUOTA.error(limit=daily_limit, current=today)


def _check_tag_values(world: World, own_tags: Mapping[str, str]) -> None:
    limit = world.config.quotas.values_per_tag_key
    for key, value in own_tags.items():
        values = world.tag_values.get(key, set())
        if value not in values and len(values) >= limit:
            raise situations.EIP_TAG_VALUES.error(key=key, limit=limit)


def new_address(world: World, isp: str, now: float) -> Address:
    """Take a free address of a line's pool; raise ApiError (ResourceInsufficient) when there is none."""
    ip = next(world.free_public_ips(isp), None)
    if ip is None:
        raise situations.EIP_POOL_EMPTY.error(isp=isp)
    address = Address(address_id=world.new_id("eip"), ip=ip, isp=isp, created=now)
    world.addresses[address.address_id] = address
    return address


@dataclass(slots=True)
class _Delivery(Change):
    """New EIPs: CREATING, then UNBIND."""

    world: World
    ordered: list[Address]

    def done(self) -> None:
        for address in self.ordered:
            address.status = EipStatus.UNBIND
            address.task_id = 0

    def failed(self) -> None:
        for address in self.ordered:
            del self.world.addresses[address.address_id]


def _check_order(world: World, params: Mapping[str, Any], now: float) -> None:
    count = params.get("AddressCount", 1)
    isp = params.get("InternetServiceProvider", "BGP")
    if not 1 <= count <= world.config.quotas.total_eips:
        raise situations.EIP_COUNT.error(count=count, limit=world.config.quotas.total_eips)
    _check_type(world, params)
    _check_line(world, isp)
    _check_charge(world, params)
    if not world.balance_ok:
        raise situations.EIP_NO_BALANCE.error()
    _check_quota(world, isp, count, now)


def allocate_addresses(world: World, call: Call) -> JsonObject:
    """AllocateAddresses (document 215/16699): all of the order or nothing."""
    params = call.params
    isp = params.get("InternetServiceProvider", "BGP")
    count = params.get("AddressCount", 1)
    own_tags = tags.eip_tags(params.get("Tags", []), world.config.quotas.tags_per_resource)
    _check_order(world, params, call.now)
    _check_tag_values(world, own_tags)
    if not world.has_public_ips(isp, count):
        raise situations.EIP_POOL_EMPTY.error(isp=isp)
    ordered = [new_address(world, isp, call.now) for _ in range(count)]
    for address in ordered:
        address.charge_type = params.get("InternetChargeType", address.charge_type)
        address.bandwidth = params.get("InternetMaxBandwidthOut", address.bandwidth)
        address.bandwidth_package_id = params.get("BandwidthPackageId", "")
        address.name = params.get("AddressName", address.name)
        address.address_type = params.get("AddressType", address.address_type)
        address.egress = params.get("Egress", address.egress)
        address.tags = dict(own_tags)
    for key, value in own_tags.items():
        world.tag_values.setdefault(key, set()).add(value)
    world.daily.add(DAILY_EIPS if isp == "BGP" else DAILY_SINGLE_ISP, count, call.now)
    ids = [address.address_id for address in ordered]
    seconds = world.config.latencies.eip_create
    task = start_task(world, call, _Delivery(world, ordered), seconds=seconds, resources=ids)
    for address in ordered:
        address.task_id = task.task_id
    return {"AddressSet": ids, "TaskId": str(task.task_id)}


@dataclass(slots=True)
class _Return(Change):
    """Released EIPs: OFFLINING, then gone."""

    world: World
    released: list[Address]

    def done(self) -> None:
        for address in self.released:
            del self.world.addresses[address.address_id]

    def failed(self) -> None:
        for address in self.released:
            address.status = EipStatus.UNBIND
            address.task_id = 0


def release_addresses(world: World, call: Call) -> JsonObject:
    """ReleaseAddresses (document 215/16700): every address must be UNBIND; all or nothing."""
    check_not_empty(call.params, "AddressIds")
    ids = list(dict.fromkeys(call.params["AddressIds"]))
    released = [eip_lookup.existing(world, address_id) for address_id in ids]
    for address in released:
        if address.address_type == "WanIP":
            raise situations.EIP_RELEASE_TYPE.error(address_id=address.address_id)
        eip_lookup.check_free(address)
        if address.status is not EipStatus.UNBIND:
            raise situations.EIP_NOT_UNBOUND.error(address_id=address.address_id, status=address.status)
    seconds = world.config.latencies.eip_release
    task = start_task(world, call, _Return(world, released), seconds=seconds, resources=ids)
    for address in released:
        address.status = EipStatus.OFFLINING
        address.task_id = task.task_id
    return {"TaskId": str(task.task_id)}


ACTIONS = (
    Action(
        name="AllocateAddresses",
        product="vpc",
        handler=allocate_addresses,
        parameters=Record(
            {
                "AddressCount": INTEGER,
                "InternetServiceProvider": TEXT,
                "InternetChargeType": TEXT,
                "IPChargeType": TEXT,
                "InternetMaxBandwidthOut": INTEGER,
                "AddressChargePrepaid": Record({"Period": INTEGER, "AutoRenewFlag": INTEGER}),
                "AddressType": TEXT,
                "AnycastZone": TEXT,
                "VipCluster": TEXTS,
                "ApplicableForCLB": BOOLEAN,
                "Tags": TAGS,
                "BandwidthPackageId": TEXT,
                "AddressName": TEXT,
                "DedicatedClusterId": TEXT,
                "IsDedicatedAddressPool": BOOLEAN,
                "Egress": TEXT,
                "AntiDDoSPackageId": TEXT,
                "ClientToken": TEXT,
            }
        ),
        rate=10,
        cam=CamNames(service="cvm", resource="eip"),
        writes=True,
        token_reused=situations.EIP_TOKEN_REUSED,
        token_in_progress=None,
    ),
    Action(
        name="ReleaseAddresses",
        product="vpc",
        handler=release_addresses,
        parameters=Record({"AddressIds": TEXTS}, required=("AddressIds",)),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressIds"),
        writes=True,
    ),
)
