"""Gives EIPs back, several at once, and sees each of them gone.

Each step is decided by `core.eip_cleanup` from a look at the EIP that is made just before it, so an EIP that
came into use after it was listed is left alone; the cloud itself refuses to release one that is bound. The
switch of the cluster is asked before that look.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

from ipamd.cloud.polling import EipWatch
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.policy import Repeat
from ipamd.core.eip.cleanup import Entry, Step, next_step
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.model import Eip, EipStatus
from ipamd.core.timing.deadline import Deadline

_AT_ONCE = 8
"""The account may write 10 EIPs a second, and each takes some seconds to go."""
_ATTEMPTS = 5
"""How often the cloud may refuse, or not answer, before an EIP is given up."""
_PAUSE = 1.0
_ACT_AGAIN = 5.0
"""Seconds after which an EIP that a write has not changed is looked at, and written to, once more."""


class EipCloud(Protocol):
    """What is asked of the cloud: `TencentCloud`. All methods raise CloudError."""

    def describe_eips(
        self, *, eip_ids: Sequence[str] | None = None, deadline: Deadline | None = None
    ) -> list[Eip]:
        """Return those of the EIPs that exist."""

    def describe_eip(self, eip_id: str, deadline: Deadline | None = None) -> Eip | None:
        """Return one EIP as it is now."""

    def disassociate_eip(self, eip_id: str, deadline: Deadline | None = None) -> str:
        """Start to unbind it."""

    def release_eip(self, eip_id: str, deadline: Deadline | None = None) -> str:
        """Give it back for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOutcome:
    """What became of one EIP."""

    entry: Entry
    released: bool
    message: str = ""
    """Why it is still there."""


class Releaser:
    """Releases the EIPs of one cluster.

    Invariant: an EIP is written to only after a look that shows it unbound, or bound where it was listed.
    Thread safety: one call of `release` at a time.
    """

    def __init__(
        self,
        cloud: EipCloud,
        cluster_id: str,
        *,
        patience: float,
        stopped: Callable[[], str] = str,
        act_again: float = _ACT_AGAIN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the seconds that one EIP may take, and what says why nothing may be released.

        `stopped` returns an empty text when it may; an IpamError is no permission.
        """
        self._cloud = cloud
        self._cluster_id = cluster_id
        self._patience = patience
        self._stopped = stopped
        self._act_again = act_again
        self._monotonic = monotonic
        self._stopping = threading.Event()

    def release(self, entries: Iterable[Entry]) -> Iterator[ReleaseOutcome]:
        """Yield the outcome of each entry as it comes; an EIP that fails holds up no other.

        When the caller stops early (Ctrl-C), nothing more is begun; what was begun takes its course.
        """
        self._stopping.clear()
        with EipWatch(self._cloud, clock=self._monotonic) as watch:
            pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="release")
            try:
                running: list[Future[ReleaseOutcome]] = [
                    pool.submit(self._one, entry, watch) for entry in entries
                ]
                for ended in as_completed(running):
                    yield ended.result()
            finally:
                self._stopping.set()
                watch.close()
                pool.shutdown(cancel_futures=True)

    def _one(self, entry: Entry, watch: EipWatch) -> ReleaseOutcome:
        deadline = Deadline.after(self._patience, self._monotonic)
        failures = 0
        unbound = False
        while not self._stopping.is_set():
            stopped_by = self._stopped_by()  # before the look, as nothing comes between look and write
            try:
                now = self._cloud.describe_eip(entry.eip.eip_id, deadline)
                following = next_step(entry, now, self._cluster_id, unbound=unbound)
                gone = following.step is Step.DONE
                if gone or following.step is Step.LEAVE:
                    return ReleaseOutcome(entry=entry, released=gone, message=following.reason)
                if stopped_by and following.step is not Step.WAIT:
                    return ReleaseOutcome(entry=entry, released=False, message=stopped_by)
                self._take(following.step, entry.eip.eip_id, watch, deadline)
                unbound = unbound or following.step is Step.UNBIND
            except TryAgainError as e:
                if deadline.expired:
                    return ReleaseOutcome(entry=entry, released=False, message=str(e))
            except CloudError as e:
                failures += 1
                if not _may_pass(e) or failures == _ATTEMPTS or deadline.expired:
                    return ReleaseOutcome(entry=entry, released=False, message=str(e))
                self._stopping.wait(deadline.cap(_PAUSE))
        return ReleaseOutcome(entry=entry, released=False, message="interrupted")

    def _stopped_by(self) -> str:
        try:
            return self._stopped()
        except IpamError as e:
            return str(e)

    def _take(self, step: Step, eip_id: str, watch: EipWatch, deadline: Deadline) -> None:
        """Take a step and wait for its effect; TryAgainError when it does not come about soon."""
        soon = deadline.within(self._act_again)
        if step is Step.UNBIND:
            self._cloud.disassociate_eip(eip_id, deadline)
            watch.wait_until(eip_id, _is_loose, soon, kind="DisassociateAddress")
        elif step is Step.RELEASE:
            self._cloud.release_eip(eip_id, deadline)
            watch.wait_until(eip_id, lambda eip: eip is None or eip.bound, soon, kind="ReleaseAddresses")
        else:
            watch.wait_until(eip_id, _is_settled, soon)


def _may_pass(error: CloudError) -> bool:
    policy = error.kind.policy
    return policy.repeat is not Repeat.NONE or policy.needs_look


def _is_loose(eip: Eip | None) -> bool:
    return eip is None or eip.status in (EipStatus.UNBIND, EipStatus.OFFLINING)


def _is_settled(eip: Eip | None) -> bool:
    return eip is None or eip.status not in (EipStatus.UNBINDING, EipStatus.OFFLINING)
