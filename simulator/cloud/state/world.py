"""Everything in the region, by id, with the look-ups that several actions need.

`World` holds data and answers questions about it; what an API action does to it is in
`simulator.cloud.actions`. Not thread-safe: the region's lock guards it.
"""

import copy
import ipaddress
import itertools
import random
import string
from collections.abc import Iterator

from simulator.cloud.config import RegionConfig
from simulator.cloud.instance_types import InstanceType, known_types
from simulator.cloud.state.daily import DailyCounts
from simulator.cloud.state.resources import (
    Address,
    CvmInstance,
    EipStatus,
    IpReservation,
    NatGateway,
    NetworkInterface,
    RouteTable,
    Subnet,
    Task,
)
from simulator.cloud.state.schedule import Schedule
from simulator.fabric.api import Route

_KEPT_TASKS = 20_000
_ID_ALPHABET = string.ascii_lowercase + string.digits


class World:
    """The state of a region.

    Invariants: a private address belongs to one ENI; a private address has at most one public one, and the
    other way round; an address of a pool belongs to one Address; an address is reserved once at most.
    """

    def __init__(self, config: RegionConfig, now: float) -> None:
        """Make the VPC of `config`; instances and gateways are added by the region."""
        self.config = config
        self.types: dict[str, InstanceType] = known_types(config.instance_types)
        self.random = random.Random(config.seed)  # noqa: S311 - ids, not secrets
        self.schedule = Schedule()
        self.daily = DailyCounts()
        self.created = now
        self.balance_ok = True
        self.reserves_ips = config.account.reserves_ips
        self.assigns_reserved_ips = config.account.assigns_reserved_ips
        self.attaches_eips = config.account.attaches_eips
        self.tag_values: dict[str, set[str]] = {}
        """The values that each key of a tag has had at an EIP."""
        self.assistant_cidrs = config.vpc.assistant_cidrs
        self.addresses: dict[str, Address] = {}
        self.enis: dict[str, NetworkInterface] = {}
        self.reservations: dict[str, IpReservation] = {}
        self.instances: dict[str, CvmInstance] = {}
        self.nat_gateways: dict[str, NatGateway] = {}
        self.tasks: dict[int, Task] = {}
        self.task_of_request: dict[str, int] = {}
        vpc = config.vpc
        self.subnets: dict[str, Subnet] = {
            subnet.subnet_id: Subnet(
                subnet_id=subnet.subnet_id,
                name=subnet.name,
                cidr=subnet.cidr,
                zone=subnet.zone,
                route_table_id=subnet.route_table_id or vpc.main_route_table_id,
                created=now,
                tags=dict(subnet.tags),
            )
            for subnet in vpc.subnets
        }
        self.route_tables: dict[str, RouteTable] = {}
        for route_table_id in (vpc.main_route_table_id, *(s.route_table_id for s in self.subnets.values())):
            main = route_table_id == vpc.main_route_table_id
            self.route_tables.setdefault(
                route_table_id,
                RouteTable(
                    route_table_id=route_table_id,
                    name="default" if main else route_table_id,
                    main=main,
                    created=now,
                ),
            )

    def past(self) -> "World":
        """Copy what queries read, for answers out of a stale replica."""
        twin = copy.copy(self)
        for name in (
            "addresses",
            "enis",
            "reservations",
            "instances",
            "nat_gateways",
            "tasks",
            "task_of_request",
            "subnets",
            "route_tables",
            "daily",
        ):
            setattr(twin, name, copy.deepcopy(getattr(self, name)))
        return twin

    def new_id(self, prefix: str) -> str:
        """Draw an id of the cloud's form, such as eip-3k9x0abc."""
        return f"{prefix}-{''.join(self.random.choices(_ID_ALPHABET, k=8))}"

    def new_mac(self) -> str:
        """Draw a MAC address under the cloud's prefix."""
        return "20:90:6f:" + ":".join(f"{self.random.randrange(256):02x}" for _ in range(3))

    def remember_task(self, task: Task) -> None:
        """Keep a task for queries; the oldest of very many are forgotten."""
        self.tasks[task.task_id] = task
        self.task_of_request[task.request_id] = task.task_id
        if len(self.tasks) > _KEPT_TASKS:
            del self.tasks[next(iter(self.tasks))]
            del self.task_of_request[next(iter(self.task_of_request))]

    # Private addresses.

    def used_ips(self, subnet_id: str) -> set[str]:
        """Give the private addresses of all ENIs of a subnet, those that are going included."""
        return {ip for eni in self.enis.values() if eni.subnet_id == subnet_id for ip in eni.addresses}

    def reserved_ips(self, subnet_id: str) -> dict[str, IpReservation]:
        """Give the reservations of a subnet by their addresses."""
        return {kept.ip: kept for kept in self.reservations.values() if kept.subnet_id == subnet_id}

    def taken_ips(self, subnet_id: str) -> set[str]:
        """Give the addresses of a subnet that nobody gets by asking for any: used and reserved ones."""
        return {*self.used_ips(subnet_id), *self.reserved_ips(subnet_id)}

    def free_ips(self, subnet_id: str) -> Iterator[str]:
        """Give the free addresses of a subnet, the lowest first: a freed one comes back soon."""
        used = self.taken_ips(subnet_id)
        hosts = ipaddress.ip_network(self.subnets[subnet_id].cidr).hosts()
        next(hosts)  # the gateway
        return (str(host) for host in hosts if str(host) not in used)

    def total_ips(self, subnet_id: str) -> int:
        """Count the addresses of a subnet without network address, gateway and broadcast address."""
        return ipaddress.ip_network(self.subnets[subnet_id].cidr).num_addresses - 3

    def gateway(self, subnet_id: str) -> str:
        """Give the router's address in a subnet: its first one."""
        return str(next(ipaddress.ip_network(self.subnets[subnet_id].cidr).hosts()))

    # Public addresses.

    def free_public_ips(self, isp: str) -> Iterator[str]:
        """Give the free addresses of a line's pool, the lowest first; none for a line without a pool."""
        used = {address.ip for address in self.addresses.values()}
        pool = self.config.eip_pools.get(isp)
        hosts = ipaddress.ip_network(pool).hosts() if pool else iter(())
        return (str(host) for host in hosts if str(host) not in used)

    def has_public_ips(self, isp: str, count: int) -> bool:
        """Tell whether a line's pool has so many free addresses."""
        return len(list(itertools.islice(self.free_public_ips(isp), count))) == count

    def address_of(self, eni_id: str, private_ip: str) -> Address | None:
        """Give the public address that a private one has or is about to have or to lose."""
        return next(
            (a for a in self.addresses.values() if a.eni_id == eni_id and a.private_ip == private_ip), None
        )

    def addresses_of_instance(self, instance_id: str) -> list[Address]:
        """Give the public addresses, ordinary one included, that count against an instance's limit."""
        enis = {eni.eni_id for eni in self.enis_of(instance_id)}
        return [address for address in self.addresses.values() if address.eni_id in enis]

    def eips(self, *, single_isp: bool) -> list[Address]:
        """Give the EIPs that count against a quota: those of BGP lines, or those of single lines."""
        return [
            address
            for address in self.addresses.values()
            if address.address_type == "EIP" and (address.isp != "BGP") == single_isp
        ]

    def bound_status(self, eni_id: str) -> EipStatus:
        """Give the status of an address that is bound to an ENI: BIND_ENI when no CVM has the ENI."""
        return EipStatus.BIND if self.enis[eni_id].instance_id else EipStatus.BIND_ENI

    # ENIs.

    def enis_of(self, instance_id: str) -> list[NetworkInterface]:
        """Give the ENIs of an instance, the primary one first."""
        found = [eni for eni in self.enis.values() if eni.instance_id == instance_id]
        return sorted(found, key=lambda eni: eni.device_index)

    def free_device_index(self, instance_id: str) -> int:
        """Give the lowest free position in an instance."""
        used = {eni.device_index for eni in self.enis_of(instance_id)}
        return next(index for index in range(len(used) + 1) if index not in used)

    # Routes.

    def fabric_routes(self, route_table_id: str) -> list[Route]:
        """Give the enabled routes of a table as the data plane takes them."""
        return [
            Route(destination=r.destination, gateway_type=r.gateway_type, gateway_id=r.gateway_id)
            for r in self.route_tables[route_table_id].routes
            if r.enabled
        ]
