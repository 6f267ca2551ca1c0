"""What the kubelet's probes of the controller ask: is it alive, has it read the cluster.

Neither asks the cloud or the API server. Alive means that the work queue's lock can be had, which is held
for microseconds; a leader that cannot renew its Lease ends by itself. Ready means that the watches had their
first lists, and what else was `required`: a replica that waits for the Lease is ready to take it.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable

from ipamd.controller.leader import Leader

_PATIENCE = 4.0
"""Seconds for one answer, below the time-out of the probes (deploy/controller.yaml)."""


class ControllerHealth:
    """Answers for one replica; each method returns what is wrong, empty for nothing."""

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        """Take the seconds that an answer may take; know no replica yet: the process is starting."""
        self._patience = patience
        self._leader: Leader | None = None
        self._required: Callable[[], str] = lambda: ""

    def require(self, ready: Callable[[], str]) -> None:
        """Ask this as well for readiness; it returns what is wrong, empty for nothing."""
        self._required = ready

    def watch(self, leader: Leader) -> None:
        """Look at this replica from now on."""
        self._leader = leader

    def alive(self) -> str:
        """Answer the liveness probe."""
        if self._leader is None or self._leader.queue.is_free(self._patience):
            return ""
        return f"the work queue's lock could not be had within {self._patience:g} s"

    def ready(self) -> str:
        """Answer the readiness probe."""
        if self._leader is None:
            return "starting: the region is not known yet; see the log for what the metadata service said"
        return self._required() if self._leader.cluster.has_synced else "the cluster has not been read yet"
