"""New ENIs: CreateNetworkInterface and CreateAndAttachNetworkInterface.

The ENI and its addresses are PENDING until the task ends, then AVAILABLE. Sources: documents 215/15818 and
215/43370, limits of 576/18527.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cloud import situations
from simulator.cloud.actions import eni_attachment, eni_lookup, eni_queries, ip_choice, security_groups, tags
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.parameters import BOOLEAN, INTEGER, PRIVATE_IPS, TAGS, TEXT, TEXTS, Kind, ListOf, Record
from simulator.cloud.state.resources import EniState, IpState, NetworkInterface, PrivateIp
from simulator.cloud.state.schedule import Change, Effect
from simulator.cloud.state.world import World

_MAX_TEXT = 60
_UNSUPPORTED = ("Ipv6Addresses", "Ipv6AddressCount", "IsRdma")


def _check_texts(params: Mapping[str, Any]) -> None:
    for name in ("NetworkInterfaceName", "NetworkInterfaceDescription"):
        if len(params.get(name, "")) > _MAX_TEXT:
            raise situations.VPC_TOO_LONG.error(name=name, limit=_MAX_TEXT)
    for name in _UNSUPPORTED:
        if params.get(name):
            raise situations.ENI_UNSUPPORTED.error(name=name)
    if params.get("TrunkingFlag", "Disable") != "Disable":
        raise situations.ENI_UNSUPPORTED.error(name="TrunkingFlag")


def _addresses(world: World, params: Mapping[str, Any], limit: int) -> list[PrivateIp]:
    subnet_id = params["SubnetId"]
    chosen = ip_choice.named(world, subnet_id, params.get("PrivateIpAddresses", []))
    primaries = [address for address in chosen if address.primary]
    if len(primaries) > 1:
        raise situations.VPC_RANGE.error(name="Primary addresses", value=len(primaries), allowed="0 to 1")
    secondaries = params.get("SecondaryPrivateIpAddressCount", 0)
    ip_choice.check_count(secondaries)
    wanted = len(chosen) + secondaries + (0 if primaries else 1)
    if wanted > limit:
        raise situations.IP_QUOTA.error(eni_id="to be created", limit=limit, count=wanted)
    found = ip_choice.with_free(
        world, subnet_id, chosen, wanted - len(chosen), params.get("QosLevel", "DEFAULT")
    )
    if not primaries:
        found[len(chosen)].primary = True
    return found


def _new_eni(world: World, call: Call, limit: int) -> NetworkInterface:
    params = call.params
    _check_texts(params)
    subnet = eni_lookup.subnet(world, params["VpcId"], params["SubnetId"])
    security_groups.check_groups(world, params.get("SecurityGroupIds", []))
    own_tags = tags.eni_tags(params.get("Tags", []), world.config.quotas.tags_per_resource)
    quota = world.config.quotas.enis_per_vpc
    if len(world.enis) >= quota:
        raise situations.ENI_QUOTA_VPC.error(vpc_id=params["VpcId"], limit=quota)
    addresses = _addresses(world, params, limit)
    eni = NetworkInterface(
        eni_id=world.new_id("eni"),
        name=params["NetworkInterfaceName"],
        description=params.get("NetworkInterfaceDescription", ""),
        vpc_id=params["VpcId"],
        subnet_id=subnet.subnet_id,
        zone=subnet.zone,
        mac=world.new_mac(),
        created=call.now,
        qos=params.get("QosLevel", "DEFAULT"),
        security_groups=list(params.get("SecurityGroupIds", [])),
        tags=own_tags,
        addresses={address.ip: address for address in sorted(addresses, key=lambda a: not a.primary)},
    )
    world.enis[eni.eni_id] = eni
    return eni


@dataclass(slots=True)
class _Creation(Change):
    """A new ENI: PENDING, then AVAILABLE, attached if an instance was named."""

    world: World
    eni: NetworkInterface

    def effects(self) -> list[Effect]:
        return eni_attachment.attach_effects(self.world, self.eni)

    def done(self) -> None:
        self.eni.state = EniState.AVAILABLE
        for address in self.eni.addresses.values():
            address.state = IpState.AVAILABLE

    def failed(self) -> None:
        del self.world.enis[self.eni.eni_id]


def create_network_interface(world: World, call: Call) -> JsonObject:
    """CreateNetworkInterface (document 215/15818)."""
    eni = _new_eni(world, call, max(kind.ips_per_eni for kind in world.types.values()))
    seconds = world.config.latencies.eni_create
    start_task(world, call, _Creation(world, eni), seconds=seconds, resources=[eni.eni_id])
    return {"NetworkInterface": eni_queries.shown(world, eni)}


def create_and_attach_network_interface(world: World, call: Call) -> JsonObject:
    """CreateAndAttachNetworkInterface (document 215/43370): one task for both."""
    instance = eni_lookup.instance(world, call.params["InstanceId"])
    extended = eni_attachment.is_extended(call)
    eni_attachment.check_instance(world, instance, situations.ENI_CREATE_INSTANCE_STATE, extended=extended)
    subnet = eni_lookup.subnet(world, call.params["VpcId"], call.params["SubnetId"])
    # The action does not list ZoneMismatch; ResourceMismatch is the nearest that it lists.
    if subnet.zone != instance.zone:
        raise situations.ENI_CREATE_ZONE.error(
            subnet_id=subnet.subnet_id, zone=subnet.zone, instance_id=instance.instance_id
        )
    eni = _new_eni(world, call, eni_lookup.instance_type(world, instance).ips_per_eni)
    eni.extended = extended
    eni_attachment.take_slot(world, eni, instance, call.now)
    seconds = world.config.latencies.eni_create + world.config.latencies.eni_attach
    start_task(world, call, _Creation(world, eni), seconds=seconds, resources=[eni.eni_id])
    return {"NetworkInterface": eni_queries.shown(world, eni)}


_CREATE: dict[str, Kind] = {
    "VpcId": TEXT,
    "NetworkInterfaceName": TEXT,
    "SubnetId": TEXT,
    "NetworkInterfaceDescription": TEXT,
    "QosLevel": TEXT,
    "SecurityGroupIds": TEXTS,
    "PrivateIpAddresses": PRIVATE_IPS,
    "SecondaryPrivateIpAddressCount": INTEGER,
    "Ipv6Addresses": ListOf(Record({"Address": TEXT, "Primary": BOOLEAN})),
    "Ipv6AddressCount": INTEGER,
    "Tags": TAGS,
    "IsRdma": BOOLEAN,
    "ClientToken": TEXT,
    "TerminationProtection": BOOLEAN,
    "TrafficProtection": BOOLEAN,
}

ACTIONS = (
    Action(
        name="CreateNetworkInterface",
        product="vpc",
        handler=create_network_interface,
        parameters=Record(
            {**_CREATE, "TrunkingFlag": TEXT}, required=("VpcId", "NetworkInterfaceName", "SubnetId")
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="eni"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.ENI_BUSY,
    ),
    Action(
        name="CreateAndAttachNetworkInterface",
        product="vpc",
        handler=create_and_attach_network_interface,
        parameters=Record(
            {**_CREATE, "InstanceId": TEXT, "AttachType": INTEGER},
            required=("VpcId", "NetworkInterfaceName", "SubnetId", "InstanceId"),
        ),
        rate=20,
        cam=CamNames(service="vpc", resource="eni"),
        writes=True,
        busy=situations.ENI_BUSY,
    ),
)
