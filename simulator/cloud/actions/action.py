"""What an action is: its name, parameters, limits and CAM names, and the call that its handler gets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.cloud import situations
from simulator.cloud.faults import Fault, FaultKind
from simulator.cloud.parameters import Record
from simulator.cloud.situations import Situation
from simulator.cloud.state.resources import Task
from simulator.cloud.state.schedule import Change, Transition
from simulator.cloud.state.world import World

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated request with checked parameters."""

    action: str
    params: Mapping[str, Any]
    now: float
    request_id: str
    take_fault: Callable[[FaultKind], Fault | None]
    """Draws an injected fault of a kind for this action."""


Handler = Callable[[World, Call], JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class CamNames:
    """How CAM names an action's operation and resource in a denial."""

    service: str
    resource: str
    """Resource type, such as eip."""
    id_parameter: str = ""
    """The parameter that holds the id of the resource; without one, any resource (`*`) is meant."""

    def resource_of(self, region: str, uin: str, params: Mapping[str, Any]) -> str:
        """Give the six-segment name of the resource."""
        value = params.get(self.id_parameter, "*") if self.id_parameter else "*"
        name = value[0] if isinstance(value, list) and value else value
        return f"qcs::{self.service}:{region}:uin/{uin}:{self.resource}/{name or '*'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of one product."""

    name: str
    product: str
    handler: Handler
    parameters: Record
    rate: int
    """Published limit in calls per second for each sub-account (document 652/121590)."""
    cam: CamNames
    version: str = "2017-03-12"
    writes: bool = False
    throttled: Situation = situations.RATE_EXCEEDED
    busy: Situation = situations.EIP_BUSY
    """What an injected "mutex busy" fault answers."""
    token_reused: Situation = situations.TOKEN_REUSED
    token_in_progress: Situation | None = situations.TOKEN_IN_PROGRESS
    """What a repeat of a request that is still in progress is told; None lets it wait for the first one."""


def start_task(world: World, call: Call, change: Change, *, seconds: float, resources: Sequence[str]) -> Task:
    """Accept a write that ends in `change` after `seconds` (scaled), or fails then if a fault dooms it."""
    task = Task(
        task_id=world.random.randrange(10_000_000, 2**31),
        request_id=call.request_id,
        action=call.action,
        resource_ids=tuple(resources),
        accepted=call.now,
        doomed=call.take_fault(FaultKind.TASK_FAILURE) is not None,
    )
    world.remember_task(task)
    due = call.now + seconds * world.config.latencies.scale
    world.schedule.add(Transition(due=due, task=task, change=change))
    return task
