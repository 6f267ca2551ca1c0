"""Binding and unbinding EIPs: AssociateAddress, DisassociateAddress.

BINDING ends in BIND (or BIND_ENI when the ENI is attached to no CVM), UNBINDING in UNBIND. From the
acceptance of a bind to the end of an unbind the private address counts as taken and the EIP counts against
the CVM's limit. Sources: documents 215/16702 and 215/16703, limits of 1199/41648.
"""

import re
from dataclasses import dataclass

from simulator.cloud import situations
from simulator.cloud.actions import eip_lookup
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.actions.eip_orders import new_address
from simulator.cloud.parameters import BOOLEAN, TEXT, Record
from simulator.cloud.state.resources import Address, EipStatus, EniState, IpState, NetworkInterface
from simulator.cloud.state.schedule import Change, Effect
from simulator.cloud.state.world import World

_INSTANCE_ID = re.compile(r"(ins|lb)-[0-9a-z]{8}")
_BOUND = (EipStatus.BIND, EipStatus.BIND_ENI)
_DAILY_PUBLIC_IPS = "DAILY_PUBLIC_IP_ASSIGN"


def _instance_target(world: World, instance_id: str) -> tuple[NetworkInterface, str]:
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise situations.EIP_INSTANCE_MALFORMED.error(instance_id=instance_id)
    if instance_id not in world.instances:
        raise situations.EIP_INSTANCE_NOT_FOUND.error(instance_id=instance_id)
    primary = world.enis_of(instance_id)[0]
    return primary, primary.primary_ip


def _interface_target(world: World, eni_id: str, private_ip: str) -> tuple[NetworkInterface, str]:
    eni = world.enis.get(eni_id)
    if eni is None or private_ip not in eni.addresses:
        raise situations.EIP_ENI_NOT_FOUND.error(eni_id=eni_id, private_ip=private_ip)
    return eni, private_ip


def _target(world: World, call: Call) -> tuple[NetworkInterface, str]:
    instance_id = call.params.get("InstanceId")
    eni_id = call.params.get("NetworkInterfaceId")
    if instance_id and eni_id:
        raise situations.EIP_TARGETS_CONFLICT.error()
    if instance_id:
        return _instance_target(world, instance_id)
    if not eni_id:
        raise situations.EIP_TARGET_MISSING.error()
    if "PrivateIpAddress" not in call.params:
        raise situations.PARAMETER_MISSING.error(name="PrivateIpAddress")
    return _interface_target(world, eni_id, call.params["PrivateIpAddress"])


def _check_address(address: Address) -> None:
    if address.is_blocked:
        raise situations.EIP_BLOCKED.error(address_id=address.address_id)
    if address.is_arrears:
        raise situations.EIP_IN_ARREARS.error(address_id=address.address_id)
    eip_lookup.check_free(address)
    if address.status is not EipStatus.UNBIND:
        raise situations.EIP_NOT_UNBOUND.error(address_id=address.address_id, status=address.status)


def _check_target(world: World, call: Call, eni: NetworkInterface, private_ip: str) -> None:
    if eni.state is not EniState.AVAILABLE:
        raise situations.EIP_ENI_BUSY.error(eni_id=eni.eni_id)
    state = eni.addresses[private_ip].state
    if state is not IpState.AVAILABLE:
        raise situations.EIP_ENI_NOT_READY.error(private_ip=private_ip, eni_id=eni.eni_id, state=state)
    holder = world.address_of(eni.eni_id, private_ip)
    if holder and holder.address_type == "WanIP":
        raise situations.EIP_INSTANCE_HAS_WAN_IP.error(instance_id=eni.instance_id)
    if holder and "InstanceId" in call.params:
        raise situations.EIP_INSTANCE_TAKEN.error(instance_id=eni.instance_id)
    if holder:
        raise situations.EIP_PRIVATE_IP_TAKEN.error(private_ip=private_ip, eni_id=eni.eni_id)
    if eni.instance_id:
        _check_instance(world, eni.instance_id)


def _check_instance(world: World, instance_id: str) -> None:
    instance = world.instances[instance_id]
    if instance.state not in ("RUNNING", "STOPPED"):
        raise situations.EIP_INSTANCE_STATE.error(instance_id=instance_id, state=instance.state)
    limit = world.types[instance.instance_type].public_ips
    current = len(world.addresses_of_instance(instance_id))
    if current >= limit:
        raise situations.EIP_INSTANCE_QUOTA.error(instance_id=instance_id, limit=limit, current=current)


@dataclass(slots=True)
class _Binding(Change):
    """BINDING, then BIND or BIND_ENI. The CVM may end meanwhile and take the ENI along."""

    world: World
    address: Address

    def effects(self) -> list[Effect]:
        public, private = self.address.ip, self.address.private_ip
        return [lambda fabric: fabric.bind_eip(public, private)]

    def done(self) -> None:
        self.address.task_id = 0
        self.address.status = self.world.bound_status(self.address.eni_id)

    def failed(self) -> None:
        _free(self.address)


def associate_address(world: World, call: Call) -> JsonObject:
    """AssociateAddress (document 215/16702), to an instance's primary address or to an address of an ENI."""
    address = eip_lookup.existing(world, call.params["AddressId"])
    eni, private_ip = _target(world, call)
    _check_address(address)
    _check_target(world, call, eni, private_ip)
    address.status = EipStatus.BINDING
    address.eni_id = eni.eni_id
    address.private_ip = private_ip
    seconds = world.config.latencies.eip_bind
    task = start_task(world, call, _Binding(world, address), seconds=seconds, resources=[address.address_id])
    address.task_id = task.task_id
    return {"TaskId": str(task.task_id)}


@dataclass(slots=True)
class _Unbinding(Change):
    """UNBINDING, then UNBIND; an ordinary public IP may take the EIP's place."""

    world: World
    address: Address
    before: EipStatus
    ordinary: Address | None

    def effects(self) -> list[Effect]:
        public, private = self.address.ip, self.address.private_ip
        calls: list[Effect] = [unbind_effect(public)]
        if self.ordinary is not None:
            new = self.ordinary.ip
            calls.append(lambda fabric: fabric.bind_eip(new, private))
        return calls

    def done(self) -> None:
        if self.ordinary is not None:
            self.ordinary.eni_id, self.ordinary.private_ip = self.address.eni_id, self.address.private_ip
            self.ordinary.status = EipStatus.BIND
        unbound(self.world, self.address)

    def failed(self) -> None:
        still_bound(self.world, self.address, self.before)
        if self.ordinary is not None:
            del self.world.addresses[self.ordinary.address_id]


def disassociate_address(world: World, call: Call) -> JsonObject:
    """DisassociateAddress (document 215/16703); may ask for an ordinary public IP instead."""
    address = eip_lookup.existing(world, call.params["AddressId"])
    eip_lookup.check_free(address)
    if address.address_type != "EIP":
        raise situations.EIP_IS_ORDINARY.error(address_id=address.address_id)
    if address.status not in _BOUND:
        raise situations.EIP_NOT_BOUND.error(address_id=address.address_id, status=address.status)
    if address.nat_gateway_id:
        raise situations.EIP_OF_NAT_GATEWAY.error(
            address_id=address.address_id, nat_gateway_id=address.nat_gateway_id
        )
    ordinary = None
    if call.params.get("ReallocateNormalPublicIp", False):
        eni = world.enis[address.eni_id]
        if not (eni.primary and eni.primary_ip == address.private_ip):
            raise situations.EIP_NOT_PRIMARY.error()
        ordinary = _order_public_ip(world, call.now)
    change = _Unbinding(world, address, address.status, ordinary)
    seconds = world.config.latencies.eip_unbind
    task = start_task(world, call, change, seconds=seconds, resources=[address.address_id])
    address.status = EipStatus.UNBINDING
    address.task_id = task.task_id
    return {"TaskId": str(task.task_id)}


def _order_public_ip(world: World, now: float) -> Address:
    limit = world.config.quotas.daily_public_ip_assignments
    current = world.daily.today(_DAILY_PUBLIC_IPS, now)
    if current >= limit:
        raise situations.EIP_DAILY_QUOTA.error(limit=limit, current=current)
    ordinary = new_address(world, "BGP", now)
    ordinary.address_type = "WanIP"
    world.daily.add(_DAILY_PUBLIC_IPS, 1, now)
    return ordinary


def unbind_effect(public_ip: str) -> Effect:
    """Give the call that stops the translation of a public address."""
    return lambda fabric: fabric.unbind_eip(public_ip)


def still_bound(world: World, address: Address, before: EipStatus) -> None:
    """Let an EIP that was not unbound be as before; it is free if its ENI has gone meanwhile."""
    if address.eni_id in world.enis:
        address.task_id = 0
        address.status = before
    else:
        unbound(world, address)


def unbound(world: World, address: Address) -> None:
    """Let an EIP be free again; one that is released with its unbinding is no more."""
    _free(address)
    if address.cascade_release:
        world.addresses.pop(address.address_id, None)


def _free(address: Address) -> None:
    address.task_id = 0
    address.status = EipStatus.UNBIND
    address.eni_id = address.private_ip = ""


ACTIONS = (
    Action(
        name="AssociateAddress",
        product="vpc",
        handler=associate_address,
        parameters=Record(
            {
                "AddressId": TEXT,
                "InstanceId": TEXT,
                "NetworkInterfaceId": TEXT,
                "PrivateIpAddress": TEXT,
                "EipDirectConnection": BOOLEAN,
                "InstanceRegion": TEXT,
            },
            required=("AddressId",),
        ),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressId"),
        writes=True,
    ),
    Action(
        name="DisassociateAddress",
        product="vpc",
        handler=disassociate_address,
        parameters=Record({"AddressId": TEXT, "ReallocateNormalPublicIp": BOOLEAN}, required=("AddressId",)),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressId"),
        writes=True,
    ),
)
