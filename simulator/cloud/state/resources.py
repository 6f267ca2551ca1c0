"""The things of a region: EIPs, ENIs, instances, route tables, NAT gateways, tasks.

Mutable records, changed only by `simulator.cloud.actions` and `simulator.cloud.region` under the region's
lock. Names and values of states are those of the API's AddressStatus, NetworkInterface.State and
PrivateIpAddressSpecification.State.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class EipStatus(StrEnum):
    """Address.AddressStatus."""

    CREATING = "CREATING"
    BINDING = "BINDING"
    BIND = "BIND"
    UNBINDING = "UNBINDING"
    UNBIND = "UNBIND"
    OFFLINING = "OFFLINING"
    BIND_ENI = "BIND_ENI"


class EniState(StrEnum):
    """NetworkInterface.State."""

    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    ATTACHING = "ATTACHING"
    DETACHING = "DETACHING"
    DELETING = "DELETING"


class IpState(StrEnum):
    """PrivateIpAddressSpecification.State."""

    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    MIGRATING = "MIGRATING"
    DELETING = "DELETING"


class TaskStatus(StrEnum):
    """Result of DescribeTaskResult and Status of DescribeVpcTaskResult."""

    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass(slots=True, kw_only=True)
class Address:
    """A public IP: an EIP, or the ordinary public IP (WanIP) of a CVM.

    Invariant: `private_ip` and `eni_id` are set together, from BINDING until UNBINDING ends.
    """

    address_id: str
    ip: str
    isp: str
    address_type: str = "EIP"
    charge_type: str = "TRAFFIC_POSTPAID_BY_HOUR"
    bandwidth: int = 1
    bandwidth_package_id: str = ""
    charge_changes: int = 0
    """How often ModifyAddressInternetChargeType has changed `charge_type`."""
    egress: str = "center_egress1"
    name: str = "未命名"
    tags: dict[str, str] = field(default_factory=dict)
    status: EipStatus = EipStatus.CREATING
    created: float = 0.0
    eni_id: str = ""
    private_ip: str = ""
    nat_gateway_id: str = ""
    is_arrears: bool = False
    is_blocked: bool = False
    cascade_release: bool = False
    """Whether it is released by itself when it is unbound (data type Address, CascadeRelease)."""
    task_id: int = 0
    """The task that changes it now; 0 when none does."""


@dataclass(slots=True, kw_only=True)
class PrivateIp:
    """A private address of an ENI."""

    ip: str
    primary: bool = False
    state: IpState = IpState.PENDING
    description: str = ""
    qos: str = "DEFAULT"


@dataclass(slots=True, kw_only=True)
class NetworkInterface:
    """An ENI. Invariant: exactly one of `addresses` is primary."""

    eni_id: str
    name: str
    vpc_id: str
    subnet_id: str
    zone: str
    mac: str
    """Lower case; the API shows it in upper case."""
    created: float
    description: str = ""
    primary: bool = False
    qos: str = "DEFAULT"
    state: EniState = EniState.PENDING
    security_groups: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, PrivateIp] = field(default_factory=dict)
    instance_id: str = ""
    extended: bool = False
    """Whether it counts against the instance's quota of extended ENIs (AttachType 1)."""
    device_index: int = 0
    attached_at: float = 0.0
    ip_task_id: int = 0
    """The task that changes its addresses now; 0 when none does."""

    @property
    def primary_ip(self) -> str:
        """The ENI's own address."""
        return next(address.ip for address in self.addresses.values() if address.primary)


@dataclass(slots=True, kw_only=True)
class IpReservation:
    """A private address that is kept (rsvip-...). Whether an ENI has it, the ENIs tell."""

    reservation_id: str
    ip: str
    subnet_id: str
    created: float
    name: str = ""
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class CvmInstance:
    """A CVM; its addresses are those of its ENIs."""

    instance_id: str
    name: str
    instance_type: str
    zone: str
    vpc_id: str
    subnet_id: str
    uuid: str
    created: float
    cam_role: str
    state: str = "RUNNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """One user route of a route table."""

    route_id: int
    item_id: str
    destination: str
    gateway_type: str
    gateway_id: str
    description: str
    enabled: bool
    created: float


@dataclass(slots=True, kw_only=True)
class RouteTable:
    """A route table; subnets name it, its local routes are implied."""

    route_table_id: str
    name: str
    main: bool
    created: float
    routes: list[RouteEntry] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Subnet:
    """A subnet and its association with a route table."""

    subnet_id: str
    name: str
    cidr: str
    zone: str
    route_table_id: str
    created: float
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class NatGateway:
    """A NAT gateway with one EIP."""

    nat_gateway_id: str
    name: str
    address_id: str
    public_ip: str
    created: float


@dataclass(slots=True, kw_only=True)
class Task:
    """An accepted write. The EIP actions answer with its number, the ENI actions with their RequestId."""

    task_id: int
    request_id: str
    action: str
    resource_ids: tuple[str, ...]
    accepted: float
    status: TaskStatus = TaskStatus.RUNNING
    doomed: bool = False
    """Whether a fault was injected: it ends in FAILED without an effect."""
