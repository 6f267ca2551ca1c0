"""New and deleted Pods beside a large cluster: for how long each waits, and what was asked of the account."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from testbed.processes import ChildFailedError
from testbed.scale import aims, controller
from testbed.scale.agents import DepartingAgents
from testbed.scale.load import Place
from testbed.scale.surroundings import Surroundings

_DESCRIBE = "DescribeAddresses"
_LOOK_SECONDS = 0.02
_QUIET_SECONDS = 2.0
_MOST_SECONDS = 120.0
_IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What came of some Pods."""

    seconds: list[float]
    """For each of them, from the change of the Pod."""
    calls: Counter[str]
    """Asked of the account by the controller meanwhile."""
    kube_requests: int
    """Of the controller."""

    def describes_per_pod(self) -> float:
        """Return how often the controller looked at EIPs for each."""
        return self.calls[_DESCRIBE] / len(self.seconds)


def wait_swept(around: Surroundings) -> None:
    """Wait until a pass over all EIPs has ended: the next one is a minute away."""
    pages = around.size.eips // 100
    _wait(lambda: around.cloud_calls()[_DESCRIBE] >= pages, "the first pass over all EIPs")
    while True:
        before = around.cloud_calls()[_DESCRIBE]
        time.sleep(_QUIET_SECONDS)
        if around.cloud_calls()[_DESCRIBE] == before:
            return


def idle_rate(around: Surroundings) -> float:
    """Return the requests of the controller in a second while nothing happens."""
    before = around.kube_requests(controller.COMPONENT)
    time.sleep(_IDLE_SECONDS)
    return (around.kube_requests(controller.COMPONENT) - before) / _IDLE_SECONDS


def create(around: Surroundings, number: int = aims.NEW_PODS) -> Wave:
    """Create Pods with EIP at once, on as many nodes."""
    names = [f"new-{index}" for index in range(number)]

    def begin() -> None:
        for index, name in enumerate(names):
            around.create_pod(name, Place(index))

    return _wave(around, names, begin, lambda claim: bool(((claim or {}).get("status") or {}).get("address")))


def delete(around: Surroundings, number: int = aims.DELETED_PODS) -> Wave:
    """Delete Pods with bound EIPs at once, on as many nodes, whose agents unbind them."""
    names = [around.resident(index)[0] for index in range(number)]
    agents = DepartingAgents(around, names)
    agents.start()

    def begin() -> None:
        for name in names:
            around.remove_pod(name)

    try:
        wave = _wave(around, names, begin, lambda claim: claim is None)
    finally:
        agents.stop()
    return replace(wave, calls=wave.calls - agents.calls)


def _wave(
    around: Surroundings,
    names: list[str],
    begin: Callable[[], None],
    done: Callable[[dict[str, Any] | None], bool],
) -> Wave:
    calls, requests = around.cloud_calls(), around.kube_requests(controller.COMPONENT)
    began = time.monotonic()
    begin()
    taken: dict[str, float] = {}

    def look() -> bool:
        for name in names:
            if name not in taken and done(around.claim(name)):
                taken[name] = time.monotonic() - began
        return len(taken) == len(names)

    _wait(look, f"{len(names)} Pods ({names[0]} and on)")
    return Wave(
        seconds=list(taken.values()),
        calls=around.cloud_calls() - calls,
        kube_requests=around.kube_requests(controller.COMPONENT) - requests,
    )


def _wait(done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _MOST_SECONDS
    while not done():
        if time.monotonic() > end:
            raise ChildFailedError(f"{what}: not done within {_MOST_SECONDS:.0f} s; see build/scale/logs")
        time.sleep(_LOOK_SECONDS)
