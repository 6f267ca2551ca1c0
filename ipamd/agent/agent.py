"""One node's agent: the services that it runs, in the order of their start and stop.

    after a restart   watches -> reboot or lost store -> node's network, ENIs -> queued DELs, socket -> repair
                      -> first look at the cloud -> pool, EIPs, resources, facts
    else              watches -> reboot or lost store -> node's network, ENIs, cloud
                      -> pool, EIPs, resources, facts -> repair -> queued DELs, socket

Requests are served as soon as the ledger can be believed. It ends in the opposite order of the second line.
No part starts a thread before it is started. Thread safety: `start` and `stop` are for one thread.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from ipamd.agent import answers as answers_of_node
from ipamd.agent import parts as parts_of_node
from ipamd.agent.cni import build as cni_room
from ipamd.agent.cni.service import Observe
from ipamd.agent.exclusive import build as exclusive_room
from ipamd.agent.live_facts import LiveFacts
from ipamd.agent.node import build as node_room
from ipamd.agent.options import AgentSettings
from ipamd.agent.pool import build as pool_room
from ipamd.cloud.metadata import Metadata
from ipamd.cloud.tencent import TencentCloud
from ipamd.core.start_progress import StartStep
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.client import KubeClient
from ipamd.kube.events import EventRecorder
from ipamd.monitoring import Content
from ipamd.runtime.metric import Metric
from ipamd.runtime.service import Service, Services
from ipamd.store import recovery

COMPONENT: Final = "tke-eni-agent"
_SYNC_SECONDS: Final = 10.0
"""How long the watches are waited for before the first request; what they do not know is asked live."""
_RESTART_SYNC_SECONDS: Final = 2.0
"""The same where Pods run, whose DELs must not wait."""
_GRACE: Final = 5.0
_ALL_GRACE: Final = 120.0
"""More than all services may take together; most of them take nothing of it."""


class Agent:
    """The agent of one node; `start` is called once, `stop` also when that failed."""

    def __init__(  # noqa: PLR0913 - the outside world has so many parts
        self,
        settings: AgentSettings,
        facts: LiveFacts,
        opened: recovery.Opened,
        *,
        cloud: TencentCloud,
        client: KubeClient,
        metadata: Metadata | None = None,
        observe: Observe | None = None,
    ) -> None:
        """Take who the node is, what was before, and the outside world; `observe` hears of CNI requests."""
        events = EventRecorder(client, COMPONENT, settings.node_name)
        self._parts = parts = parts_of_node.build(
            settings, facts, opened, events=events, cloud=cloud, client=client, metadata=metadata
        )
        self._answers = answers = answers_of_node.build(parts, observe)
        self.ledger, self.dataplane = parts.shared_ledger, parts.dataplane
        self.sandboxes, self.server = parts.sandboxes, answers.server
        self._watching = (
            Service(name="Events", start=events.start, stop=events.stop),
            Service(name="ledger", metrics=parts.shared_ledger.metrics),
            Service(name="repair log", metrics=parts.repair_log.metrics),
            Service(name="ENIs", metrics=parts.enis.metrics),
            Service(name="STATUS", metrics=answers.readiness.metrics),
            Service(name="components", metrics=answers.components.metrics),
            pool_room.subnets(parts.pool),
            parts.pods.watch,
            parts.eips.watch,
            parts.fixed.watch,
            node_room.watch(parts.ranges),
            node_room.watch_node(parts.resources),
        )
        # Not before the first look: what the cloud has must not be asked for again.
        self._working = (
            *pool_room.run(parts.pool),
            exclusive_room.run(parts.exclusive_pool, parts.exclusive),
            *parts.eips.bind,
            parts.fixed.attach,
            node_room.offer(parts.resources),
            Service(name="facts", start=facts.start, stop=facts.stop, grace=_GRACE),
        )
        self._repairing = (parts.repair.service,)
        said = node_room.condition(
            settings,
            parts.resources,
            client=client,
            problems=answers.problems.entries,
            enis=parts.enis,
            events=events,
        )
        parts.repair_log.on_repair(said.repaired)
        self._serving = (
            *cni_room.serve(
                answers.server, parts.sandboxes, parts.conf.announce, metrics=answers.problems.metrics
            ),
            node_room.say(said),
        )
        self._services = Services(*self._watching, *self._working, *self._repairing, *self._serving)

    def start(self, stopping: threading.Event, begin: Callable[[StartStep], None] = lambda _: None) -> None:
        """Start everything in order; return when that is done, or soon after `stopping` is set.

        `begin` is told of each step until the socket is there.
        """
        begin(StartStep.WATCHES)
        Services(*self._watching).start()
        restart = self._parts.recovery.is_restart
        self._parts.recovery.begin(self._parts.settings.spans)
        self._wait_synced(_RESTART_SYNC_SECONDS if restart else _SYNC_SECONDS)
        begin(StartStep.NETWORK)
        self._parts.repair.rounds.round(outside=not restart)
        begin(StartStep.SOCKET)
        if restart:
            Services(*self._serving, *self._repairing).start()
            self._parts.recovery.wait_looked(stopping)
            Services(*self._working).start()
        else:
            Services(*self._working, *self._repairing, *self._serving).start()

    def stop(self) -> None:
        """End everything in order, also what was not started."""
        self._services.stop(_ALL_GRACE)

    def metrics(self) -> Iterator[Metric]:
        """Yield what all services show."""
        yield from self._services.metrics()

    def page(self) -> Content:
        """Return what the status page shows of the node now."""
        from ipamd.agent import status_page  # noqa: PLC0415 - only who looks at the page pays for it

        parts = self._parts
        return status_page.content(
            parts.settings.node_name,
            parts.facts.current,
            shared_ledger=parts.shared_ledger,
            enis=parts.enis,
            exclusive_limit=parts.exclusive_pool.limit,
            problems=self._answers.problems,
            inspection=self._answers.inspection,
            errors=parts.eips.reconciler.errors(),
        )

    def _wait_synced(self, seconds: float) -> None:
        deadline = Deadline.after(seconds, time.monotonic)
        self._parts.eips.claims.wait_synced(deadline.remaining())
        self._parts.pods.source.wait_synced(deadline.remaining())
        # What is configured for this node comes before its first ENI.
        self._parts.resources.wait_synced(deadline.remaining())
