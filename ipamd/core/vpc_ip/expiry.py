"""When a kept VpcIPClaim has waited long enough for the next Pod of its name. Pure."""

from ipamd.core.annotations.eip import expiry_of
from ipamd.core.claim.expiry import Absence, left
from ipamd.core.errors import InvalidInputError
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


def limit_of(facts: VpcIpFacts, claim: VpcIpClaim) -> float | None:
    """Return the seconds for which a kept claim outlives its Pod; None for ever.

    The word of the VpcIP counts first, then that of the claim, its spec, and the controller's flag. One that
    cannot be read keeps the claim.
    """
    if claim.request is None or not claim.retained:
        return None
    for text in (facts.line.expiry if facts.line else "", claim.expiry):
        if text:
            try:
                return expiry_of(text)
            except InvalidInputError:
                return None
    own = claim.request.expire_after
    return facts.rules.expire_after if own is None else own


def seconds_left(facts: VpcIpFacts, claim: VpcIpClaim) -> float | None:
    """Return how long the claim is kept from now on, None for ever (`core.claim.expiry.left`)."""
    absence = Absence(
        last_seen=claim.pod.last_seen if claim.pod else None,
        had_pod=bool(claim.pod_uid),
        seen_for=facts.absent_for,
        clock_doubt=facts.clock_doubt,
    )
    return left(limit_of(facts, claim), absence, now=facts.now, least=facts.rules.least_absence)
