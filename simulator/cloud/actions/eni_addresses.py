"""Secondary addresses: AssignPrivateIpAddresses, UnassignPrivateIpAddresses, MigratePrivateIpAddress.

One task at a time may change the addresses of an ENI. An assigned address is PENDING, then AVAILABLE; one
that goes is DELETING, then gone, and its EIP is unbound with it; one that moves is MIGRATING and takes its
EIP along. Sources: documents 215/15813, 215/15814 and 215/15816.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cloud import situations
from simulator.cloud.actions import eip_binding, eni_attachment, eni_lookup, eni_queries, ip_choice
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.faults import FaultKind
from simulator.cloud.parameters import INTEGER, PRIVATE_IPS, TEXT, Record, check_not_empty
from simulator.cloud.state.resources import Address, EipStatus, IpState, NetworkInterface, PrivateIp
from simulator.cloud.state.schedule import Change, Effect
from simulator.cloud.state.world import World


def _check_idle(eni: NetworkInterface) -> None:
    if eni.ip_task_id:
        raise situations.IP_BUSY.error(eni_id=eni.eni_id)


@dataclass(slots=True)
class _Assignment(Change):
    """New addresses: PENDING, then AVAILABLE."""

    eni: NetworkInterface
    chosen: list[PrivateIp]

    def effects(self) -> list[Effect]:
        # Without a CVM there is no port yet: the attachment brings the addresses along.
        return [_add(self.eni.eni_id, p.ip) for p in self.chosen] if self.eni.instance_id else []

    def done(self) -> None:
        self.eni.ip_task_id = 0
        for private in self.chosen:
            private.state = IpState.AVAILABLE

    def failed(self) -> None:
        self.eni.ip_task_id = 0
        for private in self.chosen:
            del self.eni.addresses[private.ip]


def _check_wanted(world: World, eni: NetworkInterface, params: Mapping[str, Any]) -> None:
    given = params.get("PrivateIpAddresses", [])
    count = params.get("SecondaryPrivateIpAddressCount", 0)
    if not given and "SecondaryPrivateIpAddressCount" not in params:
        raise situations.PARAMETER_MISSING.error(name="SecondaryPrivateIpAddressCount")
    ip_choice.check_count(count, least=0 if given else 1)
    limit = eni_lookup.ip_limit(world, eni)
    wanted = len(eni.addresses) + len(given) + count
    if wanted > limit:
        raise situations.IP_QUOTA.error(eni_id=eni.eni_id, limit=limit, count=wanted)


def assign_private_ip_addresses(world: World, call: Call) -> JsonObject:
    """AssignPrivateIpAddresses (document 215/15814): all or nothing, but for an injected fault."""
    params = call.params
    eni = eni_lookup.available_eni(world, params["NetworkInterfaceId"])
    _check_idle(eni)
    _check_wanted(world, eni, params)
    named = ip_choice.named(world, eni.subnet_id, params.get("PrivateIpAddresses", []))
    count = params.get("SecondaryPrivateIpAddressCount", 0)
    chosen = ip_choice.with_free(world, eni.subnet_id, named, count, params.get("QosLevel", "DEFAULT"))
    if fault := call.take_fault(FaultKind.PARTIAL):
        chosen = chosen[: fault.count_given]
    for private in chosen:
        private.primary = False
        eni.addresses[private.ip] = private
    seconds = world.config.latencies.ip_assign
    task = start_task(world, call, _Assignment(eni, chosen), seconds=seconds, resources=[eni.eni_id])
    eni.ip_task_id = task.task_id
    return {"PrivateIpAddressSet": [eni_queries.shown_ip(world, eni, private) for private in chosen]}


def _add(eni_id: str, ip: str) -> Effect:
    return lambda fabric: fabric.add_ip(eni_id, ip)


def _remove(eni_id: str, ip: str) -> Effect:
    return lambda fabric: fabric.remove_ip(eni_id, ip)


@dataclass(slots=True)
class _Removal(Change):
    """Addresses that go: DELETING, then gone; their EIPs are unbound with them."""

    world: World
    eni: NetworkInterface
    going: list[PrivateIp]
    bound: list[tuple[Address, EipStatus]]
    """With the status before."""

    def effects(self) -> list[Effect]:
        unbinds = [eip_binding.unbind_effect(address.ip) for address, _before in self.bound]
        removals = [_remove(self.eni.eni_id, p.ip) for p in self.going] if self.eni.instance_id else []
        return [*unbinds, *removals]

    def done(self) -> None:
        self.eni.ip_task_id = 0
        for address, _before in self.bound:
            eip_binding.unbound(self.world, address)
        for private in self.going:
            del self.eni.addresses[private.ip]

    def failed(self) -> None:
        self.eni.ip_task_id = 0
        for private in self.going:
            private.state = IpState.AVAILABLE
        for address, before in self.bound:
            eip_binding.still_bound(self.world, address, before)


def _going(eni: NetworkInterface, call: Call) -> list[PrivateIp]:
    ips = [entry["PrivateIpAddress"] for entry in call.params["PrivateIpAddresses"]]
    if len(ips) > ip_choice.MAX_NAMED:
        raise situations.VPC_LIMIT.error(name="PrivateIpAddresses", value=len(ips), limit=ip_choice.MAX_NAMED)
    for ip in ips:
        if ips.count(ip) > 1:
            raise situations.VPC_DUPLICATE.error(name="PrivateIpAddresses", value=ip)
        if ip not in eni.addresses:
            raise situations.IP_NOT_ON_ENI.error(eni_id=eni.eni_id, ip=ip)
        if eni.addresses[ip].primary:
            raise situations.IP_IS_PRIMARY.error(eni_id=eni.eni_id, ip=ip)
    return [eni.addresses[ip] for ip in ips]


def _public_addresses(world: World, eni: NetworkInterface, going: list[PrivateIp]) -> list[Address]:
    found = [world.address_of(eni.eni_id, private.ip) for private in going]
    bound = [address for address in found if address is not None]
    if any(address.task_id for address in bound):
        raise situations.IP_BUSY.error(eni_id=eni.eni_id)
    return bound


def unassign_private_ip_addresses(world: World, call: Call) -> JsonObject:
    """UnassignPrivateIpAddresses (document 215/15813); EIPs bound to them are unbound in the same task."""
    eni = eni_lookup.available_eni(world, call.params["NetworkInterfaceId"])
    check_not_empty(call.params, "PrivateIpAddresses")
    if "InstanceId" in call.params:
        raise situations.IP_DETACH_UNSUPPORTED.error()
    going = _going(eni, call)
    _check_idle(eni)
    bound = _public_addresses(world, eni, going)
    change = _Removal(world, eni, going, [(address, address.status) for address in bound])
    seconds = world.config.latencies.ip_unassign
    task = start_task(world, call, change, seconds=seconds, resources=[eni.eni_id])
    eni.ip_task_id = task.task_id
    for private in going:
        private.state = IpState.DELETING
    for address in bound:
        address.status = EipStatus.UNBINDING
        address.task_id = task.task_id
    return {}


@dataclass(slots=True)
class _Migration(Change):
    """An address on its way to another ENI: MIGRATING, then AVAILABLE there, with its EIP."""

    world: World
    source: NetworkInterface
    target: NetworkInterface
    private: PrivateIp
    bound: list[Address]

    def effects(self) -> list[Effect]:
        ip = self.private.ip
        removals = [_remove(self.source.eni_id, ip)] if self.source.instance_id else []
        additions = [_add(self.target.eni_id, ip)] if self.target.instance_id else []
        return [*removals, *additions]

    def done(self) -> None:
        self.failed()
        self.target.addresses[self.private.ip] = self.source.addresses.pop(self.private.ip)
        for address in self.bound:
            address.eni_id = self.target.eni_id
            address.status = self.world.bound_status(self.target.eni_id)

    def failed(self) -> None:
        self.source.ip_task_id = self.target.ip_task_id = 0
        self.private.state = IpState.AVAILABLE
        for address in self.bound:
            address.task_id = 0


def _migrating(source: NetworkInterface, target: NetworkInterface, ip: str) -> PrivateIp:
    private = source.addresses.get(ip)
    if private is None:
        raise situations.IP_MIGRATE_MISSING.error(ip=ip, eni_id=source.eni_id)
    if private.primary:
        raise situations.IP_MIGRATE_PRIMARY.error(ip=ip)
    if source is target or source.subnet_id != target.subnet_id:
        raise situations.IP_MIGRATE_SUBNET.error(source=source.eni_id, destination=target.eni_id)
    return private


def migrate_private_ip_address(world: World, call: Call) -> JsonObject:
    """MigratePrivateIpAddress (document 215/15816): to another ENI of the same subnet."""
    source, target = (
        eni_lookup.available_eni(world, call.params[name], name)
        for name in ("SourceNetworkInterfaceId", "DestinationNetworkInterfaceId")
    )
    private = _migrating(source, target, call.params["PrivateIpAddress"])
    _check_idle(source)
    _check_idle(target)
    bound = _public_addresses(world, source, [private])
    limit = eni_lookup.ip_limit(world, target)
    if len(target.addresses) >= limit:
        raise situations.IP_QUOTA.error(eni_id=target.eni_id, limit=limit, count=len(target.addresses) + 1)
    if target.instance_id and target.instance_id != source.instance_id:
        eni_attachment.check_public_ips(world, world.instances[target.instance_id], len(bound))
    change = _Migration(world, source, target, private, bound)
    seconds = world.config.latencies.ip_migrate
    task = start_task(world, call, change, seconds=seconds, resources=[source.eni_id, target.eni_id])
    private.state = IpState.MIGRATING
    source.ip_task_id = target.ip_task_id = task.task_id
    for address in bound:
        address.task_id = task.task_id
    return {}


ACTIONS = (
    Action(
        name="AssignPrivateIpAddresses",
        product="vpc",
        handler=assign_private_ip_addresses,
        parameters=Record(
            {
                "NetworkInterfaceId": TEXT,
                "PrivateIpAddresses": PRIVATE_IPS,
                "SecondaryPrivateIpAddressCount": INTEGER,
                "QosLevel": TEXT,
                "ClientToken": TEXT,
            },
            required=("NetworkInterfaceId",),
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="eni", id_parameter="NetworkInterfaceId"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.IP_BUSY,
    ),
    Action(
        name="UnassignPrivateIpAddresses",
        product="vpc",
        handler=unassign_private_ip_addresses,
        parameters=Record(
            {"NetworkInterfaceId": TEXT, "PrivateIpAddresses": PRIVATE_IPS, "InstanceId": TEXT},
            required=("NetworkInterfaceId", "PrivateIpAddresses"),
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="eni", id_parameter="NetworkInterfaceId"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.IP_BUSY,
    ),
    Action(
        name="MigratePrivateIpAddress",
        product="vpc",
        handler=migrate_private_ip_address,
        parameters=Record(
            {
                "SourceNetworkInterfaceId": TEXT,
                "DestinationNetworkInterfaceId": TEXT,
                "PrivateIpAddress": TEXT,
            },
            required=("SourceNetworkInterfaceId", "DestinationNetworkInterfaceId", "PrivateIpAddress"),
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="eni", id_parameter="SourceNetworkInterfaceId"),
        writes=True,
        busy=situations.IP_BUSY,
    ),
)
