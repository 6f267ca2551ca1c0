"""How often something took how long, counted while it happens, for the metrics.

Thread safety: any thread may call any method.
"""

import itertools
import math
import threading
from bisect import bisect_left
from collections.abc import Sequence

from ipamd.runtime.metric import Distribution


class DurationCounts:
    """Invariant: each value was counted in the lowest bucket that holds it."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Take the upper bounds of the buckets in seconds, ascending; one without a bound is added."""
        self._bounds = (*bounds, math.inf)
        self._guard = threading.Lock()
        self._counts = [0] * len(self._bounds)
        self._total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        with self._guard:
            self._counts[bisect_left(self._bounds, seconds)] += 1
            self._total += seconds

    def distribution(self) -> Distribution:
        """Return what was counted until now."""
        with self._guard:
            sums = itertools.accumulate(self._counts)
            return Distribution(counts=tuple(zip(self._bounds, sums, strict=True)), total=self._total)
