"""What the cloud refuses, as findings: one for each cause, whoever met with it. Pure."""

from typing import Final

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError
from ipamd.core.failure_meanings.by_kind import BY_KIND
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding

_EIP_ACTIONS: Final = ("AllocateAddresses",)


def of_refusal(error: IpamError, what: str, pod: str = "") -> Finding:
    """Return the finding for a failed action; `what` says of what, `pod` who waits for it."""
    pods = (pod,) if pod else ()
    if not isinstance(error, CloudError):
        code = FindingCode.EIP_NOT_BOUND if pod else FindingCode.CLOUD_REFUSES
        subject = f"pod/{pod}" if pod else what
        return Finding(code=code, subject=subject, text=error.message, pods=pods, next_step=error.advice)
    return Finding(
        code=_code(error),
        # The action, and not its object: what is denied for one is denied for all.
        subject=f"action/{error.action}",
        text=f"{error.action} is refused with {error.code}: {error.detail}",
        pods=pods,
        next_step=error.advice,
    )


def _code(error: CloudError) -> FindingCode:
    meaning = BY_KIND[error.kind]
    return meaning.order.finding if error.action in _EIP_ACTIONS else meaning.finding


def one_for_each_action(findings: list[Finding]) -> list[Finding]:
    """Return the findings with those of one code about one action made one: the words of the first stay."""
    found: dict[tuple[FindingCode, str], Finding] = {}
    for finding in findings:
        key = finding.code, finding.subject
        first = found.setdefault(key, finding)
        if first is not finding:
            pods = (*first.pods, *finding.pods)
            found[key] = Finding(
                code=first.code,
                subject=first.subject,
                text=first.text,
                pods=pods,
                next_step=first.next_step,
            )
    return list(found.values())
