"""One difference between what the kernel has of ours and what it has to have. Pure.

Made where kernel and desired state are compared; the repair mends it, CHECK and `ipamctl check` tell it.
"""

from dataclasses import dataclass

from ipamd.core.findings.codes import FindingCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A value; two looks that find the same make equal ones."""

    code: FindingCode
    subject: str
    """As kind/name: rule/512, link/eth1, chain/ip tke_eni prerouting, pod/10.0.1.100."""
    text: str
    """What was found and what has to be, as a sentence without its end."""
    mark: int = 0
    """Of the ENI whose Pods it concerns; 0 when it concerns all, or one Pod."""
    ip: str = ""
    """Of the one Pod that it concerns."""
    mended: bool = True
    """Whether a repair can make it right, if it does so with others of this code."""
    because_of: tuple[str, ...] = ()
    """Subjects whose own differences explain this one."""

    def __str__(self) -> str:
        return f"{self.code.text} {self.subject}: {self.text}"
