"""One step of `kubectl eni uninstall`: what it finds, does and leaves; and the wait for what takes time."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ipamd.ctl import output
from ipamd.kube.client import KubeClient
from ipamd.kube.errors import ConflictError, NotFoundError
from ipamd.kube.resources import Resource

Look = Callable[[], Sequence[str]]
"""Says what is not done yet, one text each; empty when nothing is."""
_POLL: Final = 1.0
_PROGRAM: Final = "kubectl eni uninstall"


@dataclass(kw_only=True)
class StepReport:
    """What became of one step; each entry names an object."""

    step: str
    todo: list[str] = field(default_factory=list)
    """What there was to do."""
    left: list[str] = field(default_factory=list)
    """What is not done, each with why."""
    advice: str = ""
    """What to do about what is left."""
    note: str = ""
    """What else there is to know."""
    stops: bool = True
    """Whether what is left keeps the next steps from being taken."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a step may go on without anything being seen to change."""

    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def until_none(self, what: str, look: Look) -> list[str]:
        """Look until nothing is left; return what is left when it has not changed for the time."""
        seen: list[str] | None = None
        end = 0.0
        while True:
            left = list(look())
            if not left:
                return []
            if left != seen:
                if seen is None or len(left) != len(seen):
                    output.say(f"{what}: waiting for {len(left)}, for example {left[0]}", program=_PROGRAM)
                seen, end = left, self.monotonic() + self.seconds
            if self.monotonic() >= end:
                return left
            self.sleep(_POLL)


def delete(api: KubeClient, kind: Resource, obj: Mapping[str, Any]) -> None:
    """Delete this very object; one that is gone, or has made room for another of its name, is a success."""
    metadata = obj["metadata"]
    with contextlib.suppress(ConflictError, NotFoundError):
        api.delete(kind, metadata["name"], metadata.get("namespace", ""), uid=metadata.get("uid", ""))
