"""Bringing store, cloud and kernel in step after a start.

same boot       the ledger is true and so is the kernel; the cloud is compared
earlier boot    the kernel has nothing any more: every owner's address is held for its Pod
no store        the ledger is made from the cloud's listing and from what the kernel shows: who is wired
stays wired, and keeps address and EIP
"""

import logging
import threading
from collections.abc import Callable

from ipamd.agent.enis import NodeEnis
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.ledger import restart
from ipamd.core.timing.deadline import Deadline
from ipamd.store.recovery import Past

log = logging.getLogger(__name__)

_STOPPING_SECONDS = 0.2
"""How soon a stop is noticed."""


class Recovery:
    """Knows what the store was worth at the start, and looks at the cloud accordingly.

    Thread safety: any thread may look; one at a time.
    """

    def __init__(
        self,
        past: Past,
        *,
        rebooting: Callable[[], None],
        settled: Callable[[], None],
        shared_ledger: SharedLedger,
        enis: NodeEnis,
    ) -> None:
        """Take what the store knows of the time before, and what is to be compared.

        `rebooting` is called before what an earlier boot has left is changed: that is written together with
        the boot's id or not at all. `settled` is called once the store is true again: it then speaks of this
        boot.
        """
        self._past = past
        self._rebooting = rebooting
        self._settled = settled
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._looking = threading.Lock()
        self._looked = threading.Event()

    def begin(self, spans: restart.Spans) -> None:
        """Take in a reboot, stored times, and the ENIs that are known already.

        Neither needs a disk that takes anything: while it does not, nobody is given an address.
        """
        rebooted = self._past is Past.EARLIER_BOOT
        if rebooted:
            log.info("the node was rebooted: the addresses are held for their Pods")
            self._rebooting()
            self._shared_ledger.note(
                lambda ledger: restart.rebooted(ledger, spans, self._shared_ledger.now())
            )
        else:
            self._shared_ledger.note(
                lambda ledger: restart.restarted(ledger, spans, self._shared_ledger.now())
            )
        if self._past is not Past.NONE:
            self._settle()
        self._enis.recall(wait=rebooted)

    @property
    def is_restart(self) -> bool:
        """Whether an earlier process has left all that it knew, and the kernel is as it was left."""
        return self._past is Past.SAME_BOOT

    def wait_looked(self, stopping: threading.Event) -> None:
        """Wait until the cloud has been looked at, or could not be, for the first time; or for the stop."""
        while not stopping.is_set() and not self._looked.wait(_STOPPING_SECONDS):
            pass

    @property
    def is_settled(self) -> bool:
        """Whether the ledger can be true: after a lost store not before the first look at the cloud."""
        return self._past is not Past.NONE

    def look(self, deadline: Deadline) -> CloudError | None:
        """Compare with the cloud; return why it did not answer, if so. Raises: KernelError, StoreError."""
        with self._looking:
            try:
                self._enis.look(deadline)
            except CloudError as e:
                log.warning("the ENIs cannot be listed, the pool stays as it is known: %s", e)
                return e
            finally:
                self._looked.set()
            if self._past is Past.NONE:
                self._settle()
            return None

    def _settle(self) -> None:
        self._settled()
        self._past = Past.SAME_BOOT
