"""Whether an operator has frozen the pool: then it orders nothing and gives nothing back, until it is thawed.

It is kept in the store, so it outlives the agent and the node's boot. What was begun before goes on to its
end.
Thread safety: any thread may call any method.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Final

from ipamd.core.errors import TryAgainError
from ipamd.core.timing import timestamps
from ipamd.runtime.metric import Metric, gauge
from ipamd.store.database import Database

log = logging.getLogger(__name__)

FACT: Final = "pool_frozen"
"""Where the store keeps it."""
THAW: Final = "`ipamctl pool thaw` lets it order and give back again"


class PoolFreeze:
    """Invariant: `_since` is what the store has."""

    def __init__(self, database: Database, *, wall: Callable[[], float]) -> None:
        """Read what an earlier agent was told; `wall` is the clock that people go by."""
        self._database = database
        self._wall = wall
        self._guard = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        known = database.fact(FACT)
        self._since: float | None = float(known["since"]) if known else None
        if self._since is not None:
            log.warning("%s", self.notices()[0])

    def on_change(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when it is frozen or thawed."""
        self._listeners.append(listener)

    @property
    def since(self) -> float | None:
        """Since when it is frozen, in Unix time for people; None when it is not."""
        return self._since

    def freeze(self) -> bool:
        """Freeze the pool; return whether it was not frozen before. Raises: StoreError."""
        with self._guard:
            if self._since is not None:
                return False
            since = self._wall()
            self._database.put_fact(FACT, {"since": since})
            self._since = since
        self._tell("the pool is frozen: an operator wants it so")
        return True

    def thaw(self) -> bool:
        """End it; return whether it was frozen. Raises: StoreError."""
        with self._guard:
            if self._since is None:
                return False
            self._database.put_fact(FACT, None)
            self._since = None
        self._tell("the pool is thawed: an operator wants it so")
        return True

    def notices(self) -> list[str]:
        """Return one sentence while it is frozen."""
        since = self._since
        if since is None:
            return []
        when = timestamps.to_text(since)
        return [f"the pool is frozen since {when}: it orders nothing and gives nothing back; {THAW}"]

    def obstacle(self) -> TryAgainError | None:
        """Return why no address will be ordered; None when the pool is not frozen."""
        if self._since is None:
            return None
        return TryAgainError("the pool is frozen, and none of its addresses is free", advice=THAW)

    def metrics(self) -> Iterator[Metric]:
        """Yield whether it is frozen."""
        yield gauge(
            "tke_eni_pool_frozen",
            "1 while an operator has frozen the pool (ipamctl pool freeze, drain).",
            int(self._since is not None),
        )

    def _tell(self, text: str) -> None:
        log.warning("%s", text)
        for listener in self._listeners:
            listener()
