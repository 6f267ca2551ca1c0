"""When a retained claim has waited long enough for the next Pod of its name. Pure."""

from dataclasses import dataclass

from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.facts import ClaimFacts


def limit_of(facts: ClaimFacts, claim: Claim) -> float | None:
    """Return the seconds for which the claim outlives its Pod: its own word, else the operator's."""
    if claim.request is None or not claim.retained:
        return None
    own = claim.request.expire_after
    return facts.rules.expire_after if own is None else own


def seconds_left(facts: ClaimFacts, claim: Claim) -> float | None:
    """Return how long the claim is kept from now on, None for ever; counted from when its Pod was missed.

    Dates alone delete nothing: they were written by the clocks of perhaps several leaders. And while the wall
    clock is not believed no date counts: then this process must itself have missed the Pod for all of the
    time, by its steady clock. That is never shorter than by true dates, as it begins anew with each process.
    """
    absence = Absence(
        last_seen=claim.pod.last_seen if claim.pod else None,
        had_pod=bool(claim.pod_uid),
        seen_for=facts.absent_for,
        clock_doubt=facts.clock_doubt,
    )
    return left(limit_of(facts, claim), absence, now=facts.now, least=facts.rules.least_absence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """For how long a kept claim, of whatever kind, has been without its Pod."""

    last_seen: float | None
    """When the Pod was found to be gone, by the claim; None when it does not say."""
    had_pod: bool
    """Whether the claim has ever had one."""
    seen_for: float
    """Seconds for which this process has missed the Pod at every look, by a steady clock."""
    clock_doubt: str
    """Why the wall clock is not believed."""


def left(limit: float | None, absence: Absence, *, now: float, least: float) -> float | None:
    """Return the seconds for which a claim with this limit is kept from now on; see `seconds_left`."""
    if limit is None:
        return None
    if absence.clock_doubt:
        return limit - absence.seen_for if absence.had_pod else None
    if absence.last_seen is None:
        return None
    return max(absence.last_seen + limit - now, least - absence.seen_for)
