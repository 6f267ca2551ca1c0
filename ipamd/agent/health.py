"""What the kubelet's probes of the agent ask: is it alive, does it serve the plugin.

Neither asks the cloud or the API server, so that an outage of those restarts no agent and takes none out of
service. Alive means that the ledger's lock can be had: every verb needs it, and it is held for milliseconds.
An agent that is starting, also one that waits for the metadata service, is alive. Ready means that a call
over the socket is answered, just as the plugin makes it.
Thread safety: any thread may call any method.
"""

from pathlib import Path
from typing import Final

from ipamd.agent.shared_ledger import SharedLedger
from ipamd.agent.start import AgentStart
from ipamd.grpc_server import probe

_METHOD: Final = "/tke.eni.v1.Introspection/GetStatus"
_PATIENCE: Final = 4.0
"""Seconds for one answer, below the time-out of the probes (deploy/daemonset.yaml)."""


class AgentHealth:
    """Answers for one agent; each method returns what is wrong, empty for nothing."""

    def __init__(self, socket: Path, *, patience: float = _PATIENCE) -> None:
        """Take the socket on which the plugin is served, and the seconds that an answer may take."""
        self._socket = socket
        self._patience = patience
        self._shared_ledger: SharedLedger | None = None
        self._start: AgentStart | None = None

    def starting(self, start: AgentStart) -> None:
        """Say of this start how far it is, while it is not over."""
        self._start = start

    def watch(self, shared_ledger: SharedLedger) -> None:
        """Look at this ledger from now on."""
        self._shared_ledger = shared_ledger

    def alive(self) -> str:
        """Answer the liveness probe."""
        if self._shared_ledger is None or self._shared_ledger.is_free(self._patience):
            return ""
        return f"the ledger's lock could not be had within {self._patience:g} s"

    def ready(self) -> str:
        """Answer the readiness probe."""
        starting = self._start.sentence() if self._start is not None else ""
        if starting:
            return starting
        problem = probe.problem(self._socket, _METHOD, self._patience)
        return f"{self._socket} does not answer: {problem}" if problem else ""
