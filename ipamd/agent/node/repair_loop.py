"""What is done again and again: compare the kernel, the store and the cloud, and mend what differs.

The kernel has a thread of its own. What may have to wait for somebody outside (cloud, API server, queued
DELs) has another one, so that an outage out there does not delay the node's own repair.
Thread safety: any thread may call any method.
"""

import time
from collections.abc import Callable, Collection, Iterator
from enum import Enum, auto
from typing import Final

from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.agent.node.kernel_listener import KernelListener
from ipamd.agent.node.kernel_repair import KernelRepair
from ipamd.agent.node.outside_repair import OutsideRepair
from ipamd.agent.node.pod_repair import PodRepair
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, counters

_OUTSIDE_SECONDS: Final = 4.0
"""How long a round that somebody waits for lets the cloud take; an answer comes within one, if at all."""
_SPREAD = 0.1
"""Part of the interval that is left to chance: nodes that were started at one moment drift apart."""


class RoundEnd(Enum):
    """How far a round came that was waited for."""

    NOTHING = auto()
    KERNEL = auto()
    """The kernel was compared and mended; what others have to answer goes on."""
    ALL = auto()


class RepairLoop:
    """Keeps kernel, store and cloud in step."""

    def __init__(
        self,
        *,
        kernel: KernelRepair,
        outside: OutsideRepair,
        cloud_check: CloudCheck,
        pods: PodRepair,
        links: Callable[[], Collection[str]],
        interval: float,
    ) -> None:
        """Take what the rounds are and look at, the names of our links, and the seconds between two."""
        self._kernel = kernel
        self._outside = outside
        self._cloud_check = cloud_check
        self._pods = pods
        pace = LoopPace(period=interval, spread=_SPREAD, first=None)
        self._kernel_good_at: float | None = None
        self._kernel_loop = Loop("kernel-upkeep", self._kernel_round, policy=Survive(), pace=pace)
        self._listener = KernelListener(self._kernel_loop.trigger, links)
        self._outside_loop = Loop("outside-upkeep", outside.round, policy=Survive(), pace=pace)
        kernel.on_eni_change(self._look_at_cloud)
        cloud_check.on_addresses(self.look_at_kernel)

    def start(self) -> None:
        """Begin the rounds; if it is time to look at the cloud, now."""
        self._kernel_loop.start()
        self._listener.start()
        if self._cloud_check.is_due:
            self._outside_loop.trigger()
        self._outside_loop.start()

    def stop(self, timeout: float) -> bool:
        """End the rounds; wait for the last ones for so many seconds; return whether they have ended."""
        deadline = Deadline.after(timeout, time.monotonic)
        loops = (self._listener, self._kernel_loop, self._outside_loop)
        ended = [loop.stop(max(0.0, deadline.remaining())) for loop in loops]
        return all(ended)

    def round(self, *, outside: bool = True) -> None:
        """Make one round now, on the caller's thread; `outside` is all that others have to answer."""
        self._kernel.begin()
        self._note_kernel()
        if outside:
            self._outside.round()

    def round_now(self, deadline: Deadline) -> RoundEnd:
        """Have a round made that begins now or later, with a look at the cloud; return what ended in time.

        The kernel comes first and is not kept waiting by a cloud that cannot be reached.
        """
        self._cloud_check.hasten()
        self._pods.look_behind_all()
        if not self._kernel_loop.wait_for_next(deadline):
            return RoundEnd.NOTHING
        soon = Deadline.after(min(_OUTSIDE_SECONDS, deadline.remaining()), time.monotonic)
        if not self._outside_loop.wait_for_next(soon):
            return RoundEnd.KERNEL
        # What the look has changed is mended too.
        return RoundEnd.ALL if self._kernel_loop.wait_for_next(deadline) else RoundEnd.KERNEL

    def look_at_kernel(self) -> None:
        """Have a round of the kernel made now: what it has to be may be something else."""
        self._kernel_loop.trigger()

    def drift(self) -> list[str]:
        """Return what is wrong with the node's network and could not be mended."""
        return [*self._kernel.drift(), *self._outside.drift()]

    def kernel_drift(self) -> list[str]:
        """Return that part of it which concerns the kernel, and so packets."""
        return self._kernel.drift()

    def kernel_good_at(self) -> float | None:
        """Return when a round of the kernel left nothing wrong the last time, by the monotonic clock."""
        return self._kernel_good_at

    def metrics(self) -> Iterator[Metric]:
        """Yield how many rounds have ended: who does not look mends nothing."""
        yield counters(
            "tke_eni_repair_rounds",
            "Rounds of the repair that have ended, whatever they found.",
            "part",
            {"kernel": self._kernel_loop.passes, "outside": self._outside_loop.passes},
        )

    def look_outside(self) -> None:
        """Have a round of what others have to answer made now."""
        self._outside_loop.trigger()

    def _kernel_round(self) -> None:
        self._kernel.round()
        self._note_kernel()

    def _note_kernel(self) -> None:
        if not self._kernel.drift():
            self._kernel_good_at = time.monotonic()

    def _look_at_cloud(self) -> None:
        # Whether an ENI whose link is gone was detached; what is in quarantine with one that is back.
        self._cloud_check.hasten()
        self.look_outside()
