"""Finding the ENIs, instances and subnets that a request names, with the vpc actions' own refusals. Pure."""

import re

from simulator.cloud import situations
from simulator.cloud.instance_types import InstanceType
from simulator.cloud.state.resources import CvmInstance, EniState, NetworkInterface, Subnet
from simulator.cloud.state.world import World

_ENI_ID = re.compile(r"eni-[0-9a-z]{8}")
_INSTANCE_ID = re.compile(r"ins-[0-9a-z]{8}")


def check_eni_id(eni_id: str, name: str = "NetworkInterfaceId") -> None:
    """Raise ApiError unless the id has the form of an ENI's."""
    if not _ENI_ID.fullmatch(eni_id):
        raise situations.VPC_MALFORMED.error(name=name, value=eni_id)


def eni(world: World, eni_id: str, name: str = "NetworkInterfaceId") -> NetworkInterface:
    """Give the ENI of this id; raise ApiError."""
    check_eni_id(eni_id, name)
    found = world.enis.get(eni_id)
    if found is None:
        raise situations.VPC_NOT_FOUND.error(resource_id=eni_id)
    return found


def available_eni(world: World, eni_id: str, name: str = "NetworkInterfaceId") -> NetworkInterface:
    """Give the ENI of this id, which no task attaches, detaches or deletes; raise ApiError."""
    found = eni(world, eni_id, name)
    if found.state is not EniState.AVAILABLE:
        raise situations.ENI_STATE.error(eni_id=eni_id, state=found.state)
    return found


def instance(world: World, instance_id: str) -> CvmInstance:
    """Give the instance of this id; raise ApiError."""
    if not _INSTANCE_ID.fullmatch(instance_id):
        raise situations.VPC_MALFORMED.error(name="InstanceId", value=instance_id)
    found = world.instances.get(instance_id)
    if found is None:
        raise situations.VPC_NOT_FOUND.error(resource_id=instance_id)
    return found


def subnet(world: World, vpc_id: str, subnet_id: str) -> Subnet:
    """Give the subnet of this id in this VPC; raise ApiError."""
    if not vpc_id.startswith("vpc-"):
        raise situations.VPC_MALFORMED.error(name="VpcId", value=vpc_id)
    if not subnet_id.startswith("subnet-"):
        raise situations.VPC_MALFORMED.error(name="SubnetId", value=subnet_id)
    if subnet_id not in world.subnets:
        raise situations.VPC_NOT_FOUND.error(resource_id=subnet_id)
    if vpc_id != world.config.vpc.vpc_id:
        raise situations.SUBNET_MISMATCH.error(subnet_id=subnet_id, vpc_id=vpc_id)
    return world.subnets[subnet_id]


def instance_type(world: World, found: CvmInstance) -> InstanceType:
    """Give the limits of an instance."""
    return world.types[found.instance_type]


def ip_limit(world: World, found: NetworkInterface) -> int:
    """Give how many addresses an ENI may have: that of its CVM's type, or the most of any type."""
    if found.instance_id:
        return instance_type(world, world.instances[found.instance_id]).ips_per_eni
    return max(kind.ips_per_eni for kind in world.types.values())
