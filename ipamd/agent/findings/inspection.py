"""All findings of this node, in one place: gathered from every part, merged by their causes, worst first.

A check looks at everything. The status page has what the node itself shows, looked at seldom, and beside it
what the last check was told by others.
A part that fails with an error or a defect is a finding itself; the others are told all the same.
Thread safety: any thread may call any method.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from ipamd.core.errors import IpamError
from ipamd.core.findings.causes import merge_causes
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding

log = logging.getLogger(__name__)

Look = Callable[[], list[Finding]]


_REFRESH: Final = 30.0
"""Seconds for which a look at the node serves everybody who only watches: it lists the whole ruleset."""
_REMEMBERED: Final = 3600.0
"""Seconds for which it is told what others have said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFindings:
    """What was found, and how many seconds ago."""

    findings: tuple[Finding, ...]
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    at: float
    found: tuple[Finding, ...]

    def seen(self, now: float) -> SeenFindings:
        return SeenFindings(findings=merge_causes(self.found), age=now - self.at)


class Inspection:
    """What `ipamctl check` asks.

    Invariant: `_own` and `_asked` are the last looks at the parts of their kind, None before the first.
    """

    def __init__(
        self,
        own: Mapping[str, Look],
        asking: Mapping[str, Look],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take who looks at what, by the name of what it is: at the node itself, or by asking others."""
        self._parts: Final = {**own, **asking}
        self._of_node: Final = tuple(own)
        self._of_others: Final = tuple(asking)
        self._monotonic = monotonic
        self._looking = threading.Lock()
        self._own: _Look | None = None
        self._asked: _Look | None = None

    def findings(self) -> tuple[Finding, ...]:
        """Look at everything now, all parts at once, and return what is left to be said."""
        with ThreadPoolExecutor(max(1, len(self._parts)), thread_name_prefix="looking") as looking:
            told = dict(
                zip(self._parts, looking.map(lambda part: _looked(*part), self._parts.items()), strict=True)
            )
        self._own = self._look(told[name] for name in self._of_node)
        self._asked = self._look(told[name] for name in self._of_others)
        return merge_causes(finding for part in told.values() for finding in part)

    def of_node(self) -> SeenFindings:
        """Return what the node itself shows, looked at now unless that was done lately; nobody is asked."""
        with self._looking:
            look = self._own
            if look is None or self._monotonic() - look.at >= _REFRESH:
                look = self._own = self._look(_looked(name, self._parts[name]) for name in self._of_node)
        return look.seen(self._monotonic())

    def of_others(self) -> SeenFindings | None:
        """Return what the last check was told by others; None when none has asked for a long time."""
        look, now = self._asked, self._monotonic()
        return look.seen(now) if look is not None and now - look.at < _REMEMBERED else None

    def _look(self, found: Iterable[list[Finding]]) -> _Look:
        return _Look(found=tuple(finding for part in found for finding in part), at=self._monotonic())


def of_sentences(code: FindingCode, subject: str, sentences: Callable[[], list[str]]) -> Look:
    """Return a part that makes a finding of each sentence."""

    def look() -> list[Finding]:
        return [Finding(code=code, subject=subject, text=sentence) for sentence in sentences()]

    return look


def _looked(what: str, look: Look) -> list[Finding]:
    try:
        return look()
    except IpamError as e:
        return [_not_looked_at(what, e.message, e.advice)]
    except Exception as e:  # the other parts have to be told
        log.exception("%s could not be looked at, by a defect", what)
        return [_not_looked_at(what, f"a defect of the agent: {type(e).__name__}: {e}", "")]


def _not_looked_at(what: str, why: str, advice: str) -> Finding:
    code = FindingCode.NOT_LOOKED_AT
    return Finding(code=code, subject=f"part/{what}", text=f"{what}: {why}", next_step=advice)
