"""DEL: the end of a sandbox, whatever state everything else is in.

Succeeds for a sandbox that is unknown, was deleted before, or whose namespace is gone; fails only when the
kernel or the disk refuses, because the runtime then has to come again. Neither the API server nor the cloud
is asked. ADDs of the same sandbox that are under way end; none of them gives it anything after the DEL.
Thread safety: any number of DELs run at once.
"""

import logging
from dataclasses import dataclass

from ipamd.agent.cni.pending_adds import PendingAdds
from ipamd.agent.pods import errors
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.release import SandboxRelease
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.cni.requests import DelRequest
from ipamd.core.errors import IpamError
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Serves DEL."""

    shared_ledger: SharedLedger
    releasing: SandboxRelease
    locks: PodLocks
    pending: PendingAdds

    def delete(self, request: DelRequest, deadline: Deadline) -> None:
        """End the sandbox; CniError when that could not be done now."""
        key = request.key
        # The mark first: an ADD that looks at it later gives the sandbox nothing, and what one that has
        # looked already may be giving it is found once it has let go of the sandbox's turn.
        waited_for = self.pending.mark_deleted(key)
        if waited_for:
            self.shared_ledger.wake()
        found = self.releasing.address_of(key)
        if found is None and not waited_for:
            log.info("DEL of sandbox %.13s: nothing of it is here", key.container_id)
            return
        subject = (found.pod if found is not None else request.pod) or f"sandbox {key.container_id:.13}"
        try:
            self.end(key, deadline)
        except IpamError as e:
            error = errors.of_verb("DEL", subject, e, request.conf.version)
            log.warning("%s", error)
            raise error from e

    def end(self, key: model.SandboxKey, deadline: Deadline) -> None:
        """End a sandbox in its turn; nothing if it has ended meanwhile. Raises: IpamError."""
        with self.locks.of_sandbox(key, deadline), errors.step("unwiring the Pod"):
            self.releasing.end(key, deadline, link_may_linger=True)
