"""Secondary addresses: AssignPrivateIpAddresses, UnassignPrivateIpAddresses, MigratePrivateIpAddress.

One task at a time may change the addresses of an ENI. An assigned address is PENDING, then AVAILABLE; one that
goes is DELETING, then gone, and its EIP is unbound with it; one that moves is MIGRATING and takes its EIP along.
Sources: documents 215/15813, 215/15814 and 215/15816.
"""

from simulator.cloud import situations
from simulator.cloud.actions import eni_lookup, eni_queries, ip_choice
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.actions.eip_binding import unbound
from simulator.cloud.faults import FaultKind
from simulator.cloud.parameters import INTEGER, PRIVATE_IPS, TEXT, Record
from simulator.cloud.state.resources import Address, EipStatus, IpState, NetworkInterface, PrivateIp
from simulator.cloud.state.schedule import Effect
from simulator.cloud.state.world import World


def _check_idle(eni: NetworkInterface) -> None:
    if eni.ip_task_id:
        raise situations.IP_BUSY.error(eni_id=eni.eni_id)


def assign_private_ip_addresses(world: World, call: Call) -> JsonObject:
    """AssignPrivateIpAddresses (document 215/15814): all of the order or nothing, but for an injected fault."""
    params = call.params
    eni = eni_lookup.available_eni(world, params["NetworkInterfaceId"])
    given = params.get("PrivateIpAddresses", [])
    count = params.get("SecondaryPrivateIpAddressCount", 0)
    if not given and "SecondaryPrivateIpAddressCount" not in params:
        raise situations.PARAMETER_MISSING.error(name="SecondaryPrivateIpAddressCount")
    if not given and count < 1:
        raise situations.VPC_RANGE.error(
            name="SecondaryPrivateIpAddressCount", value=count, allowed="1 and up"
        )
    _check_idle(eni)
    limit = eni_lookup.ip_limit(world, eni)
    wanted = len(eni.addresses) + len(given) + count
    if wanted > limit:
        raise situations.IP_QUOTA.error(eni_id=eni.eni_id, limit=limit, count=wanted)
    named = ip_choice.named(world, eni.subnet_id, given)
    chosen = ip_choice.with_free(world, eni.subnet_id, named, count, params.get("QosLevel", "DEFAULT"))
    if fault := call.take_fault(FaultKind.PARTIAL):
        chosen = chosen[: fault.count_given]
    for address in chosen:
        address.primary = False
        eni.addresses[address.ip] = address
    _start_assignment(world, call, eni, chosen)
    return {"PrivateIpAddressSet": [eni_queries.shown_ip(world, eni, address) for address in chosen]}


def _start_assignment(world: World, call: Call, eni: NetworkInterface, chosen: list[PrivateIp]) -> None:
    def effects() -> list[Effect]:
        # Without a CVM there is no port yet: the attachment brings the addresses along.
        return [_add(eni.eni_id, address.ip) for address in chosen] if eni.instance_id else []

    def done(_now: float) -> None:
        eni.ip_task_id = 0
        for address in chosen:
            address.state = IpState.AVAILABLE

    def failed(_now: float) -> None:
        eni.ip_task_id = 0
        for address in chosen:
            eni.addresses.pop(address.ip, None)

    task = start_task(
        world,
        call,
        resources=[eni.eni_id],
        seconds=world.config.latencies.ip_assign,
        done=done,
        failed=failed,
        effects=effects,
    )
    eni.ip_task_id = task.task_id


def _add(eni_id: str, ip: str) -> Effect:
    return lambda fabric: fabric.add_ip(eni_id, ip)


def _remove(eni_id: str, ip: str) -> Effect:
    return lambda fabric: fabric.remove_ip(eni_id, ip)


def _unbind(public_ip: str) -> Effect:
    return lambda fabric: fabric.unbind_eip(public_ip)


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
    found = [world.address_of(eni.eni_id, address.ip) for address in going]
    bound = [address for address in found if address is not None]
    if any(address.task_id for address in bound):
        raise situations.IP_BUSY.error(eni_id=eni.eni_id)
    return bound


def unassign_private_ip_addresses(world: World, call: Call) -> JsonObject:
    """UnassignPrivateIpAddresses (document 215/15813); an EIP bound to one of them is unbound in the same task."""
    eni = eni_lookup.available_eni(world, call.params["NetworkInterfaceId"])
    if "InstanceId" in call.params:
        raise situations.IP_DETACH_UNSUPPORTED.error()
    going = _going(eni, call)
    _check_idle(eni)
    bound = _public_addresses(world, eni, going)
    before = [address.status for address in bound]
    for private in going:
        private.state = IpState.DELETING
    for address in bound:
        address.status = EipStatus.UNBINDING

    def effects() -> list[Effect]:
        removals = [_remove(eni.eni_id, private.ip) for private in going] if eni.instance_id else []
        return [*(_unbind(address.ip) for address in bound), *removals]

    def done(_now: float) -> None:
        eni.ip_task_id = 0
        for address in bound:
            unbound(address)
        for private in going:
            eni.addresses.pop(private.ip, None)

    def failed(_now: float) -> None:
        eni.ip_task_id = 0
        for private in going:
            private.state = IpState.AVAILABLE
        for address, status in zip(bound, before, strict=True):
            address.task_id = 0
            address.status = status

    task = start_task(
        world,
        call,
        resources=[eni.eni_id],
        seconds=world.config.latencies.ip_unassign,
        done=done,
        failed=failed,
        effects=effects,
    )
    eni.ip_task_id = task.task_id
    for address in bound:
        address.task_id = task.task_id
    return {}


def migrate_private_ip_address(world: World, call: Call) -> JsonObject:
    """MigratePrivateIpAddress (document 215/15816): to another ENI of the same subnet."""
    ip = call.params["PrivateIpAddress"]
    source = eni_lookup.available_eni(
        world, call.params["SourceNetworkInterfaceId"], "SourceNetworkInterfaceId"
    )
    target = eni_lookup.available_eni(
        world, call.params["DestinationNetworkInterfaceId"], "DestinationNetworkInterfaceId"
    )
    private = source.addresses.get(ip)
    if private is None:
        raise situations.IP_MIGRATE_MISSING.error(ip=ip, eni_id=source.eni_id)
    if private.primary:
        raise situations.IP_MIGRATE_PRIMARY.error(ip=ip)
    if source is target or source.subnet_id != target.subnet_id:
        raise situations.IP_MIGRATE_SUBNET.error(source=source.eni_id, destination=target.eni_id)
    _check_idle(source)
    _check_idle(target)
    bound = _public_addresses(world, source, [private])
    limit = eni_lookup.ip_limit(world, target)
    if len(target.addresses) >= limit:
        raise situations.IP_QUOTA.error(eni_id=target.eni_id, limit=limit, count=len(target.addresses) + 1)
    private.state = IpState.MIGRATING

    def effects() -> list[Effect]:
        calls = [_remove(source.eni_id, ip)] if source.instance_id else []
        return [*calls, _add(target.eni_id, ip)] if target.instance_id else calls

    def idle() -> None:
        source.ip_task_id = target.ip_task_id = 0
        private.state = IpState.AVAILABLE
        for address in bound:
            address.task_id = 0

    def done(_now: float) -> None:
        idle()
        target.addresses[ip] = source.addresses.pop(ip)
        for address in bound:
            address.eni_id = target.eni_id
            address.status = world.bound_status(target.eni_id)

    task = start_task(
        world,
        call,
        resources=[source.eni_id, target.eni_id],
        seconds=world.config.latencies.ip_migrate,
        done=done,
        failed=lambda _now: idle(),
        effects=effects,
    )
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
