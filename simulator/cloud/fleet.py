"""Booting and ending CVMs, adding NAT gateways: what the region's operator does, not its API.

Pure transitions on the World; the calls of the data plane are returned for the region to make.
"""

import uuid

from simulator.cloud.actions import eip_binding, eip_orders, eni_attachment
from simulator.cloud.config import InstanceOrder, NatGatewayConfig
from simulator.cloud.state.resources import (
    Address,
    CvmInstance,
    EipStatus,
    EniState,
    IpState,
    NatGateway,
    NetworkInterface,
    PrivateIp,
)
from simulator.cloud.state.schedule import Effect
from simulator.cloud.state.world import World


class FleetError(ValueError):
    """The order for an instance or gateway is wrong; the message names the field."""


def boot(world: World, order: InstanceOrder, now: float) -> tuple[CvmInstance, list[Effect]]:
    """Make a RUNNING CVM with its primary ENI; raise FleetError for an order that cannot be met."""
    if order.instance_type not in world.types:
        known = ", ".join(sorted(world.types))
        raise FleetError(f"instance_type {order.instance_type!r} is not known; there are {known}")
    subnet_id = order.subnet_id or next(iter(world.subnets))
    if subnet_id not in world.subnets:
        raise FleetError(f"subnet_id {subnet_id!r} is not one of {', '.join(world.subnets)}")
    if order.instance_id in world.instances:
        raise FleetError(f"instance_id {order.instance_id!r} is in use")
    ip = order.private_ip or next(world.free_ips(subnet_id), "")
    if not ip or ip in world.taken_ips(subnet_id):
        raise FleetError(f"private_ip {ip or 'of any value'} is not free in {subnet_id}")
    instance = CvmInstance(
        instance_id=order.instance_id or world.new_id("ins"),
        name=order.name,
        instance_type=order.instance_type,
        zone=world.subnets[subnet_id].zone,
        vpc_id=world.config.vpc.vpc_id,
        subnet_id=subnet_id,
        uuid=str(uuid.UUID(int=world.random.getrandbits(128), version=4)),
        created=now,
        cam_role=order.cam_role,
    )
    eni = _primary_eni(world, instance, ip, now)
    world.instances[instance.instance_id] = instance
    world.enis[eni.eni_id] = eni

    effects: list[Effect] = [
        lambda fabric: fabric.add_instance(instance.instance_id, order.netns_name),
        *eni_attachment.attach_effects(world, eni),
    ]
    if order.public_ip:
        public = _public_ip(world, eni, now)
        effects.append(lambda fabric: fabric.bind_eip(public.ip, ip))
    return instance, effects


def _primary_eni(world: World, instance: CvmInstance, ip: str, now: float) -> NetworkInterface:
    return NetworkInterface(
        eni_id=world.new_id("eni"),
        name="primary",
        vpc_id=instance.vpc_id,
        subnet_id=instance.subnet_id,
        zone=instance.zone,
        mac=world.new_mac(),
        created=now,
        primary=True,
        state=EniState.AVAILABLE,
        security_groups=["sg-demo0001"],
        addresses={ip: PrivateIp(ip=ip, primary=True, state=IpState.AVAILABLE)},
        instance_id=instance.instance_id,
        attached_at=now,
    )


def _public_ip(world: World, eni: NetworkInterface, now: float) -> Address:
    public = eip_orders.new_address(world, "BGP", now)
    public.address_type = "WanIP"
    public.status = EipStatus.BIND
    public.bandwidth = 100
    public.eni_id = eni.eni_id
    public.private_ip = eni.primary_ip
    return public


def terminate(world: World, instance_id: str) -> list[Effect]:
    """End a CVM: its primary ENI and ordinary public IP go, EIPs there are unbound, other ENIs let go."""
    if instance_id not in world.instances:
        raise FleetError(f"instance_id {instance_id!r} does not exist")
    effects: list[Effect] = [lambda fabric: fabric.remove_instance(instance_id)]
    for eni in world.enis_of(instance_id):
        if eni.primary:
            effects.extend(_end_primary(world, eni))
        else:
            eni_attachment.leave_instance(world, eni)
    del world.instances[instance_id]
    return effects


def _end_primary(world: World, eni: NetworkInterface) -> list[Effect]:
    bound = [address for address in world.addresses.values() if address.eni_id == eni.eni_id]
    for address in bound:
        if address.address_type == "WanIP":
            del world.addresses[address.address_id]
        elif address.status in (EipStatus.BINDING, EipStatus.UNBINDING):
            world.tasks[address.task_id].doomed = True
        else:
            address.status = EipStatus.UNBIND
            address.eni_id = address.private_ip = ""
    if eni.ip_task_id:
        world.tasks[eni.ip_task_id].doomed = True
    del world.enis[eni.eni_id]
    return [eip_binding.unbind_effect(address.ip) for address in bound]


def add_nat_gateway(world: World, config: NatGatewayConfig, now: float) -> tuple[NatGateway, list[Effect]]:
    """Make a NAT gateway with an EIP of its own."""
    if config.nat_gateway_id in world.nat_gateways:
        raise FleetError(f"nat_gateway_id {config.nat_gateway_id!r} is in use")
    address = eip_orders.new_address(world, "BGP", now)
    address.status = EipStatus.BIND
    address.nat_gateway_id = config.nat_gateway_id
    gateway = NatGateway(
        nat_gateway_id=config.nat_gateway_id,
        name=config.name,
        address_id=address.address_id,
        public_ip=address.ip,
        created=now,
    )
    world.nat_gateways[gateway.nat_gateway_id] = gateway
    return gateway, [lambda fabric: fabric.add_nat_gateway(gateway.nat_gateway_id, gateway.public_ip)]
