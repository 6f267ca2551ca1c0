"""The region as a running thing: one lock around the World, calls in, transitions out to the data plane.

API actions run under the lock. Effects on the data plane are never made under it, nor by the thread of an API
call: transitions end one after the other in `run_due`, which the timer thread calls in time. All methods are
thread-safe. `close` ends the timer thread; it leaves the fabric to its owner.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from simulator.cloud import fleet
from simulator.cloud.accounts import Accounts
from simulator.cloud.actions import security_groups
from simulator.cloud.actions.action import Action, Call, JsonObject
from simulator.cloud.calls import Calls
from simulator.cloud.clock import Clock, SystemClock
from simulator.cloud.config import InstanceOrder, NatGatewayConfig, RegionConfig
from simulator.cloud.faults import FaultKind, FaultPlan
from simulator.cloud.state.resources import CvmInstance, NatGateway, TaskStatus
from simulator.cloud.state.schedule import Effect, Transition
from simulator.cloud.state.world import World
from simulator.cloud.timeline import Timeline
from simulator.fabric.api import Fabric, NullFabric

T = TypeVar("T")

log = logging.getLogger(__name__)


class CloudRegion:
    """A region of the cloud with its account.

    Invariant: the API shows the result of a change only after the data plane has carried it out.
    """

    def __init__(
        self,
        config: RegionConfig | None = None,
        fabric: Fabric | None = None,
        clock: Clock | None = None,
        *,
        wall: Callable[[], float] = time.time,
        fault_seed: int = 0,
    ) -> None:
        """Make the region and boot what the config lists.

        `clock` drives states, quotas and rate limits; `wall` is what signatures and temporary keys are
        checked against, because clients sign with the machine's time.
        """
        self.config = config or RegionConfig()
        self._wall = wall
        self._clock_error = 0.0
        self.clock = clock or SystemClock()
        self.faults = FaultPlan(fault_seed)
        self.accounts = Accounts(self.config.account, self.wall)
        self.calls = Calls(self.config, self.clock, self.faults, self)
        self.audit = self.calls.audit
        self._fabric = fabric or NullFabric()
        self._world = World(self.config, self.clock.now())
        self._timeline = Timeline()
        self._changed = threading.Condition()
        self._data_plane = threading.Lock()
        """Held while effects are made, so that they follow one another; never taken under `_changed`."""
        self._stopping = threading.Event()
        self._timer = threading.Thread(target=self._keep_time, name="cloud-timer", daemon=True)
        for gateway in self.config.nat_gateways:
            self.add_nat_gateway(gateway)
        for order in self.config.instances:
            self.create_instance(order)

    # Life.

    def start(self) -> Self:
        """Start the timer thread; without it only `run_due` ends transitions."""
        self._timer.start()
        return self

    def close(self) -> None:
        """End the timer thread; idempotent."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._timer.is_alive():
            self._timer.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Calls of the API.

    def act(self, action: Action, call: Call) -> JsonObject:
        """Run an action on the state; for `calls`, which admits and counts."""
        with self._changed:
            if not action.writes:
                fault = call.take_fault(FaultKind.STALE_READ)
                world = self._timeline.at(call.now - fault.seconds, self._world) if fault else self._world
                return action.handler(world, call)
            self._timeline.before_change(self._world, call.now, self.faults.longest_stale_read())
            response = action.handler(self._world, call)
            self._changed.notify_all()
            return response

    def alias_task(self, request_id: str, earlier_request_id: str) -> None:
        """Let a task be found by the RequestId of a repeated request too; for `calls`."""
        with self._changed:
            tasks = self._world.task_of_request
            if earlier_request_id in tasks:
                tasks[request_id] = tasks[earlier_request_id]

    # Time.

    def _keep_time(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                due = self._world.schedule.next_due()
                left = None if due is None else due - self.clock.now()
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
            self.run_due()

    def run_due(self) -> None:
        """End every transition that is due by the clock, in the order in which they became due."""
        with self._data_plane:
            while not self._stopping.is_set():
                with self._changed:
                    transition = self._world.schedule.pop_due(self.clock.now())
                    if transition is None:
                        return
                    effects = [] if transition.task.doomed else list(transition.change.effects())
                self._end(transition, ok=self._carry_out(transition, effects))

    def _carry_out(self, transition: Transition, effects: Sequence[Effect]) -> bool:
        try:
            for effect in effects:
                effect(self._fabric)
        except Exception:  # whatever the data plane raises, the task fails and time goes on
            log.exception("the data plane failed to carry out %s", transition.task)
            return False
        return not transition.task.doomed

    def _end(self, transition: Transition, *, ok: bool) -> None:
        with self._changed:
            self._timeline.before_change(self._world, self.clock.now(), self.faults.longest_stale_read())
            if ok:
                transition.change.done()
            else:
                transition.change.failed()
            transition.task.status = TaskStatus.SUCCESS if ok else TaskStatus.FAILED
            self._changed.notify_all()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until no transition is pending; for real clocks. Give whether that came about in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(t.status is not TaskStatus.RUNNING for t in self._world.tasks.values()), timeout
            )

    def wall(self) -> float:
        """Give the time by which signatures and temporary keys are checked."""
        return self._wall() + self._clock_error

    # What the region's operator does.

    def read(self, question: Callable[[World], T]) -> T:
        """Ask the World something under the lock; the answer must hold nothing that changes."""
        with self._changed:
            return question(self._world)

    def create_instance(self, order: InstanceOrder | None = None) -> CvmInstance:
        """Boot a CVM with its primary ENI; it runs when this returns. Raises FleetError or FabricError."""
        with self._data_plane:
            with self._changed:
                instance, effects = fleet.boot(self._world, order or InstanceOrder(), self.clock.now())
            self._make(effects, undo=lambda: fleet.terminate(self._world, instance.instance_id))
        return instance

    def terminate_instance(self, instance_id: str) -> None:
        """End a CVM; its secondary ENIs stay, detached. Raises FleetError or FabricError."""
        with self._data_plane:
            with self._changed:
                effects = fleet.terminate(self._world, instance_id)
            self._make(effects)

    def set_instance_state(self, instance_id: str, state: str) -> None:
        """Show a CVM in another InstanceState, such as STOPPED or SHUTDOWN; its packets are not touched."""
        with self._changed:
            self._world.instances[instance_id].state = state

    def resize_instance(self, instance_id: str, instance_type: str) -> None:
        """Make a CVM one of another type, which may have other limits; raises KeyError for one unknown."""
        with self._changed:
            self._world.instances[instance_id].instance_type = self._world.types[instance_type].name

    def set_security_groups(self, eni_id: str, groups: Sequence[str]) -> None:
        """Give any ENI, primary ones too, these security groups at once. Raises KeyError or FabricError."""
        with self._data_plane:
            with self._changed:
                eni = self._world.enis[eni_id]
                eni.security_groups = list(groups)
                effect = security_groups.ingress_effect(self._world, eni)
            self._make([effect])

    def add_nat_gateway(self, config: NatGatewayConfig | None = None) -> NatGateway:
        """Make a NAT gateway; CreateRoutes lets a subnet use it. Raises FleetError or FabricError."""
        with self._data_plane:
            with self._changed:
                gateway, effects = fleet.add_nat_gateway(
                    self._world, config or NatGatewayConfig(), self.clock.now()
                )
            self._make(effects)
        return gateway

    def _make(self, effects: Sequence[Effect], undo: Callable[[], object] | None = None) -> None:
        """Carry out effects of an operator's change; the state is taken back by `undo` when they fail."""
        try:
            for effect in effects:
                effect(self._fabric)
        except BaseException:
            if undo is not None:
                with self._changed:
                    undo()
            raise

    def set_eip_condition(self, address_id: str, *, arrears: bool = False, blocked: bool = False) -> None:
        """Isolate an EIP for arrears, block it for an attack, or neither."""
        with self._changed:
            self._world.addresses[address_id].is_arrears = arrears
            self._world.addresses[address_id].is_blocked = blocked

    def set_cascade_release(self, address_id: str) -> None:
        """Let an EIP be released by the cloud itself as soon as it is unbound."""
        with self._changed:
            self._world.addresses[address_id].cascade_release = True

    def set_assistant_cidrs(self, cidrs: Sequence[str]) -> None:
        """Let the VPC have these ranges besides its main one; for the API only, no packet knows of it."""
        with self._changed:
            self._world.assistant_cidrs = tuple(cidrs)

    def set_balance_ok(self, ok: bool) -> None:  # noqa: FBT001 - the name says what it means
        """Let the account have money for new EIPs, or not."""
        with self._changed:
            self._world.balance_ok = ok

    def set_reservation_rules(self, *, offered: bool = True, assignable: bool = True) -> None:
        """Let the region reserve private addresses or not, and give a reserved one to who names it or not."""
        with self._changed:
            self._world.reserves_ips = offered
            self._world.assigns_reserved_ips = assignable

    def set_attachment_of_eips(self, which: str) -> None:
        """Let instances take ENIs with EIPs within their limit (LIMITED), always (ALL), or never (NONE)."""
        with self._changed:
            self._world.attaches_eips = which

    def set_reservation_tags(self, reservation_id: str, tags: dict[str, str]) -> None:
        """Give a reservation these tags and no others, as a person does in the console."""
        with self._changed:
            self._world.reservations[reservation_id].tags = dict(tags)

    def set_clock_error(self, seconds: float) -> None:
        """Let the clocks of all clients be wrong by so much: the region's own moves away from them."""
        self._clock_error = -seconds

    def snapshot(self) -> dict[str, Any]:
        """Give the whole state as plain JSON, for leak checks and bug reports."""
        with self._changed:
            world = self._world
            state: dict[str, Any] = {
                kind: {key: dataclasses.asdict(thing) for key, thing in getattr(world, kind).items()}
                for kind in (
                    *("addresses", "enis", "instances", "nat_gateways", "reservations"),
                    *("route_tables", "subnets"),
                )
            }
            state["pending_transitions"] = len(world.schedule)
        state["faults_injected"] = self.faults.injected()
        state["calls"] = self.audit.calls()
        return state
