"""Keeps the condition EgressThroughEIP of bound claims: tells when a NAT gateway is in front of the EIP.

A new binding is judged within seconds, everything again each interval, because routes change without a word.
An error changes no condition: what was true an hour ago helps more than a guess.
Thread safety: `loop.trigger` may be called from any thread.
"""

import time
from collections.abc import Callable
from itertools import chain

from ipamd.controller.claims.ports import Ports
from ipamd.controller.egress.routes import EgressRoutes
from ipamd.core.claim.eipclaim import BOUND, EGRESS_THROUGH_EIP, Claim, condition
from ipamd.core.eip import egress
from ipamd.core.eip.egress import EgressVerdict
from ipamd.core.timing.backoff import Backoff
from ipamd.kube import errors
from ipamd.kube.leases import NotLeaderError
from ipamd.runtime.defects import Survive
from ipamd.runtime.loop import Loop, LoopPace

_SOON = 2.0
"""Seconds between two rounds at least; in that time what was bound meanwhile gathers."""
_BACKOFF = Backoff(first=2.0, longest=300.0)


class EgressChecks:
    """Judges all bound claims now and then, and new ones soon.

    Invariant: writes only while the fence allows it, and only what differs from what stands in the claim.
    """

    def __init__(
        self,
        routes: EgressRoutes,
        ports: Ports,
        *,
        claims: Callable[[], list[Claim]],
        interval: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what gives all claims, and the seconds between two full rounds."""
        self._routes = routes
        self._ports = ports
        self._claims = claims
        self._interval = interval
        self._monotonic = monotonic
        self._due = float("-inf")
        self.loop = Loop(
            "egress",
            self.check,
            policy=Survive(),
            pace=LoopPace(period=interval, pause=_SOON, backoff=_BACKOFF),
            no_news=(NotLeaderError,),  # a late renewal may yet succeed; who has lost for good is stopped
        )

    def check(self) -> float:
        """Do one round: all bound claims, if it is time or nothing is said of one of them yet.

        Raises: CloudError, KubeError, NotLeaderError; the claims stay as they are.
        """
        now = self._monotonic()
        full = now >= self._due
        every = self._claims()
        bound = [claim for claim in every if _bound(claim)]
        judged = bound if full or any(not _judged(claim) for claim in bound) else []
        eni_ids = frozenset(claim.binding.eni_id for claim in judged if claim.binding)
        verdicts = self._routes.look(eni_ids) if judged else {}
        settled = True
        for claim in chain(judged, (c for c in every if c.binding is None)):
            verdict = verdicts.get(claim.binding.eni_id) if claim.binding else None
            # Of an ENI that is gone nothing is known; the agent, or the end of the node, will tell.
            if verdict or claim.binding is None:
                settled &= self._settle(claim, verdict)
        if full and settled:
            self._due = now + self._interval
        being_bound = any(claim.binding and not claim.deleting and not _bound(claim) for claim in every)
        return _SOON if being_bound or not settled else max(0.0, self._due - self._monotonic())

    def _settle(self, claim: Claim, verdict: EgressVerdict | None) -> bool:
        """Bring the claim's condition up to date and tell of a change; False when it changed meanwhile."""
        if not egress.stale(claim, verdict):
            return True
        self._ports.fence.deadline()
        try:
            written = self._ports.writer.write_status(
                claim, egress.patch(claim, verdict, self._ports.clock())
            )
        except errors.ConflictError:
            return False
        except errors.NotFoundError:
            return True
        before = condition(claim.conditions, EGRESS_THROUGH_EIP).get("status")
        if verdict and not verdict.through_eip:
            self._ports.teller.both(written, "Warning", verdict.reason.value, verdict.message)
        elif verdict and before == "False":
            self._ports.teller.both(written, "Normal", verdict.reason.value, verdict.message)
        return True


def _bound(claim: Claim) -> bool:
    """Whether the agent has told that its EIP is bound; until then it writes the status itself."""
    known = condition(claim.conditions, BOUND).get("status")
    return claim.binding is not None and not claim.deleting and known == "True"


def _judged(claim: Claim) -> bool:
    return bool(condition(claim.conditions, EGRESS_THROUGH_EIP))
