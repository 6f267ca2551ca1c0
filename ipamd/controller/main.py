"""The controller's process: builds the parts, stands for election, works while it leads, ends in order.

The watch caches run in every replica, so that the next leader begins with what it needs. Losing the Lease
ends the process: it starts anew as a candidate, with nothing left over from before.
"""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from ipamd import monitoring
from ipamd.cloud import credentials, endpoints
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.session import SessionPolicy
from ipamd.cloud.tencent import TencentCloud
from ipamd.cloud.throttling import Limiter
from ipamd.controller.events import COMPONENT
from ipamd.controller.health import ControllerHealth
from ipamd.controller.leader import Leader
from ipamd.controller.options import ControllerSettings
from ipamd.controller.region import asked_region
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.kube.gate import RequestGate
from ipamd.kube.leases import Election
from ipamd.runtime.last_answers import LastAnswers

if TYPE_CHECKING:
    from ipamd.metrics.registry import Metrics

log = logging.getLogger(__name__)

CLOUD_SHARE = 0.5
"""Part of the account's API rates: the agents of all nodes together have the rest."""
ORDER_SHARE = 0.8
"""Part of the rates at which an account orders and releases EIPs: nobody else of a cluster does."""
_ORDERS = ("AllocateAddresses", "ReleaseAddresses")
_BESIDE_WORKERS = 8
"""Threads that ask cloud and API server beside the workers: sweep, checks, watches, Events."""
_SYNC_NEWS = 10.0
"""Seconds between two log lines about a cluster that cannot be read yet."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the process shows of itself by HTTP."""

    health: ControllerHealth
    metrics: "Metrics | None"
    board: monitoring.StatusBoard | None

    def watch(self, leader: Leader, answers: LastAnswers, identity: str) -> None:
        """Show this replica from now on."""
        self.health.watch(leader)
        if self.board is not None:
            self.board.show(lambda: _page(leader, identity))
        if self.metrics is not None:
            self.metrics.show(leader.metrics)
            self.metrics.show(answers.metrics)


def run(settings: ControllerSettings, environment: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT (0) or the loss of the Lease (1).

    Raises: InvalidInputError for what is configured wrongly.
    """
    ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        del frame
        log.info("ending on signal %d", number)
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    health = ControllerHealth()
    with contextlib.ExitStack() as stack:
        metrics = monitoring.begin(settings, COMPONENT, alive=health.alive, ready=health.ready, stack=stack)
        board = monitoring.status_board(settings, COMPONENT, ready=health.ready, stack=stack)
        if settings.admission_webhook is not None:
            from ipamd.controller.admission.build import build  # noqa: PLC0415 - cryptography, where it is wanted

            webhook = build(settings, settings.admission_webhook, environment)
            stack.callback(webhook.stop)
            webhook.start()
            health.require(webhook.ready)
            if metrics is not None:
                metrics.show(webhook.metrics)
        return _run(settings, environment, ending, Shown(health, metrics, board))


def _run(
    settings: ControllerSettings, environment: Mapping[str, str], ending: threading.Event, shown: "Shown"
) -> int:
    connection = config.load(settings.kubeconfig, environment, master=settings.master)
    gate = RequestGate(rate=settings.kube_qps, burst=settings.kube_burst)
    client = KubeClient(connection, component=COMPONENT, gate=gate, connections=connections(settings.workers))
    # Renewals must not queue behind the controller's own requests.
    lease_client = KubeClient(connection, component=COMPONENT)
    election = Election(
        lease_client,
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        identity=settings.identity,
        timing=settings.lease_timing,
    )
    metadata = Metadata(settings.metadata_url)
    region = settings.region or asked_region(metadata.region, ending.wait)
    if not region:
        return 0
    with _cloud(settings, region, metadata, environment, shown.metrics) as cloud:
        leader = Leader(settings, client=client, cloud=cloud, election=election)
        answers = LastAnswers({"cloud": cloud.answered_at, "api_server": client.answered_at})
        shown.watch(leader, answers, settings.identity)
        try:
            return _serve(leader, ending)
        finally:
            leader.stop()
            client.close()
            lease_client.close()


def _serve(leader: Leader, ending: threading.Event) -> int:
    leader.start_watching()
    while not ending.is_set() and not leader.cluster.wait_synced(_SYNC_NEWS):
        log.warning("the cluster cannot be read yet; see the messages before this one")
    if not ending.is_set():
        leader.stand_for_election()
    while not ending.wait(0.2):
        if leader.lost.is_set():
            log.error("ending, because the Lease is lost")
            return 1
    return 0


def _page(leader: Leader, identity: str) -> monitoring.Content:
    from ipamd.controller import status_page  # noqa: PLC0415 - only who looks at the page pays for it

    return status_page.content(leader, identity)


def connections(workers: int) -> int:
    """Return how many connections a server gets: no worker waits for one that somebody else has."""
    return workers + _BESIDE_WORKERS


def limiter(clock: Callable[[], float]) -> Limiter:
    """Return how fast a controller may call, by a monotonic clock."""
    return Limiter(clock=clock, share=CLOUD_SHARE, shares=dict.fromkeys(_ORDERS, ORDER_SHARE))


def _cloud(
    settings: ControllerSettings,
    region: str,
    metadata: Metadata,
    environment: Mapping[str, str],
    metrics: "Metrics | None",
) -> TencentCloud:
    return TencentCloud(
        region=region,
        credentials=credentials.from_environment(environment)
        or credentials.RoleCredentials(metadata.credential),
        endpoints=endpoints.parse(settings.cloud_endpoint),
        limiter=limiter(time.monotonic),
        conduct=SessionPolicy(
            observe=metrics.cloud.observe if metrics else None,
            connections=connections(settings.workers),
        ),
    )
