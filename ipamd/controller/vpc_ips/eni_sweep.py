"""Passes over all ENIs that were made for claims: those without claim, and claims whose ENI is gone.

An ENI with the cluster's and a claim's tags and no claim is reported, and deleted with --orphan-sweep=release
when nothing uses it. A claim whose ENI somebody has deleted says so, and gets another with its address.
Thread safety: a pass is for one thread at a time; the counts may be read from any thread.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.enis import ClaimEnis
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.model import Eni
from ipamd.core.vpc_ip import eni_orphans
from ipamd.core.vpc_ip.eni_orphans import OrphanedEni, OwnEniVerdict
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube import errors
from ipamd.kube.watch import Key
from ipamd.runtime.metric import Metric, counter, gauges

log = logging.getLogger(__name__)

_AT_ONCE: Final = 5
"""ENIs deleted in one pass: people have time to notice what is wrongly taken for an orphan."""
_REPEAT: Final = 3600.0
"""Seconds after which an orphan that is still there is told of again."""
_ADVICE: Final[Mapping[OwnEniVerdict, str]] = {
    OwnEniVerdict.USED: "it is left alone; if nobody needs it, unbind its EIP and detach it",
    OwnEniVerdict.DELETE: "with --orphan-sweep=release it would be deleted",
}


class OwnEniSweep:
    """Invariant: what a pass deletes an earlier one has seen, and the API server and the cloud confirm."""

    def __init__(
        self,
        terms: SweepTerms,
        sight: VpcIpSight,
        enis: ClaimEnis,
        *,
        ports: Ports,
        wake: Callable[[Key], None],
    ) -> None:
        """Take what looks, what deletes and marks, and who has a claim looked at."""
        self._terms = terms
        self._book = sight.book
        self._live = sight.live
        self._pauses = sight.pauses
        self._enis = enis
        self._ports = ports
        self._wake = wake
        self._before: dict[str, float] = {}
        self._unlisted: frozenset[str] = frozenset()
        self._told: dict[str, tuple[OwnEniVerdict, float]] = {}
        self._orphans: Mapping[str, int] = {}
        self._deleted = 0
        self._asked = False

    def metrics(self) -> Iterator[Metric]:
        """Yield what the passes have found; of a replica that does not lead, nothing but zeros."""
        yield gauges(
            "tke_eni_orphaned_claim_enis",
            "ENIs made for VpcIPClaims of the cluster that are not there.",
            "state",
            {verdict.value: self._orphans.get(verdict.value, 0) for verdict in OwnEniVerdict},
        )
        yield counter(
            "tke_eni_orphaned_claim_enis_deleted",
            "ENIs made for VpcIPClaims that were deleted without one.",
            self._deleted,
        )

    def make_pass(self) -> float:
        """Look at everything once; return the seconds until it is to be done again.

        Raises: CloudError, KubeError, NotLeaderError; what was not reached waits for the next.
        """
        if not self._book.complete or not self._may_have_any():
            return self._terms.interval
        enis = self._live.at_all_enis()
        # The claims after the ENIs: one that was listed had its claim before.
        claims = self._book.claims()
        if self._terms.mode is not SweepMode.OFF:
            self._sweep(enis, claims)
        self._mend(enis, claims)
        return self._terms.interval

    def _may_have_any(self) -> bool:
        """Whether there may be such ENIs: a cluster without them asks once."""
        first, self._asked = not self._asked, True
        return first or bool(self._before) or any(claim.exclusive for claim in self._book.claims())

    def _sweep(self, enis: list[Eni], claims: list[VpcIpClaim]) -> None:
        now = self._ports.steady()
        found = self._find(enis, claims, now)
        if any(one.verdict is not OwnEniVerdict.YOUNG for one in found):
            # The cache may be behind, and what follows is told to people or cannot be undone.
            claims = self._live.claims()
            found = self._find(enis, claims, now)
        self._before = {one.eni.eni_id: one.since for one in found}
        self._told = {name: told for name, told in self._told.items() if name in self._before}
        self._orphans = Counter(one.verdict.value for one in found)
        for one in found:
            self._report(one, now)
        if self._terms.mode is SweepMode.RELEASE:
            due = [one.eni for one in found if one.verdict is OwnEniVerdict.DELETE]
            for eni in due[:_AT_ONCE]:
                self._delete(eni, claims)

    def _find(self, enis: list[Eni], claims: list[VpcIpClaim], now: float) -> tuple[OrphanedEni, ...]:
        return eni_orphans.find(enis, claims, before=self._before, age=self._terms.age, now=now)

    def _report(self, one: OrphanedEni, now: float) -> None:
        name = one.eni.eni_id
        said, at = self._told.get(name, (OwnEniVerdict.YOUNG, float("-inf")))
        if one.verdict is OwnEniVerdict.YOUNG or (said is one.verdict and now - at < _REPEAT):
            return
        self._told[name] = one.verdict, now
        advice = _ADVICE[one.verdict]
        if one.verdict is OwnEniVerdict.DELETE and self._terms.mode is SweepMode.RELEASE:
            advice = "it is deleted"
        message = f"{name} ({one.eni.primary_ip}) has no VpcIPClaim; {one.verdict.value}: {advice}"
        log.warning("%s", message)
        self._ports.tell("Warning", "OrphanedENI", message)

    def _delete(self, eni: Eni, claims: list[VpcIpClaim]) -> None:
        """Delete an orphan unless it has ceased to be one."""
        now = self._live.at_eni(eni.eni_id)
        if now is None or not eni_orphans.may_delete(now, claims):
            log.info("%s is no orphan any more", eni.eni_id)
            return
        stopped_by = self._enis.give_up(eni.eni_id)
        if stopped_by:
            log.warning("%s is not deleted: %s", eni.eni_id, stopped_by)
            return
        self._deleted += 1
        log.warning("%s (%s) is deleted: no VpcIPClaim answers for it", eni.eni_id, eni.primary_ip)
        self._ports.tell("Normal", "DeletedOrphanedENI", f"{eni.eni_id} ({eni.primary_ip})")

    def _mend(self, enis: list[Eni], claims: list[VpcIpClaim]) -> None:
        """Have claims whose ENI is gone say so, and ask for another."""
        gone, self._unlisted = eni_orphans.lost(claims, enis, before=self._unlisted)
        for claim in gone:
            if claim.address is None or self._live.at_eni(claim.address.eni_id) is not None:
                continue  # its tags were taken off, or the list is old
            message = f"{claim.address.eni_id} was deleted; another ENI gets {claim.address.ip}"
            self._ports.fence.deadline()
            try:
                if self._enis.miss(claim, message) is None:
                    continue
            except (errors.ConflictError, errors.NotFoundError) as e:
                log.debug("VpcIPClaim %s: %s", claim, e)
                continue
            log.warning("VpcIPClaim %s: %s", claim, message)
            self._pauses.reserve_soon(claim.uid)
            self._wake((claim.namespace, claim.name))
