"""Security groups of ENIs: Associate… and DisassociateNetworkInterfaceSecurityGroups, and what they let in.

Of a group the region knows from where it lets connections in (`config.SecurityGroupConfig`); an ENI lets in
what any of its groups does. A group that the region was not told of lets everything in. The answers name no
task; the change shows a moment later, as others do. Sources: the API pages of the two actions; no document
says what becomes of an ENI without a group, so it is possible here, for tests to notice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.cloud import situations
from simulator.cloud.actions import eni_lookup
from simulator.cloud.actions.action import Action, Call, CamNames, JsonObject, start_task
from simulator.cloud.parameters import TEXTS, Record, check_not_empty
from simulator.cloud.state.resources import NetworkInterface
from simulator.cloud.state.schedule import Change, Effect
from simulator.cloud.state.world import World

MAX_IDS = 100
EVERYWHERE = "0.0.0.0/0"


def ingress(world: World, groups: Sequence[str]) -> tuple[str, ...] | None:
    """Give the ranges from which an ENI with these groups may be connected to; None for all."""
    known = {group.security_group_id: group for group in world.config.security_groups}
    ranges: set[str] = set()
    for group in groups:
        ranges |= set(known[group].ingress) if group in known else {EVERYWHERE}
    return None if EVERYWHERE in ranges else tuple(sorted(ranges))


def ingress_effect(world: World, eni: NetworkInterface) -> Effect:
    """Give the call that lets the data plane do as the ENI's groups say."""
    allowed = ingress(world, eni.security_groups)
    return lambda fabric: fabric.set_ingress(eni.eni_id, allowed)


def check_groups(world: World, groups: Sequence[str], name: str = "SecurityGroupIds") -> None:
    """Raise ApiError for an id that is malformed, or not known where groups are configured."""
    known = {group.security_group_id for group in world.config.security_groups}
    for group in groups:
        if not group.startswith("sg-"):
            raise situations.VPC_MALFORMED.error(name=name, value=group)
        if known and group not in known:
            raise situations.VPC_NOT_FOUND.error(resource_id=group)


@dataclass(slots=True)
class _Regrouping(Change):
    """ENIs that get, or lose, groups."""

    world: World
    changed: list[NetworkInterface]
    after: dict[str, list[str]]
    """By ENI."""

    def effects(self) -> list[Effect]:
        effects = []
        for eni in self.changed:
            if eni.instance_id:
                allowed = ingress(self.world, self.after[eni.eni_id])
                effects.append(_set_ingress(eni.eni_id, allowed))
        return effects

    def done(self) -> None:
        for eni in self.changed:
            eni.security_groups = self.after[eni.eni_id]

    def failed(self) -> None:
        """Nothing has changed."""


def _set_ingress(eni_id: str, allowed: tuple[str, ...] | None) -> Effect:
    return lambda fabric: fabric.set_ingress(eni_id, allowed)


def _change(world: World, call: Call, *, give: bool) -> JsonObject:
    for name in ("NetworkInterfaceIds", "SecurityGroupIds"):
        check_not_empty(call.params, name)
        if len(call.params[name]) > MAX_IDS:
            raise situations.VPC_LIMIT.error(name=name, value=len(call.params[name]), limit=MAX_IDS)
    groups = call.params["SecurityGroupIds"]
    check_groups(world, groups)
    changed = [eni_lookup.available_eni(world, eni_id) for eni_id in call.params["NetworkInterfaceIds"]]
    for eni in changed:
        if eni.primary:
            raise situations.ENI_PRIMARY.error(eni_id=eni.eni_id)
    after = {
        eni.eni_id: [
            *(group for group in eni.security_groups if give or group not in groups),
            *(group for group in groups if give and group not in eni.security_groups),
        ]
        for eni in changed
    }
    start_task(
        world,
        call,
        _Regrouping(world, changed, after),
        seconds=world.config.latencies.eni_groups,
        resources=[eni.eni_id for eni in changed],
    )
    return {}


def associate(world: World, call: Call) -> JsonObject:
    """AssociateNetworkInterfaceSecurityGroups."""
    return _change(world, call, give=True)


def disassociate(world: World, call: Call) -> JsonObject:
    """DisassociateNetworkInterfaceSecurityGroups."""
    return _change(world, call, give=False)


_PARAMETERS = Record(
    {"NetworkInterfaceIds": TEXTS, "SecurityGroupIds": TEXTS},
    required=("NetworkInterfaceIds", "SecurityGroupIds"),
)

ACTIONS = tuple(
    Action(
        name=name,
        product="vpc",
        handler=handler,
        parameters=_PARAMETERS,
        rate=20,
        cam=CamNames(service="cvm", resource="eni", id_parameter="NetworkInterfaceIds"),
        writes=True,
        throttled=situations.ACTION_LIMITED,
        busy=situations.ENI_BUSY,
    )
    for name, handler in (
        ("AssociateNetworkInterfaceSecurityGroups", associate),
        ("DisassociateNetworkInterfaceSecurityGroups", disassociate),
    )
)
