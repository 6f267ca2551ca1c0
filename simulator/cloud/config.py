"""What a simulated region is made of: VPC, subnets, account, EIP pools, quotas, latencies.

Plain immutable values. `region_config` builds them from a dict (a JSON or YAML document that was read
elsewhere) and names the field that is wrong. Nothing here is state: what changes while the region runs is in
`simulator.cloud.state`.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LIMITED = "LIMITED"
"""An ENI is attached with its EIPs as long as the instance may have so many public IPs."""
LEGACY = "LEGACY"
"""NetworkAccountType of an account that pays for EIPs with their CVMs."""


class ConfigError(ValueError):
    """The description of a region is wrong; the message names the field and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetConfig:
    """A subnet and the route table that it is associated with; empty means the main table of the VPC."""

    subnet_id: str = "subnet-demo0001"
    name: str = "pods"
    cidr: str = "10.0.1.0/24"
    zone: str = "ap-guangzhou-3"
    route_table_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroupConfig:
    """A security group: the ranges from which it lets connections in. What goes out is not looked at."""

    security_group_id: str = "sg-demo0001"
    ingress: tuple[str, ...] = ("0.0.0.0/0",)


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcConfig:
    """The one VPC of the region; a subnet may lie in the main CIDR or in an assistant one."""

    vpc_id: str = "vpc-demo0001"
    name: str = "demo"
    cidr: str = "10.0.0.0/16"
    assistant_cidrs: tuple[str, ...] = ()
    main_route_table_id: str = "rtb-demo0001"
    subnets: tuple[SubnetConfig, ...] = (SubnetConfig(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """A sub-account with a permanent key; `allow` and `deny` hold globs as `cvm:*Address*`, deny wins."""

    name: str = "demo"
    secret_id: str = "AKIDdemo"  # noqa: S105 - the well-known key of the simulator
    secret_key: str = "demo-secret-key"  # noqa: S105 - the well-known key of the simulator
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleConfig:
    """A CAM role that a CVM may carry; the metadata service issues its temporary keys."""

    name: str = "IPAMDofTKE_QCSRole"
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    session_seconds: float = 7200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthPackageConfig:
    """A shared bandwidth package; EIPs of one kind of line can join it."""

    package_id: str = "bwp-demo0001"
    network_type: str = "BGP"
    """Or HIGH_QUALITY_BGP, ANYCAST, SINGLEISP_CMCC, SINGLEISP_CTCC, SINGLEISP_CUCC."""
    most_eips: int | None = None
    """EIPs that it may have; None for the quota of the region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """The account that owns everything in the region."""

    uin: str = "100000000001"
    app_id: str = "1250000000"
    users: tuple[UserConfig, ...] = (UserConfig(),)
    roles: tuple[RoleConfig, ...] = (RoleConfig(),)
    single_isps: tuple[str, ...] = ("CMCC", "CTCC", "CUCC")
    """Lines the account is on the whitelist for; BGP is always allowed."""
    bandwidth_packages: tuple[BandwidthPackageConfig, ...] = (
        BandwidthPackageConfig(),
        BandwidthPackageConfig(package_id="bwp-demo0002"),
        *(
            BandwidthPackageConfig(package_id=f"bwp-{line.lower()}0001", network_type=f"SINGLEISP_{line}")
            for line in ("CMCC", "CTCC", "CUCC")
        ),
    )
    address_types: tuple[str, ...] = ("EIP",)
    """AddressTypes that are sold to the account in this region."""
    after_package: str = "TRAFFIC_POSTPAID_BY_HOUR"
    """How an EIP is billed that has left its package; no document says it."""
    reserves_ips: bool = True
    """Whether private addresses can be reserved here; else the region lacks the actions."""
    assigns_reserved_ips: bool = True
    """Whether an ENI of the account gets a reserved address that it names; no document says it."""
    attaches_eips: str = LIMITED
    """Which ENIs with EIPs an instance takes: LIMITED (as many EIPs as it may have), ALL, NONE. No document
    says it."""
    network_type: str = "STANDARD"
    """Or LEGACY: EIPs are billed with their CVM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Account quotas of the region (documents 1199/41648 and 576/18527)."""

    total_eips: int = 20
    daily_eip_applications: int = 40
    single_isp_eips: int = 6
    daily_single_isp_applications: int = 12
    daily_public_ip_assignments: int = 10
    package_eips: int = 100
    """EIPs of one post-paid bandwidth package (document 684/15247)."""
    most_bandwidth: int = 2000
    """Mbps of any EIP, where the account has less than its charge types allow."""
    enis_per_vpc: int = 1000
    reserved_ips: int = 1000
    """Private addresses that may be reserved; no document has a number."""
    tags_per_resource: int = 50
    values_per_tag_key: int = 1_000_000
    """Values of one key that EIPs may have or have had; 1,000 in older accounts. Released EIPs free none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Seconds between the acceptance of a write and its effect; multiplied by `scale`."""

    scale: float = 1.0
    eip_create: float = 0.05
    eip_bind: float = 0.15
    eip_unbind: float = 0.15
    eip_release: float = 0.1
    eip_modify: float = 0.1
    eip_charge_type: float = 0.2
    eip_package: float = 0.2
    """Between a package's answer, which names no task, and the EIP that shows it."""
    eni_create: float = 0.1
    eni_attach: float = 0.3
    eni_detach: float = 0.3
    eni_delete: float = 0.1
    eni_groups: float = 0.1
    ip_assign: float = 0.1
    ip_unassign: float = 0.1
    ip_migrate: float = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Whether calls are counted, and a factor for the published limits of calls per second."""

    enabled: bool = True
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceTypeConfig:
    """A CVM type beyond those of `simulator.cloud.instance_types`."""

    name: str
    cpu: int
    memory_gib: int
    enis: int
    ips_per_eni: int
    extended_enis: int = 0
    """How many ENIs it takes besides, each for one Pod (AttachType 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceOrder:
    """A CVM to boot. Empty ids and addresses are chosen by the region; an empty subnet is the first one."""

    instance_id: str = ""
    name: str = "node"
    instance_type: str = "S5.LARGE8"
    subnet_id: str = ""
    private_ip: str = ""
    public_ip: bool = False
    """Whether it gets an ordinary public IP (address type WanIP)."""
    netns_name: str = ""
    """Part of the name of its network namespace; the fabric's choice when empty."""
    cam_role: str = "IPAMDofTKE_QCSRole"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatGatewayConfig:
    """A NAT gateway; a route of type NAT may name it."""

    nat_gateway_id: str = "nat-demo0001"
    name: str = "nat"


def _default_pools() -> Mapping[str, str]:
    """Quarters of 198.18.0.0/16, which is reserved for benchmarks and never seen on the internet."""
    return {
        "BGP": "198.18.0.0/18",
        "CMCC": "198.18.64.0/18",
        "CTCC": "198.18.128.0/18",
        "CUCC": "198.18.192.0/18",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionConfig:
    """A whole region."""

    region: str = "ap-guangzhou"
    zones: tuple[str, ...] = ("ap-guangzhou-3", "ap-guangzhou-4")
    vpc: VpcConfig = field(default_factory=VpcConfig)
    account: AccountConfig = field(default_factory=AccountConfig)
    eip_pools: Mapping[str, str] = field(default_factory=_default_pools)
    """CIDR by ISP."""
    quotas: Quotas = field(default_factory=Quotas)
    latencies: Latencies = field(default_factory=Latencies)
    rate_limits: RateLimits = field(default_factory=RateLimits)
    instance_types: tuple[InstanceTypeConfig, ...] = ()
    instances: tuple[InstanceOrder, ...] = ()
    nat_gateways: tuple[NatGatewayConfig, ...] = ()
    security_groups: tuple[SecurityGroupConfig, ...] = ()
    """Without any, every id is one that lets everything in; with some, no other exists."""
    client_token_seconds: float = 86400.0
    """How long a ClientToken is remembered."""
    seed: int | None = None
    """Seed of generated ids; None draws other ids in each run."""


def region_config(document: Mapping[str, Any]) -> RegionConfig:
    """Build a region from a dict whose keys are the field names; raise ConfigError naming the wrong field."""
    config: RegionConfig = _build(RegionConfig, document, "region")
    return config


def _build(kind: Any, document: Any, where: str) -> Any:
    if not isinstance(document, Mapping):
        raise ConfigError(f"{where} must be an object, not {document!r}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(document) - set(hints))
    if unknown:
        raise ConfigError(f"{where} has no field {unknown[0]!r}; allowed are {', '.join(sorted(hints))}")
    missing = [
        f.name
        for f in dataclasses.fields(kind)
        if f.name not in document
        and f.default is dataclasses.MISSING
        and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}.{missing[0]} is missing")
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in document.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, where)
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where} must be a list, not {value!r}")
        (item, _ellipsis) = typing.get_args(hint)
        return tuple(_value(item, entry, f"{where}[{index}]") for index, entry in enumerate(value))
    if origin is types.UnionType:
        return None if value is None else _value(typing.get_args(hint)[0], value, where)
    if origin is not None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be an object, not {value!r}")
        return {str(key): _value(str, entry, f"{where}.{key}") for key, entry in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where} must be a {hint.__name__}, not {value!r}")
    return value
