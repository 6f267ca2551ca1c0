"""What the controller may change, and when: the ports through which its writes leave.

A write begins only while this process leads, and a cloud write lasts no longer than the Lease is believed in,
its repeats included. So a controller that was replaced writes nothing, however slow it is to notice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.changes_in_flight import ChangesInFlight
from ipamd.controller.claims.in_flight import InFlight
from ipamd.controller.claims.sweep_waits import SweepWaits
from ipamd.controller.claims.tag_limits import TagLimits
from ipamd.controller.claims.writer import ClaimWriter
from ipamd.controller.events import ClaimEvents, Tell
from ipamd.controller.fence import Fence
from ipamd.core import model
from ipamd.core.claim.eip_change import ChangeStep
from ipamd.core.timing.deadline import Deadline


class CloudWriter(Protocol):
    """What changes EIPs: `ipamd.cloud.tencent.TencentCloud`. All methods raise CloudError."""

    def allocate_eip(
        self, order: model.EipOrder, tags: dict[str, str], client_token: str, deadline: Deadline | None = None
    ) -> model.AcceptedOrder:
        """Order one EIP."""

    def check_order(self, order: model.EipOrder) -> None:
        """Raise the refusal that such an order would meet without being sent."""

    def change_eip(self, eip_id: str, step: ChangeStep, deadline: Deadline | None = None) -> str:
        """Start to change it; return the id of the task, empty for none."""

    def check_change(self, eip_id: str, step: ChangeStep) -> None:
        """Raise the refusal that such a change would meet without being sent."""

    def describe_bandwidth_range(self, eip_id: str, deadline: Deadline | None = None) -> tuple[int, int]:
        """Return the lowest and the highest bandwidth in Mbps that it may have."""

    def disassociate_eip(self, eip_id: str, deadline: Deadline | None = None) -> str:
        """Start to unbind it."""

    def release_eip(self, eip_id: str, deadline: Deadline | None = None) -> str:
        """Give it back for good."""

    def release_completed(self) -> None:
        """Note that what was given back is gone."""


def _tell_nobody(kind: str, reason: str, message: str) -> None:
    del kind, reason, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All that the controller writes through; one set serves all workers."""

    fence: Fence
    cloud: CloudWriter
    writer: ClaimWriter
    teller: ClaimEvents
    in_flight: InFlight
    changes: ChangesInFlight = field(default_factory=ChangesInFlight)
    on_freed: Callable[[int], None]
    """Called when EIPs of a claim are gone, with their number: so many others need not wait any more."""
    release_stopped: Callable[[], str]
    """Asked before each release: why none may be made, empty when it may. Raises: KubeError."""
    blind: Callable[[], str] = str
    """Why it is not believed that EIPs are gone; empty when it is."""
    sweep_waits: SweepWaits = field(default_factory=lambda: SweepWaits(lambda _: None))
    absences: Absences = field(default_factory=lambda: Absences(time.monotonic))
    obstacles: Absences = field(default_factory=lambda: Absences(time.monotonic))
    """For how long Pods can have no EIP where they are."""
    tag_limits: TagLimits = field(default_factory=lambda: TagLimits(time.monotonic))
    clock_doubt: Callable[[], str] = str
    """Why `clock` is not believed; empty when it is."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, as they are written into claims."""
    steady: Callable[[], float] = time.monotonic
    """Seconds that nobody sets."""
    tell: Tell = _tell_nobody
    """Says what concerns the cluster as a whole."""
