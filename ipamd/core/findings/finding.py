"""One thing that is wrong, or worth knowing, as it is shown to an operator. Pure values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ipamd.core.findings.code_facts import Severity
from ipamd.core.findings.codes import FindingCode

MOST_NAMED: Final = 3
"""How many Pods a sentence names; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Invariant: `pods` are in order and without repeats, as namespace/name."""

    code: FindingCode
    subject: str
    """What it is about, as kind/name: link/eth1, pod/default/web-0."""
    text: str
    """What was found and what should be, a sentence without its end."""
    pods: tuple[str, ...] = ()
    """Whose traffic, or start, it breaks."""
    breaks: str = ""
    """Other words than the code's for what it breaks."""
    next_step: str = ""
    """Other words than the code's for what to do."""
    mended: bool | None = None
    """Whether the repair makes it right; None: as the code says."""
    severity: Severity | None = None
    """None: as the code says."""
    because_of: tuple[str, ...] = ()
    """Subjects whose own findings explain this one."""
    alike: str = ""
    """What befalls Pods alike has the same code, level and this."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "pods", tuple(sorted(set(self.pods))))

    @property
    def level(self) -> Severity:
        """How bad it is."""
        return self.severity or self.code.facts.severity

    @property
    def broken(self) -> str:
        """What it breaks."""
        return self.breaks or self.code.facts.breaks

    @property
    def advice(self) -> str:
        """What to do next."""
        return self.next_step or self.code.facts.next_step

    @property
    def is_mended(self) -> bool:
        """Whether the repair makes it right."""
        return self.code.facts.mended if self.mended is None else self.mended

    @property
    def is_problem(self) -> bool:
        """Whether somebody should be woken: a fact is none."""
        return self.level is not Severity.INFO

    def __str__(self) -> str:
        affected = f" ({named(self.pods)})" if self.pods else ""
        return f"{self.code.text} {self.subject}: {self.text}{affected}; {self.advice}"


def named(pods: Iterable[str]) -> str:
    """Return up to a few Pods by name and the number of the others, empty for none."""
    listed = list(pods)
    if not listed:
        return ""
    shown = ", ".join(listed[:MOST_NAMED])
    more = len(listed) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
