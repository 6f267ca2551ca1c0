"""All findings of this node, in one place: gathered from every part, merged by their causes, worst first.

A part that fails with an error or a defect is a finding itself; the others are told all the same.
Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ipamd.core.errors import IpamError
from ipamd.core.findings.causes import merge_causes
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding

log = logging.getLogger(__name__)

Look = Callable[[], list[Finding]]


class Inspection:
    """What `ipamctl check` asks."""

    def __init__(self, parts: Mapping[str, Look]) -> None:
        """Take who looks at what, by the name of what it is."""
        self._parts = dict(parts)

    def findings(self) -> tuple[Finding, ...]:
        """Look at everything now, all parts at once, and return what is left to be said."""
        with ThreadPoolExecutor(max(1, len(self._parts)), thread_name_prefix="looking") as looking:
            found = looking.map(lambda part: _looked(*part), self._parts.items())
            return merge_causes(finding for part in found for finding in part)


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
