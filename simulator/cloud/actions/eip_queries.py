"""DescribeAddresses (document 215/16702): which EIPs there are. Reads only.

Ids that do not exist are simply absent from the answer; ids are paged like everything else, so that more ids
than Limit give a cut answer. Ordinary public IPs appear only when the filter address-type asks for them.
"""

from simulator.cloud import situations
from simulator.cloud.actions import eip_lookup, paging
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.config import LEGACY
from simulator.cloud.parameters import FILTERS, INTEGER, TEXTS, Record
from simulator.cloud.state import times
from simulator.cloud.state.resources import Address
from simulator.cloud.state.world import World

_DEFAULT_TYPES = ("EIP", "AnycastEIP", "HighQualityEIP", "AntiDDoSEIP", "ResidentialEIP")
_FIRST_VALUE_ONLY = ("address-name", "private-ip-address")


def instance_of(world: World, address: Address) -> str:
    """Give the CVM or NAT gateway that an address is bound to, empty without one."""
    if address.nat_gateway_id:
        return address.nat_gateway_id
    eni = world.enis.get(address.eni_id)
    return eni.instance_id if eni else ""


def _instance_type(world: World, address: Address) -> str | None:
    if address.nat_gateway_id:
        return "NAT"
    eni = world.enis.get(address.eni_id)
    if eni is None:
        return None
    # An EIP on the CVM's own address belongs to the CVM, any other to the ENI.
    return "CVM" if eni.primary and eni.primary_ip == address.private_ip else "ENI"


def _filters(world: World) -> dict[str, paging.Filter[Address]]:
    return {
        "address-id": lambda a: [a.address_id],
        "address-name": lambda a: [a.name],
        "address-ip": lambda a: [a.ip],
        "address-status": lambda a: [a.status],
        "instance-id": lambda a: [instance_of(world, a)],
        "private-ip-address": lambda a: [a.private_ip],
        "network-interface-id": lambda a: [a.eni_id],
        "is-arrears": lambda a: paging.truth(value=a.is_arrears),
        "instance-type": lambda a: [_instance_type(world, a) or ""],
        "address-type": lambda a: [a.address_type],
        "address-isp": lambda a: [a.isp],
        "dedicated-cluster-id": lambda _a: [],
        "tag-key": lambda a: list(a.tags),
        "tag-value": lambda a: list(a.tags.values()),
        "tag:": lambda a: paging.tag_pairs(a.tags),
    }


def describe_addresses(world: World, call: Call) -> JsonObject:
    """DescribeAddresses: by ids or filters, newest first."""
    wanted = paging.filter_values(call.params, paging.EIP_RULES)
    ids = call.params.get("AddressIds", [])
    if ids and "address-id" in wanted:
        raise situations.EIP_IDS_AND_FILTER.error()
    if len(ids) > paging.MAX_IDS:
        raise situations.EIP_LIMIT.error(name="AddressIds", value=len(ids), low=0, high=paging.MAX_IDS)
    for address_id in (*ids, *wanted.get("address-id", [])):
        eip_lookup.check_id(address_id)
    for name in _FIRST_VALUE_ONLY:
        if name in wanted:
            wanted[name] = wanted[name][:1]
    if not ids:
        wanted.setdefault("address-type", list(_DEFAULT_TYPES))
    pool = (
        [world.addresses[i] for i in ids if i in world.addresses] if ids else list(world.addresses.values())
    )
    found = paging.matching(pool, wanted, _filters(world), paging.EIP_RULES)
    found.sort(key=lambda address: address.created, reverse=True)
    shown = paging.page(found, call.params, paging.EIP_RULES)
    return {"TotalCount": len(found), "AddressSet": [_shown(world, address) for address in shown]}


def _shown(world: World, address: Address) -> JsonObject:
    by_cvm = world.config.account.network_type == LEGACY
    return {
        "AddressId": address.address_id,
        "AddressName": address.name,
        "AddressStatus": address.status,
        "AddressIp": address.ip,
        "InstanceId": instance_of(world, address) or None,
        "CreatedTime": times.iso(address.created),
        "NetworkInterfaceId": address.eni_id or None,
        "PrivateAddressIp": address.private_ip or None,
        "IsArrears": address.is_arrears,
        "IsBlocked": address.is_blocked,
        "IsEipDirectConnection": False,
        "AddressType": address.address_type,
        "CascadeRelease": address.cascade_release,
        "EipAlgType": {"Ftp": True, "Sip": True},
        "InternetServiceProvider": address.isp,
        "LocalBgp": False,
        "Bandwidth": None if by_cvm else address.bandwidth,
        "InternetChargeType": None if by_cvm else address.charge_type,
        "TagSet": paging.tag_set(address.tags),
        "DeadlineDate": None,
        "InstanceType": _instance_type(world, address),
        "Egress": address.egress,
        "AntiDDoSPackageId": "",
        "RenewFlag": "",
        "BandwidthPackageId": address.bandwidth_package_id or None,
        "UnVpcId": "",
        "DedicatedClusterId": "",
        "EipVisibleOnEni": False,
    }


ACTIONS = (
    Action(
        name="DescribeAddresses",
        product="vpc",
        handler=describe_addresses,
        parameters=Record({"AddressIds": TEXTS, "Filters": FILTERS, "Offset": INTEGER, "Limit": INTEGER}),
        rate=20,
        cam=CamNames(service="cvm", resource="eip"),
    ),
)
