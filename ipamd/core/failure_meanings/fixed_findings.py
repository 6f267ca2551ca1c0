"""What keeps Pods of a node from their fixed addresses, or nodes from giving them back, as findings. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.failure_meanings.refusal_findings import of_refusal
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.vpc_ip.attach_waits import refusal
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


def of_fixed(claims: Iterable[VpcIpClaim], errors: Mapping[str, IpamError]) -> Iterator[Finding]:
    """Yield what is wrong with the claims of a node; `errors` are the agent's last ones by claim UID."""
    names, told = {}, set()
    for claim in claims:
        names[claim.uid] = str(claim)
        if why := claim.problem or refusal(claim):
            told.add(claim.uid)
            yield replace(_finding(str(claim), why), alike="" if claim.problem else why.partition(":")[0])
    for uid, error in errors.items():
        name = names.get(uid, "")
        if uid in told or isinstance(error, TryAgainError):
            continue  # of the latter, something else has to happen first, and does
        if isinstance(error, CloudError):
            yield of_refusal(error, f"vpcipclaim/{name or uid}", name)
        else:
            yield _finding(name or uid, error.message, error.advice)


def _finding(claim: str, text: str, next_step: str = "") -> Finding:
    return Finding(
        code=FindingCode.FIXED_ADDRESS,
        subject=f"pod/{claim}",
        text=text.rstrip("."),
        pods=(claim,),
        next_step=next_step,
    )
