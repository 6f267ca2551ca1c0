"""How an EIP becomes what is wanted of it while it stays where it is: one step after the other.

A step is one write of the cloud, and the EIP's own attributes tell whether it was taken, so none is taken
twice. No ClientToken exists for any of them (API pages ModifyAddressesBandwidth,
ModifyAddressInternetChargeType, ModifyAddressAttribute, Add-, Remove- and MigrateBandwidthPackageResources).
Pure.
"""

from dataclasses import dataclass
from enum import Enum

from ipamd.core.annotations.eip_attributes import BY_CVM, BY_TRAFFIC, IN_PACKAGE
from ipamd.core.model import Eip, EipOrder

CHARGE_CHANGES = 2
"""How often the charge type of an EIP can change in its life (document 215/36091)."""


class ChangeKind(Enum):
    """What of an EIP is changed."""

    NAME = "Name"
    BANDWIDTH = "Bandwidth"
    CHARGE_TYPE = "ChargeType"
    PACKAGE = "BandwidthPackage"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetName:
    """Another name in the console."""

    name: str

    def __str__(self) -> str:
        return f"name {self.name}"

    @property
    def goal(self) -> tuple[ChangeKind, str]:
        """What the EIP shows afterwards."""
        return ChangeKind.NAME, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBandwidth:
    """Another bandwidth."""

    mbps: int

    def __str__(self) -> str:
        return f"bandwidth {self.mbps} Mbps"

    @property
    def goal(self) -> tuple[ChangeKind, str]:
        """What the EIP shows afterwards."""
        return ChangeKind.BANDWIDTH, str(self.mbps)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetChargeType:
    """Billed in another way, with a bandwidth; an EIP takes few of these in its life."""

    charge_type: str
    mbps: int

    def __str__(self) -> str:
        return f"charge type {self.charge_type}, {self.mbps} Mbps"

    @property
    def goal(self) -> tuple[ChangeKind, str]:
        """What the EIP shows afterwards; a bandwidth can be set again at any time."""
        return ChangeKind.CHARGE_TYPE, self.charge_type


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPackage:
    """Into a bandwidth package; `network_type` says which kind of line the package is for."""

    package_id: str
    network_type: str

    def __str__(self) -> str:
        return f"into bandwidth package {self.package_id}"

    @property
    def goal(self) -> tuple[ChangeKind, str]:
        """What the EIP shows afterwards."""
        return ChangeKind.PACKAGE, self.package_id


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePackage:
    """From one bandwidth package to another."""

    source: str
    package_id: str

    def __str__(self) -> str:
        return f"from bandwidth package {self.source} to {self.package_id}"

    @property
    def goal(self) -> tuple[ChangeKind, str]:
        """What the EIP shows afterwards."""
        return ChangeKind.PACKAGE, self.package_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavePackage:
    """Out of its bandwidth package; how it is billed then, the account decides."""

    package_id: str

    def __str__(self) -> str:
        return f"out of bandwidth package {self.package_id}"

    @property
    def goal(self) -> tuple[ChangeKind, str]:
        """What the EIP shows afterwards."""
        return ChangeKind.PACKAGE, ""


ChangeStep = SetName | SetBandwidth | SetChargeType | JoinPackage | MovePackage | LeavePackage


def value_of(kind: ChangeKind, eip: Eip) -> str:
    """Return what the EIP shows of this kind now."""
    match kind:
        case ChangeKind.NAME:
            return eip.name
        case ChangeKind.BANDWIDTH:
            return "" if eip.bandwidth_mbps is None else str(eip.bandwidth_mbps)
        case ChangeKind.CHARGE_TYPE:
            return eip.charge_type
        case ChangeKind.PACKAGE:
            return eip.bandwidth_package_id


def network_type(eip: Eip) -> str:
    """Return the NetworkType of the bandwidth packages that the EIP can join."""
    special = {"AnycastEIP": "ANYCAST", "HighQualityEIP": "HIGH_QUALITY_BGP"}.get(eip.address_type)
    return special or ("BGP" if eip.isp == "BGP" else f"SINGLEISP_{eip.isp}")


def next_step(order: EipOrder, eip: Eip, name: str) -> ChangeStep | None:
    """Return what is to be changed next so that the EIP is as ordered and has the name; None when it is.

    A bandwidth goes down before a package is left, where less may be allowed, and up after one is joined.
    """
    if eip.name != name:
        return SetName(name=name)
    if not eip.charge_type:  # billed by CVM, and its bandwidth is the CVM's
        return None
    lower = eip.bandwidth_mbps is not None and order.bandwidth_mbps < eip.bandwidth_mbps
    if eip.bandwidth_package_id and lower:
        return SetBandwidth(mbps=order.bandwidth_mbps)
    billed = _billing(order, eip)
    if billed:
        return billed
    if eip.bandwidth_mbps != order.bandwidth_mbps:
        return SetBandwidth(mbps=order.bandwidth_mbps)
    return None


def _billing(order: EipOrder, eip: Eip) -> ChangeStep | None:
    held, wanted = eip.bandwidth_package_id, order.bandwidth_package_id
    if held and wanted:
        return MovePackage(source=held, package_id=wanted) if held != wanted else None
    if held:
        return LeavePackage(package_id=held)
    if wanted:
        return JoinPackage(package_id=wanted, network_type=network_type(eip))
    if eip.charge_type != order.charge_type:
        return SetChargeType(charge_type=order.charge_type, mbps=order.bandwidth_mbps)
    return None


def spends_charge_change(order: EipOrder, eip: Eip) -> bool:
    """Whether the way to the order takes one of the EIP's few changes of the charge type.

    An EIP that leaves its package is taken to be billed by traffic then, the cloud's default.
    """
    if not eip.charge_type or order.charge_type in (IN_PACKAGE, BY_CVM):
        return False
    left_with = BY_TRAFFIC if eip.bandwidth_package_id else eip.charge_type
    return left_with != order.charge_type


def unchangeable(order: EipOrder, eip: Eip) -> str:
    """Return what an EIP cannot become at all, in words; empty when nothing of the kind is wanted."""
    if eip.isp and eip.isp != order.isp:
        return f"the line (isp) of an EIP cannot change: {eip.eip_id} is {eip.isp}, not {order.isp}"
    if eip.address_type and eip.address_type != order.address_type:
        return (
            f"the type of an EIP cannot change: {eip.eip_id} is of type {eip.address_type}, not "
            f"{order.address_type}"
        )
    if eip.charge_type and order.charge_type == BY_CVM:
        return f"the account bills EIPs themselves (STANDARD): {eip.eip_id} cannot become {BY_CVM}"
    return ""


def unchangeable_wish(wish: EipOrder, order: EipOrder) -> str:
    """Return what of a wish the EIP of an order cannot become, in words; empty for nothing."""
    fixed = {
        "InternetServiceProvider": (wish.isp, order.isp),
        "AddressType": (wish.address_type, order.address_type),
        "AnycastZone": (wish.anycast_zone, order.anycast_zone),
        "AntiDDoSPackageId": (wish.anti_ddos_package_id, order.anti_ddos_package_id),
        "Egress": (wish.egress, order.egress),
        "Tags": (dict(wish.tags), dict(order.tags)),
    }
    differing = [
        f"{field} is {has or 'none'}, not {wanted or 'none'}"
        for field, (wanted, has) in fixed.items()
        if wanted != has
    ]
    return "; ".join(differing)
