"""What both daemons show of themselves by HTTP: the pages of the probes, and metrics.

The endpoints are there from the start of the process, so that a daemon that waits for the cloud is not taken
for a dead one.
"""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ipamd import metrics
from ipamd.endpoint import Endpoint, probe
from ipamd.runtime import task
from ipamd.runtime.metric import gauge

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
    Raises: InvalidInputError.
    """
    if settings.health_address is not None:
        pages = {"/livez": probe(lambda: alive() or task.problem()), "/readyz": probe(ready)}
        _serve(Endpoint(HEALTH, settings.health_address, pages), stack)
    if settings.metrics_address is None:
        return None
    counted = metrics.begin(component)
    stack.callback(counted.close)
    counted.show(lambda: [gauge("tke_eni_ready", "1 while the probe /readyz succeeds.", int(not ready()))])
    _serve(Endpoint(METRICS, settings.metrics_address, {"/metrics": counted.page()}), stack)
    return counted


def _serve(endpoint: Endpoint, stack: contextlib.ExitStack) -> None:
    endpoint.start()
    stack.callback(endpoint.stop)
