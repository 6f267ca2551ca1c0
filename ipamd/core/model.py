"""The nouns of the project: what the cloud, the node and the cluster have, as immutable values.

Addresses are dotted strings, as every API on the way gives and takes them. Names follow the Tencent Cloud
API (ENI, EIP, subnet) and the CNI specification (sandbox, network, interface).
"""

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SandboxKey:
    """The identity of one attachment, as the CNI specification demands: network, container, interface."""

    network: str
    container_id: str
    ifname: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EniLimits:
    """DescribeNetworkInterfaceLimit: how many ENIs a CVM takes, the primary included, and IPs for each."""

    enis: int
    ips_per_eni: int
    """Primary address included."""


class EniState(Enum):
    """NetworkInterface.State of DescribeNetworkInterfaces."""

    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    ATTACHING = "ATTACHING"
    DETACHING = "DETACHING"
    DELETING = "DELETING"


class IpState(Enum):
    """PrivateIpAddressSpecification.State; an EIP may be bound to AVAILABLE only."""

    PENDING = "PENDING"
    AVAILABLE = "AVAILABLE"
    MIGRATING = "MIGRATING"
    DELETING = "DELETING"


@dataclass(frozen=True, slots=True, kw_only=True)
class EniAddress:
    """One private address of an ENI."""

    ip: str
    primary: bool
    state: IpState
    eip_id: str = ""
    public_ip: str = ""


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
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def primary_ip(self) -> str:
        """The ENI's own address; it is never given to a Pod."""
        return next((address.ip for address in self.addresses if address.primary), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet of the VPC."""

    subnet_id: str
    vpc_id: str
    zone: str
    cidr: str
    available_ips: int
    route_table_id: str


class EipStatus(Enum):
    """Address.AddressStatus. BIND_ENI is a bind to an ENI that is attached to no CVM; both count as bound."""

    CREATING = "CREATING"
    BINDING = "BINDING"
    BIND = "BIND"
    UNBINDING = "UNBINDING"
    UNBIND = "UNBIND"
    OFFLINING = "OFFLINING"
    BIND_ENI = "BIND_ENI"


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
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def bound(self) -> bool:
        """Whether packets are translated for it now."""
        return self.status in (EipStatus.BIND, EipStatus.BIND_ENI)
