"""For how long VpcIPClaims have been waiting, and for what; and why addresses are not reserved.

As `ipamd.controller.claims.claim_ages` for EIPClaims: counted from when this process first saw it.
Thread safety: any thread may call any method.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ipamd.core.claim.eipclaim import condition
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import waits
from ipamd.core.vpc_ip.vpcipclaim import RESERVED, VpcIpClaim
from ipamd.kube.watch import Key
from ipamd.runtime.metric import Metric, gauge_table

_Waiter = tuple[str, str]
"""UID of the claim and of its Pod."""


class AddressWaits:
    """Invariant: `_since` has what waited at the last look, each from the first look of those in a row."""

    def __init__(self, steady: Callable[[], float], pod_of: Callable[[Key], PodView | None]) -> None:
        """Take a monotonic clock in seconds, and what knows the Pods by name."""
        self._steady = steady
        self._pod_of = pod_of
        self._guard = threading.Lock()
        self._since: dict[_Waiter, float] = {}

    def metrics(self, claims: Iterable[VpcIpClaim]) -> Iterator[Metric]:
        """Look at all claims; yield for how long they wait, and how many are not reserved, by reason."""
        claims = list(claims)
        oldest: dict[tuple[str, ...], float] = {}
        for reason, age in self._look(claims):
            oldest[(reason,)] = max(age, oldest.get((reason,), 0.0))
        yield gauge_table(
            "tke_eni_vpc_ip_claims_not_ready_seconds",
            "For how long this replica has seen the VpcIPClaim wait that waits longest, by reason of Ready.",
            ("reason",),
            oldest,
        )
        refused: Counter[tuple[str, ...]] = Counter(
            (str(condition(claim.conditions, RESERVED).get("reason") or "Unknown"),)
            for claim in claims
            if claim.address and not claim.address.is_reserved
        )
        yield gauge_table(
            "tke_eni_vpc_ip_claims_not_reserved_by_reason",
            "VpcIPClaims whose address the VPC does not keep from others, by reason of Reserved.",
            ("reason",),
            refused,
        )

    def _look(self, claims: list[VpcIpClaim]) -> list[tuple[str, float]]:
        """Return reason and age of each that waits."""
        found = [
            (claim, wait.reason)
            for claim in claims
            if (wait := waits.wait_of(claim, self._pod_of((claim.namespace, claim.name))))
        ]
        now = self._steady()
        with self._guard:
            self._since = {key: self._since.get(key, now) for key in (_waiter(claim) for claim, _ in found)}
            return [(reason, now - self._since[_waiter(claim)]) for claim, reason in found]


def _waiter(claim: VpcIpClaim) -> _Waiter:
    return claim.uid, claim.pod_uid
