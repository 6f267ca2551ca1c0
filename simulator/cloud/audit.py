"""What was asked of the region: the last writes one by one, and counters for every action.

Bounded; thread-safe behind its own lock.
"""

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KEPT_ENTRIES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One write call; `code` is empty for one that was accepted."""

    moment: float
    principal: str
    action: str
    request_id: str
    params: Mapping[str, Any]
    code: str
    source: str = ""
    """Address that the call came from (CloudAudit calls it sourceIPAddress)."""
    replayed: bool = False
    """Whether a ClientToken was met again and nothing was done."""


class Audit:
    """The log and the counters of a region."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writes: deque[AuditEntry] = deque(maxlen=KEPT_ENTRIES)
        self._calls: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()

    def record(self, entry: AuditEntry, *, write: bool) -> None:
        """Count a call, and keep it if it is a write."""
        with self._lock:
            self._calls[entry.action] += 1
            if entry.code:
                self._refusals[f"{entry.action}:{entry.code}"] += 1
            if write:
                self._writes.append(entry)

    def writes(self) -> list[AuditEntry]:
        """Give the last writes, the oldest first."""
        with self._lock:
            return list(self._writes)

    def calls(self) -> dict[str, int]:
        """Count calls by action, refused ones included."""
        with self._lock:
            return dict(self._calls)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain JSON."""
        with self._lock:
            return {
                "calls": dict(self._calls),
                "refusals": dict(self._refusals),
                "writes": [asdict(entry) for entry in self._writes],
            }
