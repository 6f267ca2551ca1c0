"""What the cloud has promised to this process and may not show yet: orders and releases that were accepted.

Only a shortcut. All of it is lost with the process, and then found again by tags, or waited for by the times
that stand in the claim; so nothing here may be needed for safety.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.cloud.poll_plan import PollPace
from ipamd.core.model import AcceptedOrder
from ipamd.core.timing.expected_duration import ExpectedDuration

_PACE = PollPace()
_NOW = 0.005
"""Seconds within which looks are due now: workers are woken one after the other."""
RELEASE_AGAIN = 10.0
"""Seconds after which an EIP that was released and is still listed is released once more."""


@dataclass(slots=True)
class _Delivery:
    """An order that is not seen to be delivered yet."""

    began: float
    due: float
    """When the next look is to come."""
    asked: float = 0.0
    """When the last look began."""
    too_early: float = 0.0
    """Seconds after which the last look began that found nothing; 0 while there was none."""


class InFlight:
    """Orders and releases by claim UID.

    Thread safety: any thread may call any method.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._ordered: dict[str, AcceptedOrder] = {}
        self._refused: set[str] = set()
        self._released: dict[str, dict[str, float]] = {}
        self._tagged: dict[str, set[str]] = {}
        self._by_id: set[str] = set()
        self._unshown: dict[str, float] = {}
        self._deliveries: dict[str, _Delivery] = {}
        self._delivery = ExpectedDuration()

    def order_accepted(self, claim_uid: str, order: AcceptedOrder) -> None:
        """Note that an EIP was promised."""
        with self._lock:
            self._ordered[claim_uid] = order
            self._refused.discard(claim_uid)
            now = self._monotonic()
            self._deliveries[claim_uid] = _Delivery(began=now, due=now + _PACE.first(self._delivery))

    def delivery_in(self, claim_uid: str) -> float:
        """Return in how many seconds the claim's order is to be looked for; 0 if it should be there by now.

        Orders that are given at once are looked for at once.
        """
        with self._lock:
            delivery = self._deliveries.get(claim_uid)
            if delivery is None:
                return 0.0
            due = _PACE.together(delivery.due, (other.due for other in self._deliveries.values()))
            return max(0.0, due - self._monotonic())

    def order_asked(self, claim_uid: str) -> int:
        """Note that a look begins which may show the claim's order; return how many are to be looked for now.

        A burst of orders is looked for by several workers, and their looks share an allowance.
        """
        with self._lock:
            delivery = self._deliveries.get(claim_uid)
            if delivery is None:
                return 1
            delivery.asked = now = self._monotonic()
            soon = now + _NOW
            later = min(
                (other.due for other in self._deliveries.values() if other.due > soon), default=math.inf
            )
            # Those that are looked for together with a later one are not looked for now.
            return 1 + sum(
                other.asked < other.due <= soon and other.due + _PACE.gather < later
                for other in self._deliveries.values()
            )

    def order_looked(self, claim_uid: str, *, delivered: bool) -> None:
        """Note whether the look that began last has shown that the claim's order was delivered."""
        with self._lock:
            delivery = self._deliveries.get(claim_uid)
            if delivery is None:
                return
            now = self._monotonic()
            if delivered:
                del self._deliveries[claim_uid]
                # Looks wait for each other, so it may have come late, and says little then.
                self._delivery.observe(
                    min(delivery.due, now) - delivery.began,
                    seen=now - delivery.began,
                    too_early=delivery.too_early,
                )
            else:
                delivery.too_early = delivery.asked - delivery.began
                delivery.due = now + _PACE.pause(now - delivery.began, self._delivery)

    def order_refused(self, claim_uid: str) -> None:
        """Note that the cloud, asked with the token of the claim's order, has promised no EIP."""
        with self._lock:
            self._refused.add(claim_uid)

    def refused(self, claim_uid: str) -> bool:
        """Whether the cloud has said to this process that it makes no EIP of the claim's order."""
        with self._lock:
            return claim_uid in self._refused

    def order_begun(self, claim_uid: str) -> None:
        """Forget what an earlier order of the claim has promised: another one is about to be given."""
        with self._lock:
            self._ordered.pop(claim_uid, None)
            self._refused.discard(claim_uid)
            self._deliveries.pop(claim_uid, None)

    def release_accepted(
        self, claim_uid: str, eip_id: str, *, tagged: bool = False, only: bool = False
    ) -> None:
        """Note that the EIP is on its way out.

        `tagged` if a look by its tag shows it until it is gone; `only` if the claim can have no other EIP.
        """
        with self._lock:
            self._released.setdefault(claim_uid, {})[eip_id] = self._monotonic()
            if tagged:
                self._tagged.setdefault(claim_uid, set()).add(eip_id)
            if only:
                self._by_id.add(claim_uid)

    def shown_by_tag(self, claim_uid: str) -> frozenset[str]:
        """Return the released EIPs that need not be asked for by their ids to be seen."""
        with self._lock:
            return frozenset(self._tagged.get(claim_uid, ()))

    def by_id(self, claim_uid: str) -> bool:
        """Whether looks by the tag of the claim can show nothing that those by known ids do not."""
        with self._lock:
            return claim_uid in self._by_id

    def ordered(self, claim_uid: str) -> AcceptedOrder | None:
        """Return the order whose EIP was promised, if there is one."""
        with self._lock:
            return self._ordered.get(claim_uid)

    def released(self, claim_uid: str, listed: frozenset[str]) -> frozenset[str]:
        """Return whose release was accepted; one that is still `listed` after a while is forgotten."""
        with self._lock:
            released = self._released.get(claim_uid, {})
            old = self._monotonic() - RELEASE_AGAIN
            for eip_id in [i for i, at in released.items() if i in listed and at < old]:
                del released[eip_id]
            return frozenset(released)

    def looked(self, claim_uid: str, *, shown: bool) -> float:
        """Note whether a look has shown an EIP of the claim; return for how long none was shown."""
        with self._lock:
            if shown:
                self._unshown.pop(claim_uid, None)
                return 0.0
            now = self._monotonic()
            return now - self._unshown.setdefault(claim_uid, now)

    def forget(self, claim_uid: str) -> None:
        """Drop everything about a claim that is gone."""
        with self._lock:
            self._ordered.pop(claim_uid, None)
            self._refused.discard(claim_uid)
            self._released.pop(claim_uid, None)
            self._tagged.pop(claim_uid, None)
            self._by_id.discard(claim_uid)
            self._deliveries.pop(claim_uid, None)
            self._unshown.pop(claim_uid, None)
