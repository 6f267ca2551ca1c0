"""The agent's process: who is this node, what was before, then serve until a signal comes, and end in order.

The store comes first: after a restart it knows the node and whose addresses are whose, so nobody outside is
waited for. What follows, and when the socket is opened, is decided by `ipamd.agent.agent`. Until the socket
is there the plugin answers for the agent: ADD "try again later", DEL queued, STATUS as it was last. SIGTERM
ends the process within the grace of a Pod; what is cut off then is resumed by the next start.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping

import ipamd
from ipamd import boot, monitoring
from ipamd.agent import facts as node_facts
from ipamd.agent import live_facts, memory, trusted_directories
from ipamd.agent.agent import COMPONENT, Agent
from ipamd.agent.health import AgentHealth
from ipamd.agent.options import AgentSettings
from ipamd.agent.start import AgentStart
from ipamd.cloud.metadata import Metadata
from ipamd.core.kernel import kernel_release
from ipamd.core.start_progress import StartStep
from ipamd.kube import config
from ipamd.kube.client import KubeClient
from ipamd.runtime.last_answers import LastAnswers
from ipamd.store import recovery

log = logging.getLogger(__name__)

_CONNECTIONS = 24
"""Kept to the API server: for eight workers that bind EIPs, five watches, Events, and ADDs that look live."""


def run(settings: AgentSettings, environment: Mapping[str, str]) -> int:
    """Run the agent until SIGTERM or SIGINT; return the exit code.

    Raises: InvalidInputError for what an operator has to mend before a start makes sense.
    """
    kernel_release.check(os.uname().release)
    memory.economize()
    stopping = _stopped_by_signals()
    log.info("ipamd agent %s for node %s", ipamd.__version__, settings.node_name)
    for flag, directory in (
        ("--socket", settings.socket.parent),
        ("--state-dir", settings.state_dir),
        ("--pending-deletes", settings.pending_deletes),
    ):
        trusted_directories.ensure(directory, flag)
    metadata = Metadata(settings.metadata_url)
    connection = config.load(settings.kubeconfig, environment, master=settings.master)
    boot_id = boot.boot_id()
    path = settings.state_dir / "ipamd.db"
    health = AgentHealth(settings.socket)
    with contextlib.ExitStack() as stack:
        metrics = monitoring.begin(settings, COMPONENT, alive=health.alive, ready=health.ready, stack=stack)
        board = monitoring.status_board(settings, COMPONENT, ready=health.ready, stack=stack)
        cloud_of = node_facts.cloud_client(
            settings.cloud_endpoint,
            metadata,
            environment,
            metrics.cloud.observe if metrics else None,
        )
        start = AgentStart(settings.socket)
        stack.callback(start.over)
        health.starting(start)
        start.begin(StartStep.STORE)
        opened = recovery.open_store(path, boot_id)
        stack.callback(opened.database.close)
        start.begin(StartStep.IDENTITY)
        asking = node_facts.MetadataRetry(
            metadata=metadata,
            cloud_of=cloud_of,
            monotonic=time.monotonic,
            stopping=stopping,
            same_boot=opened.past is recovery.Past.SAME_BOOT,
            waits_for=start.waits_for,
        )
        gathered = node_facts.gather(asking, opened.database)
        if gathered is None:
            return 0
        facts, cloud = gathered
        stack.callback(cloud.close)
        if node_facts.is_of_another(opened.database, facts.instance.instance_id):
            why = f"the store {path} was written on another CVM than {facts.instance.instance_id}"
            opened = recovery.start_over(opened, path, boot_id, why)
            stack.callback(opened.database.close)
        node_facts.remember(facts, opened.database)
        client = KubeClient(connection, component=COMPONENT, connections=_CONNECTIONS)
        stack.callback(client.close)
        live = live_facts.build(settings, facts, metadata=metadata, cloud=cloud, database=opened.database)
        observe = metrics.cni_requests().observe if metrics else None
        agent = Agent(
            settings,
            live,
            opened,
            cloud=cloud,
            client=client,
            metadata=metadata,
            observe=observe,
        )
        health.watch(agent.ledger)
        if metrics:
            answers = {
                "cloud": cloud.answered_at,
                "api_server": client.answered_at,
                "metadata": metadata.answered_at,
            }
            metrics.show(LastAnswers(answers).metrics)
            metrics.show(agent.metrics)
        if board:
            board.show(agent.page)
        stack.callback(agent.stop)
        agent.start(stopping, start.begin)
        start.over()
        stopping.wait()
        log.info("stopping")
    log.info("stopped")
    return 0


def _stopped_by_signals() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
