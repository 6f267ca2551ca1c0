"""What is done again and again: compare the kernel, the store and the cloud, and mend what differs.

The kernel has a thread of its own. What may have to wait for somebody outside (cloud, API server, queued
DELs) has another one, so that an outage out there does not delay the node's own repair.
Thread safety: any thread may call any method.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ipamd.agent.cni.pending_deletes import PendingDeletes
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.enis import NodeEnis
from ipamd.agent.node.cloud_check import CloudCheck
from ipamd.agent.node.intrusions import Intrusions
from ipamd.agent.node.kernel_listener import KernelListener
from ipamd.agent.node.kernel_repair import KernelParts, KernelRepair
from ipamd.agent.node.orphan_sandboxes import OrphanSandboxes
from ipamd.agent.node.outside_repair import OutsideParts, OutsideRepair
from ipamd.agent.node.pod_sides import PodSides
from ipamd.agent.node.ranges import NodeRanges
from ipamd.agent.node.recovery import Recovery
from ipamd.agent.node.repair import Repair, links_of
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace
from ipamd.runtime.metric import Metric, counters

_SPREAD = 0.1
"""Part of the interval that is left to chance: nodes that were started at one moment drift apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepParts:
    """Who does what."""

    book: SharedLedger
    dataplane: DataPlane
    primary_mac: str
    ranges: NodeRanges
    enis: NodeEnis
    reconciler: Recovery
    repairing: Repair
    pod_sides: PodSides
    intrusions: Intrusions
    sweeping: OrphanSandboxes
    pending: PendingDeletes
    announcer: ClaimPublisher
    cloud_check: CloudCheck
    trigger: Callable[[], None]
    """Has pool and EIP reconciler look again."""


class RepairLoop:
    """Keeps kernel, store and cloud in step."""

    def __init__(self, parts: UpkeepParts, *, interval: float) -> None:
        """Take the parts and the seconds between two rounds."""
        self._dataplane = parts.dataplane
        self._cloud_check = parts.cloud_check
        self._pod_sides = parts.pod_sides
        self._intrusions = parts.intrusions
        self._kernel = KernelRepair(
            KernelParts(
                dataplane=parts.dataplane,
                primary_mac=parts.primary_mac,
                ranges=parts.ranges.current,
                enis=parts.enis,
                repairing=parts.repairing,
                pod_sides=parts.pod_sides,
                intrusions=parts.intrusions,
                announcer=parts.announcer,
                is_settled=lambda: parts.reconciler.is_settled,
                is_over=parts.sweeping.is_over,
                eni_is_back=self._eni_is_back,
                pods_are_gone=self._look_outside,
            )
        )
        self._outside = OutsideRepair(
            OutsideParts(
                book=parts.book,
                reconciler=parts.reconciler,
                cloud_check=parts.cloud_check,
                sweeping=parts.sweeping,
                pending=parts.pending,
                ranges=parts.ranges,
                cut_off=lambda: self._kernel.cut_off,
                addresses_have_changed=self.look_at_kernel,
                trigger=parts.trigger,
            )
        )
        pace = LoopPace(period=interval, spread=_SPREAD, first=None)
        self._kernel_loop = Loop("kernel-upkeep", self._kernel.round, policy=Survive(), pace=pace)
        self._listener = KernelListener(
            self._kernel_loop.trigger,
            lambda: links_of(parts.book.ledger) | {eni.name for eni in parts.dataplane.enis},
        )
        self._outside_loop = Loop("outside-upkeep", self._outside.round, policy=Survive(), pace=pace)

    def start(self) -> None:
        """Begin the rounds; if it is time to look at the cloud, now."""
        self._kernel_loop.start()
        self._listener.start()
        if self._cloud_check.is_due:
            self._outside_loop.trigger()
        self._outside_loop.start()

    def stop(self, timeout: float) -> None:
        """End the rounds; wait for the last ones for so many seconds."""
        deadline = Deadline.after(timeout, time.monotonic)
        for loop in (self._listener, self._kernel_loop, self._outside_loop):
            loop.stop(max(0.0, deadline.remaining()))

    def round(self, *, outside: bool = True) -> None:
        """Make one round now, on the caller's thread; `outside` is all that others have to answer."""
        self._kernel.begin()
        if outside:
            self._outside.round()

    def round_now(self, deadline: Deadline) -> bool:
        """Have a round made that begins now or later, with a look at the cloud; whether it ended in time."""
        self._cloud_check.hasten()
        self._pod_sides.forget()
        # What the look has changed is mended too.
        return self._outside_loop.wait_for_next(deadline) and self._kernel_loop.wait_for_next(deadline)

    def look_at_kernel(self) -> None:
        """Have a round of the kernel made now: what it has to be may be something else."""
        self._kernel_loop.trigger()

    def drift(self) -> list[str]:
        """Return what is wrong with the node's network and could not be mended."""
        return [*self._kernel.drift(), *self._outside.drift()]

    def kernel_drift(self) -> list[str]:
        """Return that part of it which concerns the kernel, and so packets."""
        return self._kernel.drift()

    def cut_off(self) -> list[str]:
        """Return one sentence for each Pod without a link that still exists."""
        return self._kernel.lost()

    def metrics(self) -> Iterator[Metric]:
        """Yield how often since the start something that others had done was mended, by what it was."""
        yield counters(
            "tke_eni_repairs",
            "What others had removed or changed and was mended.",
            "what",
            {
                "node": self._dataplane.mended,
                "pod": self._kernel.mended,
                "leftover": self._kernel.removed,
                "eip": self._cloud_check.unbound,
                "address": self._intrusions.removed,
            },
        )

    def _eni_is_back(self) -> None:
        # What was put in quarantine with it is looked at now.
        self._cloud_check.hasten()
        self._look_outside()

    def _look_outside(self) -> None:
        self._outside_loop.trigger()
