"""DescribeNetworkInterfaces (document 215/15817) and DescribeNetworkInterfaceLimit. Reads only.

Two habits of the real API that clients stumble over are kept: the filter address-ip with one value matches
the end of addresses unless ip-exact-match is given too, and ids that do not exist are an error.
"""

from simulator.cloud import situations
from simulator.cloud.actions import eni_lookup, paging
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.parameters import FILTERS, INTEGER, TEXT, TEXTS, Record
from simulator.cloud.state import times
from simulator.cloud.state.resources import Address, EniState, NetworkInterface, PrivateIp
from simulator.cloud.state.world import World


def _public_ips(world: World, eni: NetworkInterface) -> list[str]:
    return [address.ip for address in world.addresses.values() if address.eni_id == eni.eni_id]


def _filters(world: World) -> dict[str, paging.Filter[NetworkInterface]]:
    return {
        "vpc-id": lambda e: [e.vpc_id],
        "subnet-id": lambda e: [e.subnet_id],
        "network-interface-id": lambda e: [e.eni_id],
        "attachment.instance-id": lambda e: [e.instance_id],
        "groups.security-group-id": lambda e: e.security_groups,
        "network-interface-name": lambda e: [e.name],
        "network-interface-description": lambda e: [e.description],
        "address-ip": lambda e: list(e.addresses),
        "public-address-ip": lambda e: _public_ips(world, e),
        "is-primary": lambda e: paging.truth(value=e.primary),
        "eni-type": lambda e: ["1" if e.primary else "0"],
        "eni-qos": lambda e: [e.qos],
        "tag-key": lambda e: list(e.tags),
        "tag:": lambda e: paging.tag_pairs(e.tags),
        "address-ipv6": lambda _e: [],
        "termination-protection": lambda _e: paging.truth(value=False),
        "traffic-protection": lambda _e: paging.truth(value=False),
    }


def _loosen(world: World, wanted: dict[str, list[str]]) -> None:
    """Turn a single address-ip into the addresses that end like it, unless exactness is asked for."""
    exact = wanted.pop("ip-exact-match", [])
    if exact and exact[0].lower() not in ("true", "false"):
        wanted["address-ip"] = exact[:1]  # the filter's own value, as its description says
        return
    suffixes = wanted.get("address-ip", [])
    if len(suffixes) == 1 and not (exact and exact[0].lower() == "true"):
        wanted["address-ip"] = [
            ip for eni in world.enis.values() for ip in eni.addresses if ip.endswith(suffixes[0])
        ]


def describe_network_interfaces(world: World, call: Call) -> JsonObject:
    """DescribeNetworkInterfaces: by ids or filters, newest first."""
    ids = call.params.get("NetworkInterfaceIds", [])
    if ids and "Filters" in call.params:
        raise situations.VPC_COEXIST.error(name="NetworkInterfaceIds")
    if len(ids) > paging.MAX_IDS:
        raise situations.VPC_LIMIT.error(name="NetworkInterfaceIds", value=len(ids), limit=paging.MAX_IDS)
    wanted = paging.filter_values(call.params, paging.VPC_RULES)
    _loosen(world, wanted)
    pool = [eni_lookup.eni(world, i, "NetworkInterfaceIds") for i in ids] or list(world.enis.values())
    found = paging.matching(pool, wanted, _filters(world), paging.VPC_RULES)
    found.sort(key=lambda eni: eni.created, reverse=True)
    page = paging.page(found, call.params, paging.VPC_RULES)
    return {"TotalCount": len(found), "NetworkInterfaceSet": [shown(world, eni) for eni in page]}


def shown_ip(world: World, eni: NetworkInterface, private: PrivateIp) -> JsonObject:
    """Give a private address as the API shows it."""
    return _shown_ip(private, world.address_of(eni.eni_id, private.ip))


def _shown_ip(private: PrivateIp, public: Address | None) -> JsonObject:
    return {
        "PrivateIpAddress": private.ip,
        "Primary": private.primary,
        "PublicIpAddress": public.ip if public else "",
        "AddressId": public.address_id if public else "",
        "Description": private.description,
        "IsWanIpBlocked": bool(public and public.is_blocked),
        "State": private.state,
        "QosLevel": private.qos,
    }


def shown(world: World, eni: NetworkInterface) -> JsonObject:
    """Give an ENI as the API shows it; the attachment appears when it has been made."""
    public = {a.private_ip: a for a in world.addresses.values() if a.eni_id == eni.eni_id}
    attached = eni.instance_id and eni.state is not EniState.ATTACHING
    in_use = attached and eni.state is EniState.AVAILABLE
    attachment = {
        "InstanceId": eni.instance_id,
        "DeviceIndex": eni.device_index,
        "InstanceAccountId": world.config.account.uin,
        "AttachTime": times.local(eni.attached_at),
    }
    return {
        "NetworkInterfaceId": eni.eni_id,
        "NetworkInterfaceName": eni.name,
        "NetworkInterfaceDescription": eni.description,
        "SubnetId": eni.subnet_id,
        "VpcId": eni.vpc_id,
        "GroupSet": eni.security_groups,
        "Primary": eni.primary,
        "MacAddress": eni.mac.upper(),
        "State": eni.state,
        "NetworkInterfaceState": "INUSE" if in_use else eni.state,
        "PrivateIpAddressSet": [_shown_ip(p, public.get(p.ip)) for p in eni.addresses.values()],
        "Attachment": attachment if attached else None,
        "Zone": eni.zone,
        "CreatedTime": times.local(eni.created),
        "Ipv6AddressSet": [],
        "TagSet": paging.tag_set(eni.tags),
        "EniType": 1 if eni.primary else 0,
        "Business": "cvm",
        "CdcId": "",
        "AttachType": int(eni.extended),
        "ResourceId": "",
        "QosLevel": eni.qos,
    }


def describe_network_interface_limit(world: World, call: Call) -> JsonObject:
    """DescribeNetworkInterfaceLimit: for a CVM, or for the CVM of an ENI."""
    wanted = call.params["InstanceId"]
    if wanted.startswith("eni-"):
        wanted = eni_lookup.eni(world, wanted, "InstanceId").instance_id
    elif not wanted.startswith("ins-"):
        raise situations.VPC_MALFORMED.error(name="InstanceId", value=wanted)
    instance = world.instances.get(wanted)
    if instance is None:
        raise situations.LIMIT_INSTANCE_NOT_FOUND.error(instance_id=wanted)
    kind = eni_lookup.instance_type(world, instance)
    return {
        "EniQuantity": kind.enis,
        "EniPrivateIpAddressQuantity": kind.ips_per_eni,
        "ExtendEniQuantity": kind.extended_enis,
        "ExtendEniPrivateIpAddressQuantity": kind.ips_per_eni if kind.extended_enis else 0,
        "SubEniQuantity": 0,
        "SubEniPrivateIpAddressQuantity": 0,
    }


ACTIONS = (
    Action(
        name="DescribeNetworkInterfaces",
        product="vpc",
        handler=describe_network_interfaces,
        parameters=Record(
            {"NetworkInterfaceIds": TEXTS, "Filters": FILTERS, "Offset": INTEGER, "Limit": INTEGER}
        ),
        rate=100,
        cam=CamNames(service="vpc", resource="eni"),
        throttled=situations.ACTION_LIMITED,
    ),
    Action(
        name="DescribeNetworkInterfaceLimit",
        product="vpc",
        handler=describe_network_interface_limit,
        parameters=Record({"InstanceId": TEXT}, required=("InstanceId",)),
        rate=20,
        cam=CamNames(service="vpc", resource="eni"),
        throttled=situations.ACTION_LIMITED,
    ),
)
