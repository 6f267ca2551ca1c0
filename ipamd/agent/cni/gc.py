"""GC: frees what the runtime does not list, and nothing else.

What an ADD has just taken is spared: the runtime cannot list a sandbox before its ADD has returned.
Thread safety: any number of calls at once.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from ipamd import logs
from ipamd.agent.cni.delete import Delete
from ipamd.agent.pods import errors
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.cni.requests import GcRequest
from ipamd.core.errors import IpamError
from ipamd.core.ledger.states import Assigned
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollection:
    """Serves GC."""

    shared_ledger: SharedLedger
    deleting: Delete
    are_under_way: Callable[[model.SandboxKey], bool]
    """Whether ADDs of the sandbox have not returned yet."""

    def collect(self, request: GcRequest, deadline: Deadline) -> None:
        """End each sandbox of the network that is not listed; go on past failures and raise the first."""
        began = self.shared_ledger.now()
        failed: list[IpamError] = []
        for address in self.shared_ledger.current.in_state(Assigned):
            state = address.state
            if not isinstance(state, Assigned) or state.network != request.conf.name:
                continue
            if state.key in request.valid or state.since >= began or self.are_under_way(state.key):
                continue
            pod, sandbox = state.pod, state.key.container_id
            with logs.about(namespace=pod.namespace, pod=pod.name, container_id=sandbox):
                log.info("GC: sandbox %.13s of Pod %s is not listed", sandbox, pod)
                try:
                    self.deleting.end(state.key, deadline)
                except IpamError as e:
                    failed.append(errors.of_verb("GC", pod, e, request.conf.version))
        if failed:
            raise failed[0]
