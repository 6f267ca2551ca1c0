"""Whether cloud, metadata service and API server answer, and whether the node's clock is right.

All are asked now, at once and not for long; only who has answered in this very second is believed without. So
nobody is called away for having been asked nothing. Who does not answer is noted where `ipamctl status` looks
too, so that both say the same. Thread safety: any thread may call.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.timing.durations import text_of
from ipamd.kube.errors import KubeError, UnreachableError
from ipamd.runtime.reachability import Reachability

ASK_SECONDS: Final = 2.0
"""How long an answer is waited for."""
_NOW: Final = 1.0
"""Seconds for which an answer tells that one would come now."""
MOST_APART: Final = 60.0
"""Seconds between the clocks; the cloud refuses signatures at 300."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """One who has to answer."""

    reachability: Reachability
    code: FindingCode
    ask: Callable[[], object]
    """Asks for something small, for ASK_SECONDS at most. Raises: IpamError."""

    @property
    def is_doubted(self) -> bool:
        """Whether it has not answered lately, or not when it was asked last."""
        return bool(self.reachability.unanswered) or self.reachability.age() > _NOW


class OutsideFindings:
    """Asks whoever has not answered lately."""

    def __init__(
        self,
        outsides: tuple[Outside, ...],
        *,
        wall: Callable[[], float],
        clocks: Mapping[str, Callable[[], float | None]],
    ) -> None:
        """Take who has to answer, our wall clock, by whose what tells another's time (None: not seen yet)."""
        self._outsides = outsides
        self._wall = wall
        self._clocks = clocks

    def look(self) -> list[Finding]:
        """Return who does not answer, and whether the clocks are apart."""
        doubted = [outside for outside in self._outsides if outside.is_doubted]
        with ThreadPoolExecutor(max(1, len(doubted)), thread_name_prefix="asking") as asking:
            list(asking.map(_ask, doubted))
        away = [_away(outside, said) for outside in self._outsides for said in outside.reachability.silence()]
        return [*away, *self._clock()]

    def _clock(self) -> list[Finding]:
        told = {whose: self._wall() - at for whose, ask in self._clocks.items() if (at := ask()) is not None}
        wrong = {whose: apart for whose, apart in told.items() if abs(apart) >= MOST_APART}
        if not wrong:
            return []
        texts = [
            f"{text_of(abs(apart))} {'ahead of' if apart > 0 else 'behind'} {whose}'s"
            for whose, apart in wrong.items()
        ]
        text = f"the node's clock is {' and '.join(texts)}"
        return [Finding(code=FindingCode.CLOCK_WRONG, subject="node/clock", text=text)]


def _away(outside: Outside, said: str) -> Finding:
    return Finding(
        code=outside.code,
        subject=f"outside/{outside.reachability.name}",
        text=said,
        because_of=_WAYS,
    )


def _ask(outside: Outside) -> None:
    """Ask, and have it noted when there is no answer."""
    last = outside.reachability.answered_at
    said = _answer(outside)
    if said:
        outside.reachability.waited_in_vain(said, last=last)


def _answer(outside: Outside) -> str:
    """Return why there is no answer, empty when there is one: also a refusal is."""
    try:
        outside.ask()
    except CloudError as e:
        return e.message if e.is_silence else ""
    except UnreachableError as e:
        return e.message
    except KubeError:
        return ""
    except IpamError as e:
        return e.message
    return ""


_WAYS: Final = ("rule/32766", "rule/0", "node/network")
"""Without main, local, link or route the node itself has no network."""
