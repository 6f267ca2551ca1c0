"""Shared bandwidth packages: which EIPs are in one, who may join, and the actions that move EIPs.

AddBandwidthPackageResources, RemoveBandwidthPackageResources and MigrateBandwidthPackageResources (documents
215/19252 and 215/19253) answer with a RequestId only; DescribeAddresses shows the EIP as before until it is
done. Bandwidth and charge type for what joins or leaves are for accounts in a beta test, and ignored here.
None of the three lists a code for an EIP that a task changes: that of the other EIP actions is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.cloud import situations
from simulator.cloud.actions import eip_lookup
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.config import BandwidthPackageConfig
from simulator.cloud.parameters import INTEGER, TEXT, TEXTS, Record, check_not_empty
from simulator.cloud.state.resources import Address
from simulator.cloud.state.schedule import Change
from simulator.cloud.state.world import World

IN_PACKAGE = "BANDWIDTH_PACKAGE"
_STAY = ("AntiDDoSEIP", "AnycastEIP", "HighQualityEIP")
_MOST_OUTSIDE = 100
"""Mbps of an EIP that is billed by itself (document 1199/48333)."""


def network_type(address_type: str, isp: str) -> str:
    """Give the NetworkType of the packages that an EIP of this kind can join."""
    if address_type in ("AnycastEIP", "HighQualityEIP"):
        return {"AnycastEIP": "ANYCAST", "HighQualityEIP": "HIGH_QUALITY_BGP"}[address_type]
    return "BGP" if isp == "BGP" else f"SINGLEISP_{isp}"


def package_of(world: World, package_id: str) -> BandwidthPackageConfig:
    """Give the package of this id; raise ApiError when the id is malformed or there is none."""
    if not package_id.startswith("bwp-"):
        raise situations.EIP_PACKAGE_MALFORMED.error(package_id=package_id)
    packages = world.config.account.bandwidth_packages
    found = next((package for package in packages if package.package_id == package_id), None)
    if found is None:
        raise situations.EIP_PACKAGE_NOT_FOUND.error(package_id=package_id)
    return found


def check_room(world: World, package: BandwidthPackageConfig, wanted: str, count: int = 1) -> None:
    """Raise ApiError unless `count` more EIPs of the line `wanted` may join the package."""
    if package.network_type != wanted:
        raise situations.EIP_PACKAGE_LINE.error(
            package_id=package.package_id, network_type=package.network_type, wanted=wanted
        )
    limit = world.config.quotas.package_eips if package.most_eips is None else package.most_eips
    held = sum(address.bandwidth_package_id == package.package_id for address in world.addresses.values())
    if held + count > limit:
        raise situations.EIP_PACKAGE_FULL.error(package_id=package.package_id, limit=limit, current=held)


@dataclass(slots=True)
class _Move(Change):
    """EIPs that join a package, or leave theirs for none when `package_id` is empty."""

    moved: list[Address]
    package_id: str
    charge_type: str

    def done(self) -> None:
        for address in self.moved:
            address.task_id = 0
            address.bandwidth_package_id = self.package_id
            address.charge_type = self.charge_type
            if not self.package_id:
                address.bandwidth = min(address.bandwidth, _MOST_OUTSIDE)

    def failed(self) -> None:
        for address in self.moved:
            address.task_id = 0


def _resources(world: World, call: Call) -> list[Address]:
    check_not_empty(call.params, "ResourceIds")
    found = []
    for address_id in dict.fromkeys(call.params["ResourceIds"]):
        if not eip_lookup.is_id(address_id):
            raise situations.EIP_RESOURCE_MALFORMED.error(address_id=address_id)
        if address_id not in world.addresses:
            raise situations.EIP_RESOURCE_NOT_FOUND.error(address_id=address_id)
        eip_lookup.check_free(world.addresses[address_id])
        found.append(world.addresses[address_id])
    return found


def _move(
    world: World, call: Call, moved: Sequence[Address], package_id: str, charge_type: str
) -> JsonObject:
    task = start_task(
        world,
        call,
        _Move(list(moved), package_id, charge_type),
        seconds=world.config.latencies.eip_package,
        resources=[address.address_id for address in moved],
    )
    for address in moved:
        address.task_id = task.task_id
    return {}


def add_resources(world: World, call: Call) -> JsonObject:
    """AddBandwidthPackageResources: EIPs that are billed by themselves join a package."""
    package = package_of(world, call.params["BandwidthPackageId"])
    joining = _resources(world, call)
    for address in joining:
        if address.bandwidth_package_id:
            raise situations.EIP_IN_PACKAGE.error(
                address_id=address.address_id, package_id=address.bandwidth_package_id
            )
        if address.charge_type == "BANDWIDTH_PREPAID_BY_MONTH":
            raise situations.EIP_PREPAID_IN_PACKAGE.error(
                charge_type=address.charge_type, address_id=address.address_id
            )
        check_room(world, package, network_type(address.address_type, address.isp), len(joining))
    return _move(world, call, joining, package.package_id, IN_PACKAGE)


def _members(world: World, call: Call, package: BandwidthPackageConfig) -> list[Address]:
    members = _resources(world, call)
    for address in members:
        if address.bandwidth_package_id != package.package_id:
            raise situations.EIP_NOT_IN_PACKAGE.error(
                address_id=address.address_id, package_id=package.package_id
            )
    return members


def remove_resources(world: World, call: Call) -> JsonObject:
    """RemoveBandwidthPackageResources: what leaves is billed as the account's config says."""
    members = _members(world, call, package_of(world, call.params["BandwidthPackageId"]))
    for address in members:
        if address.address_type in _STAY:
            raise situations.EIP_TYPE_STAYS_IN_PACKAGE.error(address_type=address.address_type)
    return _move(world, call, members, "", world.config.account.after_package)


def migrate_resources(world: World, call: Call) -> JsonObject:
    """MigrateBandwidthPackageResources: from one package to another of the same line."""
    source = package_of(world, call.params["BandwidthPackageId"])
    target = package_of(world, call.params["TargetBandwidthPackageId"])
    members = _members(world, call, source)
    check_room(world, target, source.network_type, len(members))
    return _move(world, call, members, target.package_id, IN_PACKAGE)


_CAM = CamNames(service="vpc", resource="bandwidthPackage", id_parameter="BandwidthPackageId")

ACTIONS = (
    Action(
        name="AddBandwidthPackageResources",
        product="vpc",
        handler=add_resources,
        parameters=Record(
            {
                "ResourceIds": TEXTS,
                "BandwidthPackageId": TEXT,
                "NetworkType": TEXT,
                "ResourceType": TEXT,
                "Protocol": TEXT,
                "InternetMaxBandwidthOut": INTEGER,
            },
            required=("ResourceIds", "BandwidthPackageId"),
        ),
        rate=20,
        cam=_CAM,
        writes=True,
    ),
    Action(
        name="RemoveBandwidthPackageResources",
        product="vpc",
        handler=remove_resources,
        parameters=Record(
            {
                "ResourceIds": TEXTS,
                "BandwidthPackageId": TEXT,
                "ResourceType": TEXT,
                "InternetMaxBandwidthOut": INTEGER,
                "InternetChargeType": TEXT,
            },
            required=("ResourceIds", "BandwidthPackageId"),
        ),
        rate=20,
        cam=_CAM,
        writes=True,
    ),
    Action(
        name="MigrateBandwidthPackageResources",
        product="vpc",
        handler=migrate_resources,
        parameters=Record(
            {"BandwidthPackageId": TEXT, "TargetBandwidthPackageId": TEXT, "ResourceIds": TEXTS},
            required=("BandwidthPackageId", "TargetBandwidthPackageId", "ResourceIds"),
        ),
        rate=20,
        cam=_CAM,
        writes=True,
    ),
)
