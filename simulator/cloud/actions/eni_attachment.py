"""ENIs and their CVMs: AttachNetworkInterface, DetachNetworkInterface, DeleteNetworkInterface.

ATTACHING and DETACHING end in AVAILABLE, DELETING ends the ENI. An EIP stays bound when its ENI is detached and
is then BIND_ENI; a deleted ENI gives its EIPs and addresses back. Sources: documents 215/15819, 215/15820 and
215/15822.
"""

from simulator.cloud import situations
from simulator.cloud.actions import eni_lookup
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.actions.eip_binding import unbound
from simulator.cloud.parameters import INTEGER, TEXT, Record
from simulator.cloud.situations import Situation
from simulator.cloud.state.resources import Address, CvmInstance, EipStatus, EniState, NetworkInterface
from simulator.cloud.state.schedule import Effect
from simulator.cloud.state.world import World
from simulator.fabric.api import EniPort


def check_instance(world: World, instance: CvmInstance, wrong_state: Situation) -> None:
    """Raise ApiError unless the instance is in a state to take an ENI and has room for one."""
    if instance.state not in ("RUNNING", "STOPPED"):
        raise wrong_state.error(instance_id=instance.instance_id, state=instance.state)
    limit = eni_lookup.instance_type(world, instance).enis
    current = len(world.enis_of(instance.instance_id))
    if current >= limit:
        raise situations.ENI_QUOTA_INSTANCE.error(
            instance_id=instance.instance_id, limit=limit, current=current
        )


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
    )
    secondaries = [address.ip for address in eni.addresses.values() if not address.primary]

    def add_secondaries(ip: str) -> Effect:
        return lambda fabric: fabric.add_ip(eni.eni_id, ip)

    return [lambda fabric: fabric.attach_eni(port), *(add_secondaries(ip) for ip in secondaries)]


def _addresses_of(world: World, eni: NetworkInterface) -> list[Address]:
    return [address for address in world.addresses.values() if address.eni_id == eni.eni_id]


def _check_addresses_idle(world: World, eni: NetworkInterface) -> None:
    if eni.ip_task_id or any(address.task_id for address in _addresses_of(world, eni)):
        raise situations.ENI_BUSY.error(eni_id=eni.eni_id)


def attach_network_interface(world: World, call: Call) -> JsonObject:
    """AttachNetworkInterface (document 215/15819)."""
    instance = eni_lookup.instance(world, call.params["InstanceId"])
    eni = eni_lookup.eni(world, call.params["NetworkInterfaceId"])
    if call.params.get("AttachType", 0) != 0:
        raise situations.ENI_EXTENDED.error(instance_id=instance.instance_id)
    if eni.instance_id:
        raise situations.ENI_ATTACHED.error(eni_id=eni.eni_id, instance_id=eni.instance_id)
    if eni.state is not EniState.AVAILABLE:
        raise situations.ENI_STATE.error(eni_id=eni.eni_id, state=eni.state)
    if eni.zone != instance.zone:
        raise situations.ENI_ZONE.error(
            zone=eni.zone, instance_id=instance.instance_id, instance_zone=instance.zone
        )
    _check_addresses_idle(world, eni)
    check_instance(world, instance, situations.ENI_INSTANCE_STATE)
    limit = eni_lookup.instance_type(world, instance).ips_per_eni
    if len(eni.addresses) > limit:
        raise situations.IP_QUOTA.error(eni_id=eni.eni_id, limit=limit, count=len(eni.addresses))
    take_slot(world, eni, instance, call.now)
    eni.state = EniState.ATTACHING

    def done(_now: float) -> None:
        eni.state = EniState.AVAILABLE
        _show_binding(world, eni)

    def failed(_now: float) -> None:
        eni.state = EniState.AVAILABLE
        eni.instance_id = ""
        eni.device_index = 0

    start_task(
        world,
        call,
        resources=[eni.eni_id],
        seconds=world.config.latencies.eni_attach,
        done=done,
        failed=failed,
        effects=lambda: attach_effects(world, eni),
    )
    return {}


def _show_binding(world: World, eni: NetworkInterface) -> None:
    for address in _addresses_of(world, eni):
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

    def done(_now: float) -> None:
        eni.state = EniState.AVAILABLE
        leave_instance(world, eni)

    def failed(_now: float) -> None:
        eni.state = EniState.AVAILABLE

    start_task(
        world,
        call,
        resources=[eni.eni_id],
        seconds=world.config.latencies.eni_detach,
        done=done,
        failed=failed,
        effects=lambda: [lambda fabric: fabric.detach_eni(eni.eni_id)],
    )
    return {}


def leave_instance(world: World, eni: NetworkInterface) -> None:
    """End the attachment of an ENI; its EIPs stay bound to it."""
    eni.instance_id = ""
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
    bound = _addresses_of(world, eni)
    eni.state = EniState.DELETING
    for address in bound:
        address.status = EipStatus.UNBINDING

    def unbind(ip: str) -> Effect:
        return lambda fabric: fabric.unbind_eip(ip)

    def done(_now: float) -> None:
        for address in bound:
            unbound(address)
        world.enis.pop(eni.eni_id, None)

    def failed(_now: float) -> None:
        eni.state = EniState.AVAILABLE
        for address in bound:
            address.task_id = 0
            address.status = EipStatus.BIND_ENI

    task = start_task(
        world,
        call,
        resources=[eni.eni_id],
        seconds=world.config.latencies.eni_delete,
        done=done,
        failed=failed,
        effects=lambda: [unbind(address.ip) for address in bound],
    )
    for address in bound:
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
