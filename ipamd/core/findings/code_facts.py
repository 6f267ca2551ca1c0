"""What is the same for all findings of a code, and how bad they are."""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How bad a finding is; in the order of the members, worst first."""

    ERROR = "error"
    """Traffic of Pods is lost, or Pods cannot start."""
    WARNING = "warning"
    """Something will break, or is not known to work."""
    INFO = "info"
    """A fact to know of, and no problem."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFacts:
    """What is the same for all findings of a code."""

    severity: Severity
    meaning: str
    breaks: str
    next_step: str
    mended: bool = False
    """Whether the agent's repair, and so `check --fix`, makes it right."""
