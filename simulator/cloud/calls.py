"""The way of one API call through the region, from the verified signature to the answer.

In this order: rate limit, CAM, parameters, injected refusals, ClientToken, injected delay, the action itself.
Every call is counted and every write is logged, refused or not. Thread-safe; holds no lock while it waits.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from simulator.cloud import parameters, situations
from simulator.cloud.accounts import Principal
from simulator.cloud.actions.action import Action, Call, JsonObject
from simulator.cloud.audit import Audit, AuditEntry
from simulator.cloud.clock import Clock
from simulator.cloud.config import RegionConfig
from simulator.cloud.faults import FaultKind, FaultPlan
from simulator.cloud.idempotence import ClientTokens
from simulator.cloud.rate_limits import RateLimiter, throttled
from simulator.cloud.situations import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request whose signature is good."""

    principal: Principal
    action: Action
    params: Mapping[str, Any]
    request_id: str
    pause: Callable[[float], object]
    """Waits so many seconds in the thread of the request, for injected delays."""
    source: str = ""
    """Address of the client."""


class Actor(Protocol):
    """Who carries actions out: the region."""

    def act(self, action: Action, call: Call) -> JsonObject:
        """Run the action's handler on the present state."""

    def alias_task(self, request_id: str, earlier_request_id: str) -> None:
        """Let the task of an earlier request be found by this RequestId too."""


class Calls:
    """Admits calls and lets an Actor carry them out."""

    def __init__(self, config: RegionConfig, clock: Clock, faults: FaultPlan, actor: Actor) -> None:
        """Take the region's settings, time and faults."""
        self.audit = Audit()
        self._config = config
        self._clock = clock
        self._faults = faults
        self._actor = actor
        self._limiter = RateLimiter(config.rate_limits)
        self._tokens = ClientTokens(config.client_token_seconds)

    def execute(self, request: ApiRequest) -> JsonObject:
        """Carry out one call; give the fields of its answer or raise ApiError."""
        entry = AuditEntry(
            moment=self._clock.now(),
            principal=request.principal.name,
            action=request.action.name,
            request_id=request.request_id,
            params=request.params,
            code="",
            source=request.source,
        )
        try:
            response, replayed = self._admitted(request)
        except ApiError as e:
            self.audit.record(dataclasses.replace(entry, code=e.code), write=request.action.writes)
            raise
        self.audit.record(dataclasses.replace(entry, replayed=replayed), write=request.action.writes)
        return response

    def _admitted(self, request: ApiRequest) -> tuple[JsonObject, bool]:
        action = request.action
        self._limiter.check(request.principal.name, action, self._clock.now())
        if self._faults.take(action.name, FaultKind.THROTTLE):
            raise throttled(action)
        self._authorize(request)
        checked = parameters.checked(request.params, action.parameters)
        if self._faults.take(action.name, FaultKind.BUSY):
            raise _busy(action, checked)
        if "ClientToken" in checked:
            return self._once(request, checked)
        return self._perform(request, checked), False

    def _authorize(self, request: ApiRequest) -> None:
        cam = request.action.cam
        operation = f"{cam.service}:{request.action.name}"
        if not request.principal.may(operation):
            resource = cam.resource_of(self._config.region, self._config.account.uin, request.params)
            raise situations.CAM_DENIED.error(
                request_id=request.request_id, operation=operation, resource=resource
            )

    def _once(self, request: ApiRequest, params: dict[str, Any]) -> tuple[JsonObject, bool]:
        principal, action = request.principal.name, request.action
        replay = self._tokens.begin(principal, action, params, self._clock.now())
        if replay is not None:
            # The caller polls the task by the RequestId that it got, so both must lead to it.
            self._actor.alias_task(request.request_id, replay.request_id)
            return replay.response, True
        key = (principal, action.name, params["ClientToken"])
        try:
            response = self._perform(request, params)
        except BaseException as e:
            self._tokens.fail(key, request.request_id, e if isinstance(e, ApiError) else None)
            raise
        self._tokens.succeed(key, request.request_id, response)
        return response, False

    def _perform(self, request: ApiRequest, params: dict[str, Any]) -> JsonObject:
        action = request.action
        if fault := self._faults.take(action.name, FaultKind.ERROR, list(params.values())):
            raise ApiError(fault.code, fault.message)
        if fault := self._faults.take(action.name, FaultKind.LATENCY):
            request.pause(fault.seconds)
        call = Call(
            action=action.name,
            params=params,
            now=self._clock.now(),
            request_id=request.request_id,
            take_fault=lambda kind: self._faults.take(action.name, kind),
        )
        return self._actor.act(action, call)


def _busy(action: Action, params: Mapping[str, Any]) -> ApiError:
    address_ids = params.get("AddressIds") or [params.get("AddressId", "")]
    eni_id = params.get("NetworkInterfaceId") or params.get("SourceNetworkInterfaceId", "")
    return action.busy.error(address_id=address_ids[0], eni_id=eni_id)
