"""How long ago each of the outsides that a daemon needs has answered well the last time.

Age and not date: it is right whatever the node's wall clock says. An outside that has never answered is as
old as the process.
Thread safety: any thread may call any method.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from ipamd.runtime.metric import Metric, gauges

AnsweredAt = Callable[[], float | None]
"""Returns when it answered well the last time, by the monotonic clock; None for never."""


class LastAnswers:
    """Invariant: an age grows from one good answer to the next."""

    def __init__(
        self, outsides: Mapping[str, AnsweredAt], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the outsides by name: `cloud`, `api_server`, `metadata`."""
        self._outsides = dict(outsides)
        self._monotonic = monotonic
        self._begun = monotonic()

    def ages(self) -> dict[str, float]:
        """Return the seconds since the last good answer of each."""
        now = self._monotonic()
        found = {name: answered_at() for name, answered_at in self._outsides.items()}
        return {name: now - (self._begun if at is None else at) for name, at in found.items()}

    def metrics(self) -> Iterator[Metric]:
        """Yield the ages."""
        yield gauges(
            "tke_eni_last_answer_seconds",
            "Seconds since the last good answer; since the start of the process, if there was none.",
            "of",
            self.ages(),
        )
