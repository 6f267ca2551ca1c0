"""Changing an EIP that stays where it is: ModifyAddressesBandwidth, ModifyAddressAttribute.

Sources: documents 215/19214 and 215/16704.
"""

from dataclasses import dataclass

from simulator.cloud import situations
from simulator.cloud.actions import eip_lookup
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.actions.eip_orders import check_bandwidth
from simulator.cloud.parameters import BOOLEAN, INTEGER, TEXT, TEXTS, Record, check_not_empty
from simulator.cloud.state.resources import Address
from simulator.cloud.state.schedule import Change
from simulator.cloud.state.world import World


@dataclass(slots=True)
class _Adjustment(Change):
    """EIPs that get another bandwidth."""

    changed: list[Address]
    bandwidth: int

    def done(self) -> None:
        for address in self.changed:
            address.task_id = 0
            address.bandwidth = self.bandwidth

    def failed(self) -> None:
        for address in self.changed:
            address.task_id = 0


def modify_addresses_bandwidth(world: World, call: Call) -> JsonObject:
    """ModifyAddressesBandwidth: another bandwidth for several EIPs, as a task."""
    check_not_empty(call.params, "AddressIds")
    bandwidth = call.params["InternetMaxBandwidthOut"]
    ids = list(dict.fromkeys(call.params["AddressIds"]))
    changed = [eip_lookup.existing(world, address_id) for address_id in ids]
    for address in changed:
        if address.is_arrears:
            raise situations.EIP_IN_ARREARS.error(address_id=address.address_id)
        eip_lookup.check_free(address)
        check_bandwidth(address.charge_type, bandwidth)
    seconds = world.config.latencies.eip_modify
    task = start_task(world, call, _Adjustment(changed, bandwidth), seconds=seconds, resources=ids)
    for address in changed:
        address.task_id = task.task_id
    return {"TaskId": str(task.task_id)}


def modify_address_attribute(world: World, call: Call) -> JsonObject:
    """ModifyAddressAttribute: the name, at once. Direct connection and visibility are not sold here."""
    address = eip_lookup.existing(world, call.params["AddressId"])
    eip_lookup.check_free(address)
    name = call.params.get("AddressName", address.name)
    if len(name) > 128:
        raise situations.EIP_NAME_TOO_LONG.error()
    for feature in ("EipDirectConnection", "EipVisibleOnEni"):
        if call.params.get(feature) in (True, "TRUE"):
            raise situations.EIP_DIRECT.error(feature=feature, address_id=address.address_id)
    address.name = name
    return {}


ACTIONS = (
    Action(
        name="ModifyAddressesBandwidth",
        product="vpc",
        handler=modify_addresses_bandwidth,
        parameters=Record(
            {"AddressIds": TEXTS, "InternetMaxBandwidthOut": INTEGER, "StartTime": TEXT, "EndTime": TEXT},
            required=("AddressIds", "InternetMaxBandwidthOut"),
        ),
        rate=20,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressIds"),
        writes=True,
    ),
    Action(
        name="ModifyAddressAttribute",
        product="vpc",
        handler=modify_address_attribute,
        parameters=Record(
            {"AddressId": TEXT, "AddressName": TEXT, "EipDirectConnection": TEXT, "EipVisibleOnEni": BOOLEAN},
            required=("AddressId",),
        ),
        rate=10,
        cam=CamNames(service="cvm", resource="eip", id_parameter="AddressId"),
        writes=True,
    ),
)
