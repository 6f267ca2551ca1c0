"""What both daemons show of themselves by HTTP: the pages of the probes, metrics, and the status page.

The endpoints are there from the start of the process, so that a daemon that waits for the cloud is not taken
for a dead one.
"""

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ipamd import metrics
from ipamd.endpoint import Answer, Endpoint, probe
from ipamd.recent_log import RecentLog
from ipamd.runtime import task
from ipamd.runtime.metric import gauge

if TYPE_CHECKING:
    from ipamd.metrics.registry import Metrics
    from ipamd.page.markup import Element

Content = tuple[str, list["Element"]]
"""What a daemon shows: a line about itself, and the parts of its page."""

Address = tuple[str, int]
HEALTH, METRICS, STATUS = "--health-address", "--metrics-address", "--status-address"


class Addresses(Protocol):
    """The settings that are needed here; None: not served."""

    @property
    def health_address(self) -> Address | None:
        """Of the probes."""

    @property
    def metrics_address(self) -> Address | None:
        """Of the metrics."""

    @property
    def status_address(self) -> Address | None:
        """Of the status page."""


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


class StatusBoard:
    """What the status page shows: what is waited for, until the daemon has more to show.

    Thread safety: any thread may call any method.
    """

    def __init__(self, component: str, ready: Callable[[], str], recent: RecentLog) -> None:
        """Take what returns why the daemon is not ready, and the log."""
        self._component = component
        self._ready = ready
        self._recent = recent
        self._content: Callable[[], Content] | None = None

    def show(self, content: Callable[[], "Content"]) -> None:
        """Show this from now on; it is called for each request."""
        self._content = content

    def page(self) -> Answer:
        """Make the page."""
        from ipamd.page import layout  # noqa: PLC0415 - only who looks at the page pays for it

        waits, content = self._ready(), self._content
        subtitle, sections = content() if content else ("starting", [])
        notes = [layout.note("warning", f"not ready: {waits}")] if waits else []
        recent = layout.section("The last that happened", layout.log(self._recent.lines()))
        return layout.page(self._component, subtitle, [*notes, *sections, recent])


def status_board(
    settings: Addresses, component: str, *, ready: Callable[[], str], stack: contextlib.ExitStack
) -> StatusBoard | None:
    """Serve the status page until `stack` ends; None when nobody wants it. Raises: InvalidInputError."""
    if settings.status_address is None:
        return None
    recent = RecentLog()
    recent.start()
    stack.callback(recent.stop)
    board = StatusBoard(component, ready, recent)
    _serve(Endpoint(STATUS, settings.status_address, {"/": board.page}, browsed=True), stack)
    return board


def _serve(endpoint: Endpoint, stack: contextlib.ExitStack) -> None:
    endpoint.start()
    stack.callback(endpoint.stop)
