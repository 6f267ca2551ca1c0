"""How much of the account's EIP quotas is used, read now and then for the metrics.

A cluster that grows runs into the total quota, one that churns into that of applications of a day; both
refuse new EIPs only, and a person has to ask for more days before (document 1199/41648). Nothing here keeps
an order from being given: the numbers are the account's, and others use them up too.
Thread safety: a check is for one thread at a time; `quotas` may be read from any thread.
"""

from typing import Final, Protocol

from ipamd.core import model, tags
from ipamd.core.timing.backoff import Backoff
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

_INTERVAL: Final = 300.0
"""Seconds; one call of the ten, and one of the twenty, that the APIs allow in a second."""
BACKOFF: Final = Backoff(first=2.0, longest=300.0)


class QuotaReader(Protocol):
    """What tells the quotas: `TencentCloud`."""

    def describe_eip_quota(self) -> list[model.EipQuota]:
        """Return the account's EIP quotas in the region. Raises: CloudError."""

    def count_eips_with_tag(self, key: str) -> int:
        """Return how many EIPs of the account in the region have the tag. Raises: CloudError."""


class QuotaChecks:
    """Invariant: `quotas` are those of the last look that succeeded; none before it.

    `tag_values` is how many values the account uses of the tag that has another one for each claim.
    """

    def __init__(self, cloud: QuotaReader, backoff: Backoff = BACKOFF) -> None:
        self._cloud = cloud
        self.quotas: tuple[model.EipQuota, ...] = ()
        self.tag_values: int | None = None
        self.loop = Loop(
            "eip-quota",
            self.check,
            policy=Survive(),
            pace=LoopPace(period=_INTERVAL, backoff=backoff),
        )

    def check(self) -> None:
        """Look once. Raises: CloudError."""
        self.quotas = tuple(self._cloud.describe_eip_quota())
        self.tag_values = self._cloud.count_eips_with_tag(tags.CLAIM_UID)
