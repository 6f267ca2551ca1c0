"""What the conditions of a claim say that an operator has to know, as findings. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.failure_meanings.by_code import BY_CODE
from ipamd.core.failure_meanings.by_kind import BY_KIND
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding

_ORDERS: Final = (
    *(meaning.order for meaning in BY_KIND.values()),
    *(meaning.order for meaning in BY_CODE.values() if meaning.order),
)
_CODES: Final[Mapping[str, FindingCode]] = {
    order.reason.value: order.finding
    for order in _ORDERS
    if order.reason in FAILURES and order.finding is not FindingCode.CLOUD_REFUSES
} | {Reason.EIP_IN_ARREARS.value: FindingCode.ARREARS}
"""Where it is more than that the claim has failed."""
_FAILED: Final = frozenset(reason.value for reason in FAILURES)


def of_claim(claim: Claim) -> Iterator[Finding]:
    """Yield what keeps the claim's Pod from its EIP, or from the use of it.

    That it could not be bound, the agent knows better than the claim.
    """
    for kind in (eipclaim.PROVISIONED, eipclaim.USABLE):
        condition = eipclaim.condition(claim.conditions, kind)
        reason = str(condition.get("reason") or "")
        if condition.get("status") == "False" and reason in _FAILED:
            yield _finding(claim, _CODES.get(reason, FindingCode.CLAIM_FAILED), condition)
            return
    through = eipclaim.condition(claim.conditions, eipclaim.EGRESS_THROUGH_EIP)
    if through.get("status") == "False":
        yield _finding(claim, FindingCode.NAT_GATEWAY_FIRST, through)


def _finding(claim: Claim, code: FindingCode, condition: Mapping[str, Any]) -> Finding:
    return Finding(
        code=code,
        subject=f"pod/{claim}",
        text=f"{condition.get('reason')}: {condition.get('message') or 'no message'}".rstrip("."),
        pods=(str(claim),),
    )
