"""How far the start of an agent is: which step of how many, and what it waits for. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from ipamd.core.timing.boottime import Boottime


class StartStep(Enum):
    """The steps of a start, in their order."""

    STORE = "opening the store"
    IDENTITY = "asking the metadata service and the cloud who this node is"
    WATCHES = "reading Pods and EIPClaims from the API server"
    NETWORK = "setting up the node's network, and on a new node looking at the cloud"
    SOCKET = "working off queued DELs and opening the socket"

    @property
    def number(self) -> int:
        """1 for the first."""
        return list(StartStep).index(self) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StartProgress:
    """How far the start is."""

    step: StartStep
    since: Boottime
    """When this step began."""
    waits_for: str = ""
    """What was in the way when it was tried last; empty for nothing."""

    def sentence(self, now: Boottime) -> str:
        """Return it for people."""
        waits = f"; it waits for: {self.waits_for}" if self.waits_for else ""
        where = f"step {self.step.number} of {len(StartStep)}"
        return f"starting, {where} for {max(0.0, now - self.since):.0f} s: {self.step.value}{waits}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "step": self.step.name}


def from_json(content: Any) -> StartProgress | None:
    """Return what was written; None for what is none, for example of another release."""
    if not isinstance(content, Mapping):
        return None
    try:
        return StartProgress(
            step=StartStep[str(content["step"])],
            since=Boottime(float(content["since"])),
            waits_for=str(content.get("waits_for", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None
