"""What an ADD may have to wait for: the API server's word on its Pod, an address, a fixed one, an EIP.

So many ADDs wait at once and no more, each on a thread of its own: other threads serve who need not wait.
Thread safety: any number of threads may wait.
"""

import contextlib
from collections.abc import Callable, Iterator

from ipamd.agent.cni.pending_adds import PendingAdd
from ipamd.agent.eips.wait import EipWait
from ipamd.agent.exclusive.pool import ExclusivePool
from ipamd.agent.fixed.wait import FixedWait
from ipamd.agent.pods import errors
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import ledger
from ipamd.core.ledger.acquisition import Attachment
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.concurrency_limit import ConcurrencyLimit
from ipamd.runtime.request_threads import waits


class AddWaits:
    """The waits of one node's ADDs."""

    def __init__(  # noqa: PLR0913 - there is so much to wait for
        self,
        shared_ledger: SharedLedger,
        *,
        pods: PodSource,
        pool: Pool,
        exclusive_pool: ExclusivePool,
        eips: EipWait,
        fixed: FixedWait,
        limit: ConcurrencyLimit,
    ) -> None:
        """Take what is waited for, and how many may wait."""
        self._shared_ledger = shared_ledger
        self._pods = pods
        self._pool = pool
        self._exclusive_pool = exclusive_pool
        self._eips = eips
        self._fixed = fixed
        self._limit = limit

    def wake(self) -> None:
        """Have all who wait look again: something besides the ledger has changed."""
        self._shared_ledger.wake()

    def for_pod(self, pod: model.PodRef, deadline: Deadline) -> PodView:
        """Return the Pod that a runtime names; ask the API server if the watch does not know it.

        Raises: as `PodSource.find`; TryAgainError when too many wait.
        """
        known = self._pods.matching(pod)
        if known is not None:
            return known
        with self._slot("the API server"):  # which may take its time
            return self._pods.find(pod, deadline)

    @property
    def gives_enis(self) -> bool:
        """Whether Pods of this node may have an ENI of their own."""
        return self._exclusive_pool.is_on

    def for_address(self, attempt: PendingAdd, deadline: Deadline, *, exclusive: bool = False) -> None:
        """Wait until an address or an ENI may be had; TryAgainError or the cloud's refusal if none comes."""
        pool: Pool | ExclusivePool = self._exclusive_pool if exclusive else self._pool
        what, target = ("ENI", "--eni-min-warm-target") if exclusive else ("address", "--ip-min-warm-target")
        with self._slot(f"an {what}"), pool.demand():
            obstacles: list[IpamError] = []

            def settled(shared_ledger: ledger.Ledger) -> bool:
                obstacle = pool.obstacle()
                obstacles[:] = [obstacle] if obstacle else []
                free = shared_ledger.free(exclusive=exclusive)
                return bool(free or obstacle or attempt.is_over)

            in_time = self._shared_ledger.wait(settled, deadline)
        attempt.check()
        if obstacles:
            raise errors.as_cni_error(obstacles[0])
        if not in_time:
            raise TryAgainError(
                f"no {what} became free in time: {pool.waited_for()}",
                advice=pool.advice() or f"raise {target} if this repeats",
            )

    def for_fixed(self, attempt: PendingAdd, attachment: Attachment, deadline: Deadline) -> None:
        """Wait until the Pod's fixed address may be had. Raises: as `FixedWait.wait`; TryAgainError."""
        with self._slot("its fixed address"):
            try:
                self._fixed.wait(attachment, deadline, self._is_over(attempt, attachment.pod))
            except IpamError:
                attempt.check()
                raise
        attempt.check()
        if self._is_leaving(attachment.pod):
            raise TryAgainError("the Pod is going away, and gets no address any more")

    def for_eip(
        self, attempt: PendingAdd, key: model.SandboxKey, pod: model.PodRef, deadline: Deadline
    ) -> None:
        """Wait until the Pod's EIP is bound. Raises: as `EipWait.wait`; TryAgainError when too many wait."""
        if self._eips.is_ready(key, pod):
            return
        with self._slot("its EIP"):
            try:
                self._eips.wait(key, pod, deadline, self._is_over(attempt, pod))
            except IpamError:
                attempt.check()
                raise

    def _is_over(self, attempt: PendingAdd, pod: model.PodRef) -> Callable[[], bool]:
        # A Pod on its way out must not be held up by an EIP that it will not use.
        return lambda: attempt.is_over or self._is_leaving(pod)

    def _is_leaving(self, pod: model.PodRef) -> bool:
        known = self._pods.known(pod)
        return known is not None and known.ref == pod and not known.wants_sandbox

    @contextlib.contextmanager
    def _slot(self, what: str) -> Iterator[None]:
        """Wait for `what` inside the block, if not too many wait already; another thread serves the rest."""

        def refusal() -> TryAgainError:
            return TryAgainError(
                f"{self._limit.count} Pods of this node wait already, this one would wait for {what}",
                advice="the kubelet tries again by itself",
            )

        with self._limit.slot(refusal), waits():
            yield
