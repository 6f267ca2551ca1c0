"""When those who wait for EIPs are due to be told, learnt from earlier waits of their kind. Pure.

The first look at an EIP is due when a write of its kind is probably over, by what earlier ones took. One that
came too early is followed by another when most of those were over that took longer; then they come in steps,
and more and more seldom as the write ages. Seconds are of any monotonic clock.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ipamd.core.timing.expected_duration import ExpectedDuration


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPace:
    """When to poll, in seconds."""

    gather: float = 0.05
    """By which a poll may come late, so that a burst of writes shares it."""
    shortest: float = 0.01
    """Between two polls."""
    step: float = 0.05
    """Between two polls for one wait, at least, where nothing better is known."""
    longest: float = 2.0
    """Between two polls for one wait."""
    patience: float = 5.0
    """Until the first poll for one wait, at most: only a look tells that a slow cloud is quick again."""
    growth: float = 0.2
    """Pause after a poll that came too early, as a part of the time that was waited for."""

    def next_poll(self, last_poll: float, due: Collection[float]) -> float:
        """Return when to poll next, for waits that are due at these times; one at least. Pure."""
        return max(self.together(min(due), due), last_poll + self.shortest)

    def together(self, first: float, due: Iterable[float]) -> float:
        """Return when to poll for what is due at `first`, together with what is due soon after it. Pure."""
        return max((time for time in due if time <= first + self.gather), default=first)

    def first(self, expected: ExpectedDuration) -> float:
        """Return the seconds until the first poll for a wait of this kind. Pure."""
        return min(expected.seconds, self.patience)

    def pause(self, waited: float, expected: ExpectedDuration) -> float:
        """Return the seconds until the next poll for a wait of this age and kind. Pure."""
        pause = min(max(waited * self.growth, self.step), self.longest)
        over = expected.most_over(waited)
        return pause if over is None else min(pause, max(over - waited, self.shortest))


@dataclass(slots=True, eq=False)
class PollWait:
    """One wait for the effect of a write."""

    kind: str
    """The action whose effect is waited for: such waits take about as long. Nothing is learnt without one."""
    joined: float
    due: float
    """When the next poll is to come."""
    looks: int = 0
    """Polls that were answered, and came when they were due, or later."""
    waited: float = 0.0
    """Seconds after which the last answered poll was to come, or came before that."""
    polled: float = 0.0
    """Seconds after which it came."""
    too_early: float = 0.0
    """Seconds after which the answered poll before it came, if that was no sooner than due; 0 for none."""


class PollPlan:
    """What was learnt, and the last poll. For one thread at a time.

    Invariant: `_expected` knows a kind by waits that have ended only.
    """

    def __init__(self, pace: PollPace) -> None:
        """Know nothing yet."""
        self._pace = pace
        self._last_poll = float("-inf")
        self._expected: defaultdict[str, ExpectedDuration] = defaultdict(ExpectedDuration)

    def first_look(self, kind: str) -> float:
        """Return after how many seconds a wait of this kind should be looked at first."""
        return self._pace.first(self._expected[kind])

    def next_poll(self, waits: Collection[PollWait]) -> float:
        """Return when to poll next for these; one at least."""
        return self._pace.next_poll(self._last_poll, [wait.due for wait in waits])

    def polls(self, now: float) -> None:
        """Note that a poll begins."""
        self._last_poll = now

    def answered(self, wait: PollWait) -> None:
        """Let a wait whose time had come be due again in a while, should the poll not be enough.

        One that was not answered has shown nothing: the wait stays due.
        """
        now = self._last_poll
        if wait.looks:
            wait.too_early = wait.polled
        wait.polled = now - wait.joined
        # A poll that is late because the machine is busy must not make the next ones later.
        wait.waited = min(now, wait.due) - wait.joined
        if wait.due <= now:
            wait.looks += 1
            wait.due = now + self._pace.pause(now - wait.joined, self._expected[wait.kind])

    def ended(self, wait: PollWait) -> None:
        """Learn from a wait whose last poll has shown what was waited for."""
        if wait.kind:
            self._expected[wait.kind].observe(wait.waited, seen=wait.polled, too_early=wait.too_early)
