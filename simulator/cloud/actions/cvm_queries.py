"""The cvm product, as far as a node asks it: DescribeInstances, DescribeInstanceTypeConfigs, regions, zones.

Reads only; instances are made and ended by the region itself. Instance ids that do not exist are absent from
the answer. Sources: documents 213/15728, 213/15749, 213/15708 and 213/15707.
"""

from simulator.cloud import situations
from simulator.cloud.actions import paging
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject
from simulator.cloud.instance_types import InstanceType
from simulator.cloud.parameters import FILTERS, INTEGER, TEXTS, Record
from simulator.cloud.state import times
from simulator.cloud.state.resources import CvmInstance
from simulator.cloud.state.world import World


def _private_ips(world: World, instance: CvmInstance) -> list[str]:
    enis = world.enis_of(instance.instance_id)
    return list(enis[0].addresses) if enis else []


def _public_ips(world: World, instance: CvmInstance) -> list[str]:
    enis = world.enis_of(instance.instance_id)
    if not enis:
        return []
    return [address.ip for address in world.addresses.values() if address.eni_id == enis[0].eni_id]


def _filters(world: World) -> dict[str, paging.Filter[CvmInstance]]:
    return {
        "zone": lambda i: [i.zone],
        "project-id": lambda _i: ["0"],
        "vpc-id": lambda i: [i.vpc_id],
        "subnet-id": lambda i: [i.subnet_id],
        "instance-id": lambda i: [i.instance_id],
        "uuid": lambda i: [i.uuid],
        "security-group-id": lambda i: world.enis_of(i.instance_id)[0].security_groups,
        "instance-name": lambda i: [i.name],
        "instance-charge-type": lambda _i: ["POSTPAID_BY_HOUR"],
        "instance-state": lambda i: [i.state],
        "private-ip-address": lambda i: _private_ips(world, i),
        "public-ip-address": lambda i: _public_ips(world, i),
        "instance-type": lambda i: [i.instance_type],
        "tag-key": lambda _i: [],
        "tag-value": lambda _i: [],
        "tag:": lambda _i: [],
    }


def describe_instances(world: World, call: Call) -> JsonObject:
    """DescribeInstances: by ids or filters."""
    ids = call.params.get("InstanceIds", [])
    if ids and "Filters" in call.params:
        raise situations.CVM_COEXIST.error()
    if len(ids) > paging.MAX_IDS:
        raise situations.CVM_LIMIT.error(name="InstanceIds", value=len(ids), low=0, high=paging.MAX_IDS)
    for instance_id in ids:
        if not instance_id.startswith("ins-"):
            raise situations.CVM_MALFORMED.error(instance_id=instance_id)
    pool = [i for i in world.instances.values() if not ids or i.instance_id in ids]
    wanted = paging.filter_values(call.params, paging.CVM_RULES)
    found = paging.matching(pool, wanted, _filters(world), paging.CVM_RULES)
    page = paging.page(found, call.params, paging.CVM_RULES)
    return {"TotalCount": len(found), "InstanceSet": [_shown(world, instance) for instance in page]}


def _shown(world: World, instance: CvmInstance) -> JsonObject:
    kind = world.types[instance.instance_type]
    public = _public_ips(world, instance)
    enis = world.enis_of(instance.instance_id)
    return {
        "Placement": {"Zone": instance.zone, "ProjectId": 0},
        "InstanceId": instance.instance_id,
        "InstanceType": instance.instance_type,
        "CPU": kind.cpu,
        "Memory": kind.memory_gib,
        "RestrictState": "NORMAL",
        "InstanceName": instance.name,
        "InstanceChargeType": "POSTPAID_BY_HOUR",
        "SystemDisk": {
            "DiskType": "CLOUD_PREMIUM",
            "DiskId": f"disk-{instance.instance_id[4:]}",
            "DiskSize": 50,
        },
        "DataDisks": [],
        "PrivateIpAddresses": _private_ips(world, instance),
        "PublicIpAddresses": public or None,
        "InternetAccessible": {
            "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR",
            "InternetMaxBandwidthOut": 100 if public else 0,
        },
        "VirtualPrivateCloud": {
            "VpcId": instance.vpc_id,
            "SubnetId": instance.subnet_id,
            "AsVpcGateway": False,
        },
        "ImageId": "img-487zeit5",
        "RenewFlag": None,
        "CreatedTime": times.iso(instance.created),
        "ExpiredTime": None,
        "OsName": "TencentOS Server 3.1 (TK4)",
        "SecurityGroupIds": enis[0].security_groups if enis else [],
        "LoginSettings": {},
        "InstanceState": instance.state,
        "Tags": [],
        "StopChargingMode": "NOT_APPLICABLE" if instance.state == "RUNNING" else "KEEP_CHARGING",
        "Uuid": instance.uuid,
        "LatestOperation": None,
        "LatestOperationState": None,
        "LatestOperationRequestId": None,
        "CamRoleName": instance.cam_role or None,
        "IsolatedSource": "NOTISOLATED",
    }


_TYPE_FILTERS: dict[str, paging.Filter[tuple[str, InstanceType]]] = {
    "zone": lambda row: [row[0]],
    "instance-family": lambda row: [row[1].family],
    "instance-type": lambda row: [row[1].name],
}


def describe_instance_type_configs(world: World, call: Call) -> JsonObject:
    """DescribeInstanceTypeConfigs: every type in every zone; no paging."""
    rows = [(zone, kind) for zone in world.config.zones for kind in world.types.values()]
    wanted = paging.filter_values(call.params, paging.CVM_RULES)
    found = paging.matching(rows, wanted, _TYPE_FILTERS, paging.CVM_RULES)
    return {
        "InstanceTypeConfigSet": [
            {
                "Zone": zone,
                "InstanceType": kind.name,
                "InstanceFamily": kind.family,
                "GPU": 0,
                "CPU": kind.cpu,
                "Memory": kind.memory_gib,
                "FPGA": 0,
                "GpuCount": 0.0,
            }
            for zone, kind in found
        ]
    }


def describe_zones(world: World, _call: Call) -> JsonObject:
    """DescribeZones: those of the region."""
    zones = world.config.zones
    return {
        "TotalCount": len(zones),
        "ZoneSet": [
            {"Zone": zone, "ZoneName": zone, "ZoneId": str(100000 + index), "ZoneState": "AVAILABLE"}
            for index, zone in enumerate(zones, start=1)
        ],
    }


def describe_regions(world: World, _call: Call) -> JsonObject:
    """DescribeRegions: this one."""
    region = world.config.region
    return {
        "TotalCount": 1,
        "RegionSet": [{"Region": region, "RegionName": region, "RegionState": "AVAILABLE"}],
    }


ACTIONS = (
    Action(
        name="DescribeInstances",
        product="cvm",
        handler=describe_instances,
        parameters=Record({"InstanceIds": TEXTS, "Filters": FILTERS, "Offset": INTEGER, "Limit": INTEGER}),
        rate=40,
        cam=CamNames(service="cvm", resource="instance"),
    ),
    Action(
        name="DescribeInstanceTypeConfigs",
        product="cvm",
        handler=describe_instance_type_configs,
        parameters=Record({"Filters": FILTERS}),
        rate=40,
        cam=CamNames(service="cvm", resource="instance"),
    ),
    Action(
        name="DescribeZones",
        product="cvm",
        handler=describe_zones,
        parameters=Record({}),
        rate=40,
        cam=CamNames(service="cvm", resource="instance"),
    ),
    Action(
        name="DescribeRegions",
        product="cvm",
        handler=describe_regions,
        parameters=Record({}),
        rate=40,
        cam=CamNames(service="cvm", resource="instance"),
    ),
)
