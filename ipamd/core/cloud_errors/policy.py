"""The questions that every kind of failure has to answer: what is done about a cloud call that failed."""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What a write that failed may have done."""

    NOTHING = "nothing"
    PARTIAL = "partial"
    """It was accepted and failed on its way: some of it may be there."""
    UNKNOWN = "unknown"
    """Nothing is known: all of it may be there."""


class Repeat(Enum):
    """Which calls may be sent again as they are, soon, after they failed."""

    ANY = "any"
    HARMLESS = "harmless"
    """Reads, and writes that the cloud knows again by their ClientToken: it may have been carried out."""
    NONE = "none"
    """None: the next one would fail alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePolicy:
    """What is done about a failed cloud call. Every kind of failure has an answer to every question."""

    outcome: Outcome
    repeat: Repeat
    needs_operator: bool
    """Whether calls like this one, reads included, fail until somebody acts."""
    retry_after: float
    """Seconds for which a refusal is believed without asking again, and no ADD waits it out; 0 for none."""
    is_shortage: bool
    """Whether something that comes free makes the refusal void."""
    is_of_object: bool
    """Whether it is about the object that the call names, so that another subnet, say, may not meet with it;
    else it is about account, credentials, rate or the way to the cloud."""
    needs_look: bool
    """Whether the state that the object is in by now may explain it, and even be the one that was wanted."""

    @property
    def outcome_unknown(self) -> bool:
        """Whether a write may have been carried out in full."""
        return self.outcome is Outcome.UNKNOWN
