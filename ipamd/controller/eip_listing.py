"""One look at the cluster's EIPs for all who need one: DescribeAddresses by tag, shared.

A claim's EIP is found by its tags, and every claim that is being provisioned or released wants to look, again
and again, while the account may ask 20 times a second for all its clusters and nodes. The EIPs of a cluster
fit in one or two pages. So whoever asks gets a listing of all of them that began after he asked, together
with everybody else who asked before it began.
Thread safety: any thread may call `look`.
"""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from ipamd.core import tags
from ipamd.core.deadline import Deadline
from ipamd.core.errors import CloudError, TryAgainError
from ipamd.core.model import Eip

SPACING = 0.2
"""Seconds between the begins of two listings."""
_PATIENCE = 20.0


class TaggedEips(Protocol):
    """What lists EIPs by tags: `TencentCloud`."""

    def describe_eips(self, *, tags: dict[str, str], deadline: Deadline | None = None) -> list[Eip]:
        """Return the EIPs that have all of these tags."""


class EipListing:
    """Invariant: `_answer` is that of listing number `_finished`; a listing is made only for somebody."""

    def __init__(
        self,
        cloud: TaggedEips,
        cluster_id: str,
        *,
        spacing: float = SPACING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take whose EIPs to list."""
        self._cloud = cloud
        self._tags = tags.of_cluster(cluster_id)
        self._spacing = spacing
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._started = 0
        self._finished = 0
        self._running = False
        self._last_start = float("-inf")
        self._answer: tuple[Eip, ...] | CloudError = ()

    def look(self) -> tuple[Eip, ...]:
        """Return all EIPs that were created for the cluster, as of now or later.

        Errors: CloudError; TryAgainError when the listing takes too long.
        """
        deadline = Deadline.after(_PATIENCE, self._monotonic)
        with self._changed:
            wanted = self._started + 1
            while self._finished < wanted:
                if not self._running:
                    self._run(deadline)
                elif not self._changed.wait(deadline.remaining()) and deadline.expired:
                    raise TryAgainError("the EIPs of the cluster could not be listed in time")
            answer = self._answer
        if isinstance(answer, CloudError):
            # A copy: a raised exception belongs to the thread that raises it.
            raise CloudError(
                answer.kind,
                answer.detail,
                action=answer.action,
                code=answer.code,
                request_id=answer.request_id,
                advice=answer.advice,
            ) from answer
        return answer

    def _run(self, deadline: Deadline) -> None:
        """Make one listing on behalf of all who wait; called and returns with the lock held."""
        self._running = True
        try:
            self._pause()
            self._started += 1
            self._last_start = self._monotonic()
            number = self._started
            self._changed.release()
            try:
                answer = self._list(deadline)
            finally:
                self._changed.acquire()
            self._answer, self._finished = answer, number
        finally:
            self._running = False
            self._changed.notify_all()

    def _pause(self) -> None:
        end = self._last_start + self._spacing
        while (left := end - self._monotonic()) > 0:
            self._changed.wait(left)

    def _list(self, deadline: Deadline) -> tuple[Eip, ...] | CloudError:
        try:
            return tuple(self._cloud.describe_eips(tags=self._tags, deadline=deadline))
        except CloudError as e:
            return e
