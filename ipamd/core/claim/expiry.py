"""When a retained claim has waited long enough for the next Pod of its name. Pure."""

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
    limit = limit_of(facts, claim)
    if limit is None:
        return None
    if facts.clock_doubt:
        return limit - facts.absent_for if claim.pod_uid else None
    if claim.pod is None or claim.pod.last_seen is None:
        return None
    return max(claim.pod.last_seen + limit - facts.now, facts.rules.least_absence - facts.absent_for)
