"""ENIs and their CVMs: AttachNetworkInterface, DetachNetworkInterface, DeleteNetworkInterface.

ATTACHING and DETACHING end in AVAILABLE, DELETING ends the ENI. An EIP stays bound when its ENI is detached
and is then BIND_ENI; a deleted ENI gives its EIPs and addresses back. Sources: documents 215/15819, 215/15820
and 215/15822.
"""

from dataclasses import dataclass

from simulator.cloud import situations
from simulator.cloud.actions import eip_binding, eni_lookup, security_groups
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.parameters import INTEGER, TEXT, Record
from simulator.cloud.situations import Situation
from simulator.cloud.state.resources import Address, CvmInstance, EipStatus, EniState, NetworkInterface
from simulator.cloud.state.schedule import Change, Effect
from simulator.cloud.state.world import World
from simulator.fabric.api import EniPort


def check_instance(
    world: World, instance: CvmInstance, wrong_state: Situation, *, extended: bool = False
) -> None:
    """Raise ApiError unless the instance is in a state to take an ENI and has room for one of its kind."""
    if instance.state not in ("RUNNING", "STOPPED"):
        raise wrong_state.error(instance_id=instance.instance_id, state=instance.state)
    kind = eni_lookup.instance_type(world, instance)
    if extended and not kind.extended_enis:
        raise situations.ENI_EXTENDED.error(instance_id=instance.instance_id)
    limit = kind.extended_enis if extended else kind.enis
    current = sum(eni.extended == extended for eni in world.enis_of(instance.instance_id))
    if current >= limit:
        raise situations.ENI_QUOTA_INSTANCE.error(
            instance_id=instance.instance_id, limit=limit, current=current
        )


def is_extended(call: Call) -> bool:
    """Whether a call asks for an extended ENI; ApiError for what is no type."""
    kind = call.params.get("AttachType", 0)
    if kind not in (0, 1):
        raise situations.VPC_RANGE.error(name="AttachType", value=kind, allowed="0 to 1")
    return bool(kind)


def take_slot(world: World, eni: NetworkInterface, instance: CvmInstance, now: float) -> None:
    """Reserve a position in the instance for the ENI."""
    eni.device_index = world.free_device_index(instance.instance_id)
    eni.instance_id = instance.instance_id
    eni.attached_at = now


def attach_effects(world: World, eni: NetworkInterface) -> list[Effect]:
    """Give the calls that let an ENI appear in its CVM with all its addresses; none if the CVM has gone."""
    if not eni.instance_id:
        return []
    port = EniPort(
        eni_id=eni.eni_id,
        instance_id=eni.instance_id,
        mac=eni.mac,
        device_index=eni.device_index,
        subnet_cidr=world.subnets[eni.subnet_id].cidr,
        gateway=world.gateway(eni.subnet_id),
        primary_ip=eni.primary_ip,
        returns=eni.extended,
    )
    secondaries = [address.ip for address in eni.addresses.values() if not address.primary]

    def add_secondaries(ip: str) -> Effect:
        return lambda fabric: fabric.add_ip(eni.eni_id, ip)

    effects: list[Effect] = [
        lambda fabric: fabric.attach_eni(port),
        *(add_secondaries(ip) for ip in secondaries),
    ]
    if security_groups.ingress(world, eni.security_groups) is not None:
        effects.append(security_groups.ingress_effect(world, eni))
    return effects


def addresses_of(world: World, eni: NetworkInterface) -> list[Address]:
    """Give the public addresses that are bound to an ENI."""
    return [address for address in world.addresses.values() if address.eni_id == eni.eni_id]


def _check_addresses_idle(world: World, eni: NetworkInterface) -> None:
    if eni.ip_task_id or any(address.task_id for address in addresses_of(world, eni)):
        raise situations.ENI_BUSY.error(eni_id=eni.eni_id)


@dataclass(slots=True)
class _Attachment(Change):
    """ATTACHING, then AVAILABLE; the CVM may end meanwhile."""

    world: World
    eni: NetworkInterface

    def effects(self) -> list[Effect]:
        return attach_effects(self.world, self.eni)

    def done(self) -> None:
        self.eni.state = EniState.AVAILABLE
        _show_binding(self.world, self.eni)

    def failed(self) -> None:
        self.eni.state = EniState.AVAILABLE
        leave_instance(self.world, self.eni)


@dataclass(slots=True)
class _Detachment(Change):
    """DETACHING, then AVAILABLE without a CVM."""

    world: World
    eni: NetworkInterface

    def effects(self) -> list[Effect]:
        eni_id = self.eni.eni_id
        return [lambda fabric: fabric.detach_eni(eni_id)]

    def done(self) -> None:
        self.eni.state = EniState.AVAILABLE
        leave_instance(self.world, self.eni)

    def failed(self) -> None:
        self.eni.state = EniState.AVAILABLE


@dataclass(slots=True)
class _Deletion(Change):
    """DELETING, then gone with its addresses; EIPs bound to them are unbound."""

    world: World
    eni: NetworkInterface
    bound: list[Address]

    def effects(self) -> list[Effect]:
        return [eip_binding.unbind_effect(address.ip) for address in self.bound]

    def done(self) -> None:
        for address in self.bound:
            eip_binding.unbound(self.world, address)
        del self.world.enis[self.eni.eni_id]

    def failed(self) -> None:
        self.eni.state = EniState.AVAILABLE
        for address in self.bound:
            address.task_id = 0
            address.status = EipStatus.BIND_ENI


def _check_room(world: World, eni: NetworkInterface, instance: CvmInstance) -> None:
    limit = eni_lookup.instance_type(world, instance).ips_per_eni
    if len(eni.addresses) > limit:
        raise situations.IP_QUOTA.error(eni_id=eni.eni_id, limit=limit, count=len(eni.addresses))
    coming = len(addresses_of(world, eni))
    if coming and world.attaches_eips == "NONE":
        raise situations.ENI_WITH_EIP.error(eni_id=eni.eni_id)
    if world.attaches_eips != "ALL":
        check_public_ips(world, instance, coming)


def check_public_ips(world: World, instance: CvmInstance, coming: int) -> None:
    """Raise ApiError unless so many EIPs may come to an instance along with an ENI or an address.

    No document says what the cloud does then; here the instance's limit is kept.
    """
    limit = eni_lookup.instance_type(world, instance).public_ips
    count = coming + len(world.addresses_of_instance(instance.instance_id))
    if coming and count > limit:
        raise situations.ENI_PUBLIC_QUOTA.error(instance_id=instance.instance_id, limit=limit, count=count)


def attach_network_interface(world: World, call: Call) -> JsonObject:
    """AttachNetworkInterface (document 215/15819)."""
    instance = eni_lookup.instance(world, call.params["InstanceId"])
    eni = eni_lookup.eni(world, call.params["NetworkInterfaceId"])
    extended = is_extended(call)
    if eni.instance_id:
        raise situations.ENI_ATTACHED.error(eni_id=eni.eni_id, instance_id=eni.instance_id)
    if eni.state is not EniState.AVAILABLE:
        raise situations.ENI_STATE.error(eni_id=eni.eni_id, state=eni.state)
    if eni.zone != instance.zone:
        raise situations.ENI_ZONE.error(
            zone=eni.zone, instance_id=instance.instance_id, instance_zone=instance.zone
        )
    _check_addresses_idle(world, eni)
    check_instance(world, instance, situations.ENI_INSTANCE_STATE, extended=extended)
    _check_room(world, eni, instance)
    eni.extended = extended
    take_slot(world, eni, instance, call.now)
    eni.state = EniState.ATTACHING
    seconds = world.config.latencies.eni_attach
    start_task(world, call, _Attachment(world, eni), seconds=seconds, resources=[eni.eni_id])
    return {}


def _show_binding(world: World, eni: NetworkInterface) -> None:
    for address in addresses_of(world, eni):
        if not address.task_id:
            address.status = world.bound_status(eni.eni_id)


def detach_network_interface(world: World, call: Call) -> JsonObject:
    """DetachNetworkInterface (document 215/15820)."""
    instance = eni_lookup.instance(world, call.params["InstanceId"])
    eni = eni_lookup.available_eni(world, call.params["NetworkInterfaceId"])
    if eni.instance_id != instance.instance_id:
        raise situations.ENI_NOT_ATTACHED.error(eni_id=eni.eni_id, instance_id=instance.instance_id)
    if eni.primary:
        raise situations.ENI_PRIMARY.error(eni_id=eni.eni_id)
    _check_addresses_idle(world, eni)
    eni.state = EniState.DETACHING
    seconds = world.config.latencies.eni_detach
    start_task(world, call, _Detachment(world, eni), seconds=seconds, resources=[eni.eni_id])
    return {}


def leave_instance(world: World, eni: NetworkInterface) -> None:
    """End the attachment of an ENI; its EIPs stay bound to it."""
    eni.instance_id = ""
    eni.extended = False
    eni.device_index = 0
    _show_binding(world, eni)


def delete_network_interface(world: World, call: Call) -> JsonObject:
    """DeleteNetworkInterface (document 215/15822): not while it is attached."""
    eni = eni_lookup.eni(world, call.params["NetworkInterfaceId"])
    if eni.primary:
        raise situations.ENI_PRIMARY.error(eni_id=eni.eni_id)
    if eni.state is not EniState.AVAILABLE:
        raise situations.ENI_STATE.error(eni_id=eni.eni_id, state=eni.state)
    if eni.instance_id:
        raise situations.ENI_IN_USE.error(eni_id=eni.eni_id, instance_id=eni.instance_id)
    _check_addresses_idle(world, eni)
    bound = addresses_of(world, eni)
    seconds = world.config.latencies.eni_delete
    task = start_task(world, call, _Deletion(world, eni, bound), seconds=seconds, resources=[eni.eni_id])
    eni.state = EniState.DELETING
    for address in bound:
        address.status = EipStatus.UNBINDING
        address.task_id = task.task_id
    return {}


ACTIONS = (
    Action(
        name="AttachNetworkInterface",
        product="vpc",
        handler=attach_network_interface,
        parameters=Record(
            {"NetworkInterfaceId": TEXT, "InstanceId": TEXT, "AttachType": INTEGER, "ClientToken": TEXT},
            required=("NetworkInterfaceId", "InstanceId"),
        ),
        rate=50,
        cam=CamNames(service="vpc", resource="eni", id_parameter="NetworkInterfaceId"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.ENI_BUSY,
    ),
    Action(
        name="DetachNetworkInterface",
        product="vpc",
        handler=detach_network_interface,
        parameters=Record(
            {"NetworkInterfaceId": TEXT, "InstanceId": TEXT, "ClientToken": TEXT},
            required=("NetworkInterfaceId", "InstanceId"),
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="eni", id_parameter="NetworkInterfaceId"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.ENI_BUSY,
    ),
    Action(
        name="DeleteNetworkInterface",
        product="vpc",
        handler=delete_network_interface,
        parameters=Record({"NetworkInterfaceId": TEXT}, required=("NetworkInterfaceId",)),
        rate=100,
        cam=CamNames(service="vpc", resource="eni", id_parameter="NetworkInterfaceId"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.ENI_BUSY,
    ),
)
