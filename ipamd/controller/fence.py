"""When the controller may write: only while this process leads."""

from typing import Protocol

from ipamd.core.timing.deadline import Deadline


class Fence(Protocol):
    """What allows writes: `ipamd.kube.leases.Election`."""

    def deadline(self) -> Deadline:
        """Return until when a write that begins now may last.

        Raises: NotLeaderError when none may begin.
        """
