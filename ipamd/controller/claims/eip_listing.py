"""The EIPs of single claims, looked at for many claims at once: DescribeAddresses by the tag of each.

Every claim that is being provisioned or released wants to look, again and again, while the account may ask 20
times a second for all its clusters and nodes. One filter takes a hundred claims, so whoever asks while a look
is under way, or the next is not due, is in the next one. What a look costs does not depend on how many EIPs
the cluster has. An EIP whose id is known is asked for by it when its tag does not show it: lists may lag, and
people remove tags. One that was ordered before this process began is looked for by its name, too: the account
may have refused the tag.
Thread safety: any thread may call `look`.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ipamd.core import tags
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import TryAgainError
from ipamd.core.model import Eip
from ipamd.core.timing.deadline import Deadline
from ipamd.core.timing.token_bucket import TokenBucket

SPACING = 0.2
"""Seconds between the begins of two looks, in the long run."""
_AT_ONCE = 3
"""Looks that may follow each other directly after a pause: claims of a few Pods come within one moment."""
_GATHER_SECONDS = 0.02
"""Seconds for which a look waits for those that are known to be about to ask."""
_PATIENCE = 20.0
_MOST = 100
"""Values of a filter, and ids of a call."""


class EipReader(Protocol):
    """What lists EIPs: `TencentCloud`. Raises: CloudError."""

    def describe_eips(
        self,
        *,
        eip_ids: Sequence[str] | None = None,
        tags: dict[str, str | Sequence[str]] | None = None,
        name: str | None = None,
        deadline: Deadline | None = None,
    ) -> list[Eip]:
        """Return the EIPs of these ids, or that have all of these tags, or this name."""


@dataclass(slots=True, eq=False)
class _Look:
    """One look on behalf of several. Invariant: nobody joins once it has begun."""

    known: dict[str, frozenset[str]] = field(default_factory=dict)
    """The ids that are known of each claim, by its UID."""
    tagged: set[str] = field(default_factory=set)
    """The claims whose EIPs are looked for by their tag."""
    claims_due: int = 1
    """How many claims are known to be about to ask."""
    names: dict[str, str] = field(default_factory=dict)
    """What the EIP of a claim is called, by its UID."""
    over: bool = False
    answered: bool = False
    """Whether it came to its end: else it shows nothing, whatever ended it."""
    found: dict[str, dict[str, Eip]] = field(default_factory=dict)
    error: CloudError | None = None


class EipListing:
    """Invariant: at most one look is under way; an answer is of a look that began after it was asked for."""

    def __init__(
        self,
        cloud: EipReader,
        cluster_id: str,
        *,
        spacing: float = SPACING,
        gather: float = _GATHER_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take whose EIPs are looked at, and for how many seconds a look waits for those about to ask."""
        self._cloud = cloud
        self.cluster_id = cluster_id
        self._tags = tags.of_cluster(cluster_id)
        self._pace = TokenBucket(rate=1 / spacing, burst=_AT_ONCE) if spacing else None
        self._gather = gather
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._next = _Look()
        self._running = False

    def look(
        self,
        claim_uid: str,
        known: frozenset[str] = frozenset(),
        *,
        name: str = "",
        by_tag: bool = True,
        claims_due: int = 1,
    ) -> tuple[Eip, ...]:
        """Return the EIPs that were created for the claim, and those of the known ids, as of now or later.

        When these are none, and a name is given, those of the name. If not `by_tag`, only those of known ids.
        The look waits a moment for as many claims as `claims_due` says.

        Raises: CloudError; TryAgainError when it takes too long, or ends by a defect.
        """
        deadline = Deadline.after(_PATIENCE, self._monotonic)
        with self._changed:
            if len(self._next.known) >= _MOST:
                self._changed.wait_for(lambda: len(self._next.known) < _MOST, deadline.remaining())
            mine = self._next
            mine.known[claim_uid] = mine.known.get(claim_uid, frozenset()) | known
            if by_tag:
                mine.tagged.add(claim_uid)
            if name:
                mine.names[claim_uid] = name
            mine.claims_due = max(mine.claims_due, claims_due)
            self._changed.notify_all()  # the look may wait for this one
            while not mine.over:
                if not self._running and mine is self._next:
                    self._run(deadline)
                elif not self._changed.wait(deadline.remaining()):
                    raise TryAgainError("the EIPs of the claim could not be looked at in time")
        if mine.error is not None:
            raise mine.error.restated(mine.error.detail)  # a raised exception belongs to one thread
        if not mine.answered:
            raise TryAgainError("the EIPs of the claim could not be looked at, by a defect that the log has")
        return tuple(mine.found.get(claim_uid, {}).values())

    def _run(self, deadline: Deadline) -> None:
        """Make the next look on behalf of all who wait; called and returns with the lock held."""
        self._running = True
        began = self._monotonic()
        end = began + (self._pace.reserve(began) or 0.0 if self._pace else 0.0)
        while (left := end - self._monotonic()) > 0:
            self._changed.wait(left)
        self._changed.wait_for(lambda: len(self._next.known) >= self._next.claims_due, self._gather)
        look, self._next = self._next, _Look()
        self._changed.notify_all()
        self._changed.release()
        try:
            self._ask(look, deadline)
            look.answered = True
        except CloudError as e:
            look.error = e
        finally:
            self._changed.acquire()
            look.over = True
            self._running = False
            self._changed.notify_all()

    def _ask(self, look: _Look, deadline: Deadline) -> None:
        asked: dict[str, str | Sequence[str]] = {**self._tags, tags.CLAIM_UID: sorted(look.tagged)}
        for eip in self._cloud.describe_eips(tags=asked, deadline=deadline) if look.tagged else ():
            look.found.setdefault(eip.tags.get(tags.CLAIM_UID, ""), {})[eip.eip_id] = eip
        missing = {
            uid: known.difference(look.found.get(uid, ())) for uid, known in look.known.items() if known
        }
        ids = sorted({eip_id for known in missing.values() for eip_id in known})
        shown = self._cloud.describe_eips(eip_ids=ids, deadline=deadline) if ids else []
        by_id = {eip.eip_id: eip for eip in shown}
        for uid, known in missing.items():
            for eip_id in known & by_id.keys():
                look.found.setdefault(uid, {})[eip_id] = by_id[eip_id]
        for uid, name in look.names.items():
            if uid not in look.found:
                named = self._cloud.describe_eips(name=name, deadline=deadline)
                look.found[uid] = {eip.eip_id: eip for eip in named}
