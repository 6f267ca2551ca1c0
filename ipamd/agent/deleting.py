"""DEL: the end of a sandbox, whatever state everything else is in.

Succeeds for a sandbox that is unknown, was deleted before, or whose namespace is gone; fails only when the
kernel or the disk refuses, because the runtime then has to come again. Neither the API server nor the cloud
is asked. An ADD of the same sandbox that still waits sees its address gone, and ends by itself.
Thread safety: any number of DELs run at once.
"""

import logging
from dataclasses import dataclass

from ipamd.agent import failures
from ipamd.agent.address_book import AddressBook
from ipamd.agent.releasing import Releasing
from ipamd.agent.turns import Turns
from ipamd.core import model
from ipamd.core.addresses import Address, Assigned, Held
from ipamd.core.cni import DelRequest
from ipamd.core.deadline import Deadline
from ipamd.core.errors import IpamError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleting:
    """Serves DEL."""

    book: AddressBook
    releasing: Releasing
    turns: Turns

    def delete(self, request: DelRequest, deadline: Deadline) -> None:
        """End the sandbox; CniError when that could not be done now."""
        found = self._of(request.key)
        if found is None or found.pod is None:
            log.info("DEL of sandbox %.13s: nothing of it is here", request.key.container_id)
            return
        try:
            self.end(request.key, found.pod, deadline)
        except IpamError as e:
            error = failures.of_verb("DEL", found.pod, e, request.conf.version)
            log.warning("%s", error)
            raise error from e

    def end(self, key: model.SandboxKey, pod: model.PodRef, deadline: Deadline) -> None:
        """End a sandbox in its Pod's turn; nothing if it has ended meanwhile. Errors: IpamError."""
        with self.turns.taken(str(pod), deadline):
            address = self._of(key)
            if address is not None:
                with failures.step("unwiring the Pod"):
                    self.releasing.end(address, link_may_linger=True)

    def _of(self, key: model.SandboxKey) -> Address | None:
        """Return the address that the sandbox has, or that is held because it had it."""
        return next(
            (a for a in self.book.ledger.in_state(Assigned, Held) if _key_of(a) == key),
            None,
        )


def _key_of(address: Address) -> model.SandboxKey | None:
    return address.state.key if isinstance(address.state, Assigned | Held) else None
