"""Whether somebody outside (cloud, API server, metadata service) answers, as our own requests have seen it.

Thread safety: any thread may call any method; a value is replaced as a whole.
"""

import time
from collections.abc import Callable
from typing import Final

from ipamd.core.timing.durations import text_of

PATIENCE: Final = 5.0
"""Seconds for which nobody is called silent: one request that fails is repeated, and may succeed."""


class Reachability:
    """Invariant: `unanswered` is empty when the last request that ended had an answer, also a refusal.

    `_waited_for` is true only while `unanswered` is not empty.
    """

    def __init__(self, name: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Take who it is, as people call it, and the clock."""
        self.name: Final = name
        self._monotonic = monotonic
        self._begun = monotonic()
        self.answered_at: float | None = None
        """When it answered well the last time, by the clock; None for never."""
        self.unanswered = ""
        """Why the last request had no answer."""
        self._waited_for = False

    def answered(self) -> None:
        """Note an answer that shows that it works."""
        self.answered_at = self._monotonic()
        self.refused()

    def refused(self) -> None:
        """Note an answer that is a refusal: it is there."""
        self._waited_for, self.unanswered = False, ""

    def failed(self, why: str) -> None:
        """Note that a request had no answer."""
        self.unanswered = why or "no answer"

    def waited_in_vain(self, why: str, *, last: float | None) -> None:
        """Note that somebody has asked only to know, and had no answer: that is believed at once.

        `last` is what `answered_at` was before; an answer to another request that came meanwhile counts more.
        """
        if self.answered_at == last:
            self.unanswered = self.unanswered or why
            self._waited_for = True

    def age(self) -> float:
        """Return the seconds since the last good answer; infinite for never."""
        return float("inf") if self.answered_at is None else self._monotonic() - self.answered_at

    def silence(self) -> list[str]:
        """Return that it does not answer: the last request had none, and the last good one is old.

        It need not be old when somebody has waited for one.
        """
        since = self._begun if self.answered_at is None else self.answered_at
        silent = self.unanswered and (self._waited_for or self._monotonic() - since > PATIENCE)
        return [self.sentence(self.unanswered)] if silent else []

    def sentence(self, why: str) -> str:
        """Return in a sentence that it does not answer."""
        if self.answered_at is None:
            return f"{self.name} does not answer (has not answered since the agent's start): {why}"
        return f"{self.name} does not answer (last good {text_of(self.age())} ago): {why}"
