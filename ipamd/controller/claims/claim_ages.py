"""For how long claims have been waiting, by a clock that nobody sets.

A claim that is kept says since when it is not ready: since its last Pod, days ago. What matters is for how
long this Pod waits. So this process counts from when it first saw it wait, which is when somebody asked.
Thread safety: any thread may call any method.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ipamd.core.claim import status, waits
from ipamd.core.claim.eipclaim import Claim, Phase
from ipamd.core.claim.waits import ClaimStep, EgressPath
from ipamd.runtime.metric import Metric, gauge, gauge_table, gauges

_Key = tuple[str, str, ClaimStep]
"""UID of the claim and of its Pod, and the step: another step is another wait."""


class ClaimAges:
    """Invariant: `_since` has what waited at the last look, each from the first look of those in a row."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """Take a monotonic clock in seconds."""
        self._steady = steady
        self._guard = threading.Lock()
        self._since: dict[_Key, float] = {}

    def metrics(self, claims: Iterable[Claim]) -> Iterator[Metric]:
        """Look at all claims; yield how many there are, what they wait for, and for how long."""
        claims = list(claims)
        phases = Counter(map(status.phase_of, claims))
        by_phase = {phase.value: phases[phase] for phase in Phase}
        yield gauges("tke_eni_claims", "EIPClaims of the cluster by phase.", "phase", by_phase)
        yield from self._waits(claims)
        paths = Counter(filter(None, map(waits.egress_path, claims)))
        yield gauges(
            "tke_eni_claims_egress",
            "Bound EIPClaims by what their Pods leave for the internet: the EIP, other than it, or unknown.",
            "by",
            {path.value: paths[path] for path in EgressPath},
        )

    def _waits(self, claims: list[Claim]) -> Iterator[Metric]:
        counts: Counter[tuple[str, ...]] = Counter()
        oldest: dict[tuple[str, ...], float] = {}
        for (step, reason), age in self._look(claims):
            counts[step, reason] += 1
            oldest[step, reason] = max(age, oldest.get((step, reason), 0.0))
        released = [age for (step, _), age in oldest.items() if step == ClaimStep.RELEASE.value]
        for gone in [key for key in oldest if key[0] == ClaimStep.RELEASE.value]:
            del counts[gone], oldest[gone]
        labels = ("step", "reason")
        yield gauge_table(
            "tke_eni_claims_not_ready",
            "EIPClaims whose Pods wait for the EIP: to be ordered, or to be bound; with the reason of Ready.",
            labels,
            counts,
        )
        yield gauge_table(
            "tke_eni_claims_not_ready_seconds",
            "For how long this replica has seen the one wait that waits longest.",
            labels,
            oldest,
        )
        yield gauge(
            "tke_eni_claims_releasing_seconds",
            "For how long this replica has seen the deleted EIPClaim that waits longest; 0 for none.",
            max(released, default=0.0),
        )

    def _look(self, claims: list[Claim]) -> list[tuple[tuple[str, str], float]]:
        """Return step, reason and age of each that waits."""
        found = [(claim, wait) for claim in claims if (wait := waits.wait_of(claim)) is not None]
        now = self._steady()
        with self._guard:
            keys: list[_Key] = [(claim.uid, claim.pod_uid, wait.step) for claim, wait in found]
            self._since = {key: self._since.get(key, now) for key in keys}
            ages = [now - self._since[key] for key in keys]
        return [((wait.step.value, wait.reason), age) for (_, wait), age in zip(found, ages, strict=True)]
