"""What the conditions of a claim say that an operator has to know, as findings. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.reason import FAILURES, Reason
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding

_CODES: Final[Mapping[str, FindingCode]] = {
    Reason.QUOTA_EXCEEDED.value: FindingCode.EIP_QUOTA,
    Reason.PERMISSION_DENIED.value: FindingCode.CAM_DENIED,
    Reason.NO_MONEY.value: FindingCode.ARREARS,
    Reason.EIP_IN_ARREARS.value: FindingCode.ARREARS,
    Reason.CREDENTIALS_REFUSED.value: FindingCode.CREDENTIALS_REFUSED,
    Reason.CLOCK_WRONG.value: FindingCode.CLOCK_WRONG,
}
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
