"""The nouns of the project: what the cloud, the node and the cluster have, as immutable values.

Addresses are dotted strings, as every API on the way gives and takes them. Names follow the Tencent Cloud
API (ENI, EIP, subnet) and the CNI specification (sandbox, network, interface).
"""

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SandboxKey:
    """The identity of one attachment: a sandbox, and the name of the interface in it.

    The name of the network is not part of it: a sandbox has one interface of a name, and an operator who
    renames the network must still get the sandboxes of before deleted.
    """

    container_id: str
    ifname: str

    def __str__(self) -> str:
        return f"{self.container_id}/{self.ifname}"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PodRef:
    """One incarnation of a Pod; `uid` tells it from a later Pod of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The CVM under this node."""

    instance_id: str
    instance_type: str
    vcpus: int
    zone: str
    vpc_id: str
    subnet_id: str
    private_ip: str
    """Primary address of the primary ENI: the node's own address."""
    state: str = ""
    """InstanceState of DescribeInstances, for example RUNNING, STOPPED, SHUTDOWN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EniLimits:
    """DescribeNetworkInterfaceLimit: how many ENIs a CVM takes, the primary included, and IPs for each."""

    enis: int
    ips_per_eni: int
    """Primary address included."""
    extended: int = 0
    """ENIs that it takes besides, each for one Pod (ExtendEniQuantity)."""


class EniState(Enum):
    """NetworkInterface.State of DescribeNetworkInterfaces."""

    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    ATTACHING = "ATTACHING"
    DETACHING = "DETACHING"
    DELETING = "DELETING"
    UNKNOWN = "UNKNOWN"
    """A state this release does not know: the ENI exists, and nothing may be built on it."""


class IpState(Enum):
    """PrivateIpAddressSpecification.State; an EIP may be bound to AVAILABLE only."""

    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    MIGRATING = "MIGRATING"
    DELETING = "DELETING"
    UNKNOWN = "UNKNOWN"
    """A state this release does not know: the address is taken, and not usable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EniAddress:
    """One private address of an ENI."""

    ip: str
    primary: bool
    state: IpState
    eip_id: str = ""
    public_ip: str = ""
    description: str = ""
    """What it was assigned with (`tags.address_description`), or what people wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eni:
    """One elastic network interface as the cloud lists it."""

    eni_id: str
    mac: str
    """Lower case, colon-separated."""
    vpc_id: str
    subnet_id: str
    primary: bool
    state: EniState
    instance_id: str
    """Empty when the ENI is not attached."""
    addresses: tuple[EniAddress, ...]
    security_groups: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    extended: bool = False
    """Whether it counts against the quota of extended ENIs (AttachType 1)."""

    @property
    def primary_ip(self) -> str:
        """The ENI's own address; a Pod has it only together with the ENI."""
        return next((address.ip for address in self.addresses if address.primary), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class EniRequest:
    """What CreateAndAttachNetworkInterface is asked for."""

    instance_id: str
    vpc_id: str
    subnet_id: str
    security_groups: tuple[str, ...]
    secondary_ips: int
    """Addresses for Pods, besides the primary one; 0 for none."""
    name: str = ""
    """At most 60 characters."""
    tags: dict[str, str] = field(default_factory=dict)
    exclusive: bool = False
    """For one Pod as a whole: an extended ENI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EniOrder:
    """What CreateNetworkInterface is asked for: an ENI with one address, attached to no CVM."""

    vpc_id: str
    subnet_id: str
    ip: str = ""
    """Its primary address; empty for one that the VPC chooses."""
    name: str = ""
    """At most 60 characters."""
    security_groups: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet of the VPC."""

    subnet_id: str
    vpc_id: str
    zone: str
    cidr: str
    available_ips: int
    route_table_id: str


class ReservationState(Enum):
    """ReserveIpAddressInfo.State."""

    UNBIND = "UnBind"
    """No ENI has the address now."""
    BIND = "Bind"
    UNKNOWN = "Unknown"
    """A state this release does not know: an ENI may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A private address that the VPC gives to nobody by itself (DescribeReserveIpAddresses)."""

    reservation_id: str
    """For example rsvip-eaq2f4pc."""
    ip: str
    subnet_id: str
    """Empty where the cloud does not say."""
    vpc_id: str
    state: ReservationState
    resource_id: str = ""
    """The ENI that has the address; empty for none."""
    name: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationOrder:
    """What CreateReserveIpAddresses is asked for: one address of a subnet."""

    vpc_id: str
    subnet_id: str
    ip: str = ""
    """Empty for one that the VPC chooses."""
    name: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OccupiedAddress:
    """What has a private address of a subnet (DescribeUsedIpAddress)."""

    ip: str
    resource_type: str
    """For example ENI."""
    resource_id: str

    def __str__(self) -> str:
        return f"{self.resource_type} {self.resource_id}".strip() or "something unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One entry of a route table; only IPv4 entries are listed."""

    destination: str
    gateway_type: str
    """GatewayType of the API, for example NAT, EIP, NORMAL_CVM."""
    gateway_id: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route table of the VPC; a subnet names its own in `Subnet.route_table_id`."""

    route_table_id: str
    vpc_id: str
    routes: tuple[Route, ...]


class EipStatus(Enum):
    """Address.AddressStatus. BIND_ENI is a bind to an ENI that is attached to no CVM; both count as bound."""

    CREATING = "CREATING"
    BINDING = "BINDING"
    BIND = "BIND"
    UNBINDING = "UNBINDING"
    UNBIND = "UNBIND"
    OFFLINING = "OFFLINING"
    BIND_ENI = "BIND_ENI"
    UNKNOWN = "UNKNOWN"
    """A state this release does not know: neither bound nor free to bind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Eip:
    """One elastic public IP as DescribeAddresses lists it."""

    eip_id: str
    public_ip: str
    status: EipStatus
    eni_id: str = ""
    private_ip: str = ""
    instance_id: str = ""
    isp: str = ""
    is_arrears: bool = False
    is_blocked: bool = False
    cascade_release: bool = False
    """Whether the cloud releases it by itself when it is unbound."""
    created_at: float | None = None
    """Seconds since the epoch; None when the cloud does not say."""
    name: str = ""
    address_type: str = ""
    bandwidth_mbps: int | None = None
    """None where the CVM's counts: on an account that is billed by CVM."""
    charge_type: str = ""
    """Empty on an account that is billed by CVM."""
    bandwidth_package_id: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def bound(self) -> bool:
        """Whether packets are translated for it now."""
        return self.status in (EipStatus.BIND, EipStatus.BIND_ENI)

    @property
    def place(self) -> str:
        """Where it is bound, in words: what it serves, as far as the cloud says."""
        address = f"{self.private_ip or 'no address'} on {self.eni_id}" if self.eni_id else self.private_ip
        return " of ".join(part for part in (address, self.instance_id) if part) or "something unnamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EipOrder:
    """What AllocateAddresses is asked for; the defaults are those of TKE's `eip-attributes`."""

    isp: str = "BGP"
    bandwidth_mbps: int = 100
    """0 leaves it to the CVM."""
    charge_type: str = "TRAFFIC_POSTPAID_BY_HOUR"
    """Empty leaves it to the account, as one that is billed by CVM demands (`account_types`)."""
    bandwidth_package_id: str = ""
    name: str = ""
    """At most 128 characters; empty for the one that the controller gives."""
    address_type: str = "EIP"
    anycast_zone: str = ""
    """Of an AnycastEIP; empty for the cloud's default."""
    egress: str = ""
    """Of a HighQualityEIP or a single line; empty for the cloud's default."""
    anti_ddos_package_id: str = ""
    """Of an AntiDDoSEIP."""
    tags: tuple[tuple[str, str], ...] = ()
    """Keys and values of the user's, in the order of the keys; ours come on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedOrder:
    """What the cloud has answered to an order: the EIP that is to come, unless its task fails."""

    eip_id: str
    task_id: str
    """Empty when the answer names none."""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EipQuota:
    """One row of DescribeAddressQuota, for example TOTAL_EIP_QUOTA or DAILY_EIP_APPLY."""

    quota_id: str
    used: int
    limit: int
