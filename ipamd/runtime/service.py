"""A daemon is an ordered list of services: what is started, stopped and shown.

Each package of a daemon makes its own (`build`); the daemon knows their order only.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.metric import Metric, Source

log = logging.getLogger(__name__)


def _nothing_to_start() -> None:
    pass


def _nothing_to_stop(seconds: float) -> bool:
    del seconds
    return True


def _nothing_to_show() -> Iterable[Metric]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something that a daemon runs.

    `start` returns soon. `stop` may be called also when `start` was not; it waits for so many seconds and
    returns whether nothing of the service is at work any more. It gets no more than `grace` of them.
    """

    name: str
    start: Callable[[], None] = _nothing_to_start
    stop: Callable[[float], bool] = _nothing_to_stop
    grace: float = math.inf
    metrics: Source = _nothing_to_show


def ended(stop: Callable[[], None]) -> Callable[[float], bool]:
    """Return the `stop` of a service that has a limit of its own, and changes nothing after it."""

    def stopped(seconds: float) -> bool:
        del seconds
        stop()
        return True

    return stopped


class Services:
    """Invariant: they are started in their order and stopped in the opposite one, or all at once.

    Thread safety: `metrics` may be called from any thread; the rest is for one at a time.
    """

    def __init__(self, *services: Service) -> None:
        """Take them in the order of their start."""
        self._services = services

    def start(self) -> None:
        """Start them all; what a start raises goes to the caller, who stops them."""
        for service in self._services:
            service.start()

    def stop(self, seconds: float) -> bool:
        """Stop one after the other, within so many seconds together; return whether all have ended."""
        deadline = Deadline.after(seconds, time.monotonic)
        ended = [_stop(service, deadline.remaining()) for service in reversed(self._services)]
        return all(ended)

    def stop_together(self, seconds: float) -> bool:
        """Stop all at once: none begins work while another ends. Return whether all have ended."""
        with ThreadPoolExecutor(max(1, len(self._services)), thread_name_prefix="stopping") as stopping:
            return all([*stopping.map(lambda service: _stop(service, seconds), self._services)])

    def metrics(self) -> Iterator[Metric]:
        """Yield what they show, in their order."""
        for service in self._services:
            yield from service.metrics()


def _stop(service: Service, seconds: float) -> bool:
    """Stop one; a defect of one must not keep the others from being stopped."""
    seconds = min(seconds, service.grace)
    try:
        ended = service.stop(seconds)
    except Exception:
        log.exception("%s could not be stopped, by a defect", service.name)
        return False
    if not ended:
        log.warning("%s is still at work after %.0f s", service.name, seconds)
    return ended
