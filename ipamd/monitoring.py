"""What both daemons show of themselves by HTTP: the pages of the probes, and metrics.

The endpoints are there from the start of the process, so that a daemon that waits for the cloud is not taken
for a dead one.
"""

import argparse
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ipamd import flags, metrics
from ipamd.endpoint import Endpoint, probe
from ipamd.runtime import task

if TYPE_CHECKING:
    from ipamd.metrics.registry import Metrics

Address = tuple[str, int]
HEALTH, METRICS = "--health-address", "--metrics-address"


class Addresses(Protocol):
    """The settings that are needed here; None: not served."""

    @property
    def health_address(self) -> Address | None:
        """Of the probes."""

    @property
    def metrics_address(self) -> Address | None:
        """Of the metrics."""


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the two flags to a group of a daemon's."""
    group.add_argument(
        HEALTH, default="", metavar="ADDRESS:PORT", help="serve /livez and /readyz there by HTTP"
    )
    group.add_argument(
        METRICS, default="", metavar="ADDRESS:PORT", help="serve /metrics there for Prometheus (default: not)"
    )


def health_address(arguments: argparse.Namespace) -> Address | None:
    """Return what --health-address says; InvalidInputError."""
    return flags.address(HEALTH, arguments.health_address)


def metrics_address(arguments: argparse.Namespace) -> Address | None:
    """Return what --metrics-address says; InvalidInputError."""
    return flags.address(METRICS, arguments.metrics_address)


def begin(
    settings: Addresses,
    component: str,
    *,
    alive: Callable[[], str],
    ready: Callable[[], str],
    stack: contextlib.ExitStack,
) -> "Metrics | None":
    """Serve what is wanted until `stack` ends; return the metrics to fill, None when nobody wants any.

    `alive` and `ready` return what is wrong. Alive is only who has no thread that fails for good as well.
    Errors: InvalidInputError.
    """
    if settings.health_address is not None:
        pages = {"/livez": probe(lambda: alive() or task.problem()), "/readyz": probe(ready)}
        _serve(Endpoint(HEALTH, settings.health_address, pages), stack)
    if settings.metrics_address is None:
        return None
    counted = metrics.begin(component)
    stack.callback(counted.close)
    _serve(Endpoint(METRICS, settings.metrics_address, {"/metrics": counted.page()}), stack)
    return counted


def _serve(endpoint: Endpoint, stack: contextlib.ExitStack) -> None:
    endpoint.start()
    stack.callback(endpoint.stop)
