"""Passes over all reservations, claims and the book: what the work on single claims cannot see.

A reservation with the cluster's tags and no claim is reported, and released with --orphan-sweep=release. A
claim whose reservation somebody has deleted says so, and its address is reserved again. A line of the book
whose claim was taken away by force is struck when no ENI has its address for that claim any more.
Thread safety: a pass is for one thread at a time; the counts may be read from any thread.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core import model
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.vpc_ip import orphans, status
from ipamd.core.vpc_ip.actions import LookAtUse
from ipamd.core.vpc_ip.orphans import OrphanedReservation, ReservationVerdict
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube import errors
from ipamd.kube.watch import Key
from ipamd.runtime.metric import Metric, counter, gauges

log = logging.getLogger(__name__)

AT_ONCE = 5
"""Reservations released in one pass: people have time to notice what is wrongly taken for an orphan."""
_REPEAT = 3600.0
"""Seconds after which an orphan that is still there is told of again."""
_ADVICE: Mapping[ReservationVerdict, str] = {
    ReservationVerdict.BOUND: "it is left alone; if nobody needs the address, unassign it",
    ReservationVerdict.RELEASE: "with --orphan-sweep=release it would be released",
}


class VpcIpSweep:
    """Invariant: what a pass releases an earlier one has seen, and the API server and the cloud confirm."""

    def __init__(
        self,
        terms: SweepTerms,
        sight: VpcIpSight,
        reservations: Reservations,
        writer: VpcIpWriter,
        *,
        ports: Ports,
        wake: Callable[[Key], None],
    ) -> None:
        """Take what looks, what releases and what writes, and who has a claim looked at."""
        self._terms = terms
        self._book = sight.book
        self._live = sight.live
        self._pauses = sight.pauses
        self._reservations = reservations
        self._writer = writer
        self._ports = ports
        self._wake = wake
        self._before: dict[str, float] = {}
        self._stray_before: dict[str, float] = {}
        self._unlisted: frozenset[str] = frozenset()
        self._told: dict[str, tuple[ReservationVerdict, float]] = {}
        self._orphans: Mapping[str, int] = {}
        self._released = 0
        self._asked = False

    def metrics(self) -> Iterator[Metric]:
        """Yield what the passes have found; of a replica that does not lead, nothing but zeros."""
        yield gauges(
            "tke_eni_orphaned_reservations",
            "Reserved private addresses of the cluster that no VpcIPClaim answers for.",
            "state",
            {verdict.value: self._orphans.get(verdict.value, 0) for verdict in ReservationVerdict},
        )
        yield counter(
            "tke_eni_orphaned_reservations_released",
            "Reserved private addresses without VpcIPClaim that were released.",
            self._released,
        )

    def make_pass(self) -> float:
        """Look at everything once; return the seconds until it is to be done again.

        Raises: CloudError, KubeError, NotLeaderError; what was not reached waits for the next.
        """
        if not self._book.complete:
            return self._terms.interval
        reservations = self._live.at_all_reservations() if self._may_have_any() else None
        # The claims after the reservations: one that was listed had its claim before.
        claims = self._book.claims()
        self._pauses.forget_others({claim.uid for claim in claims})
        if reservations is not None:
            if self._terms.mode is not SweepMode.OFF:
                self._sweep(reservations, claims)
            self._mend(reservations, claims)
        self._strike_strays(claims)
        return self._terms.interval

    def _may_have_any(self) -> bool:
        """Whether there may be reservations: a cluster without fixed addresses asks once."""
        first, self._asked = not self._asked, True
        return first or bool(self._before) or bool(self._book.lines()) or bool(self._book.claims())

    def _sweep(self, reservations: list[model.Reservation], claims: list[VpcIpClaim]) -> None:
        now = self._ports.steady()
        found = self._find(reservations, claims, now)
        ripe = [one for one in found if one.verdict is not ReservationVerdict.YOUNG]
        if ripe:  # the cache may be behind, and what follows is told to people or cannot be undone
            claims = self._live.claims()
            found = self._find(reservations, claims, now)
        self._before = {one.reservation.reservation_id: one.since for one in found}
        self._told = {name: told for name, told in self._told.items() if name in self._before}
        self._orphans = Counter(one.verdict.value for one in found)
        for one in found:
            self._report(one, now)
        if self._terms.mode is SweepMode.RELEASE:
            due = [one.reservation for one in found if one.verdict is ReservationVerdict.RELEASE]
            for reservation in due[:AT_ONCE]:
                self._release(reservation, claims)

    def _find(
        self, reservations: list[model.Reservation], claims: list[VpcIpClaim], now: float
    ) -> tuple[OrphanedReservation, ...]:
        return orphans.find(reservations, claims, before=self._before, age=self._terms.age, now=now)

    def _report(self, one: OrphanedReservation, now: float) -> None:
        name = one.reservation.reservation_id
        said, at = self._told.get(name, (ReservationVerdict.YOUNG, float("-inf")))
        if one.verdict is ReservationVerdict.YOUNG or (said is one.verdict and now - at < _REPEAT):
            return
        self._told[name] = one.verdict, now
        advice = _ADVICE[one.verdict]
        if one.verdict is ReservationVerdict.RELEASE and self._terms.mode is SweepMode.RELEASE:
            advice = "it is released"
        message = f"{name} ({one.reservation.ip}) has no VpcIPClaim; {one.verdict.value}: {advice}"
        log.warning("%s", message)
        self._ports.tell("Warning", "OrphanedReservation", message)

    def _release(self, reservation: model.Reservation, claims: list[VpcIpClaim]) -> None:
        """Release an orphan unless it has ceased to be one."""
        name = reservation.reservation_id
        now = self._live.at_reservation(reservation)
        if now is None or not orphans.may_release(now, claims):
            log.info("%s is no orphan any more", name)
            return
        stopped_by = self._reservations.give_up(now.vpc_id, now.reservation_id)
        if stopped_by:
            log.warning("%s is not released: %s", name, stopped_by)
            return
        self._released += 1
        log.warning("%s (%s) is released: no VpcIPClaim answers for it", name, reservation.ip)
        self._ports.tell("Normal", "ReleasedOrphanedReservation", f"{name} ({reservation.ip})")

    def _mend(self, reservations: list[model.Reservation], claims: list[VpcIpClaim]) -> None:
        """Have claims whose reservation is gone say so, and ask for another."""
        gone, self._unlisted = orphans.lost(claims, reservations, before=self._unlisted)
        for claim in gone:
            if self._live.at_recorded(claim):
                continue  # its tags were taken off, or the list is old
            message = "the reservation was deleted; the address is reserved again"
            patch = status.not_reserved(claim, VpcIpReason.RESERVATION_LOST, message, self._ports.clock())
            if patch is None:
                continue
            self._ports.fence.deadline()
            try:
                self._writer.write_status(claim, patch)
            except (errors.ConflictError, errors.NotFoundError) as e:
                log.debug("VpcIPClaim %s: %s", claim, e)
                continue
            log.warning("VpcIPClaim %s: %s", claim, message)
            self._pauses.reserve_soon(claim.uid)
            self._wake((claim.namespace, claim.name))

    def _strike_strays(self, claims: list[VpcIpClaim]) -> None:
        """Take lines out of the book whose claims were taken away by force."""
        now = self._ports.steady()
        ripe, sightings = orphans.lines_without_claim(
            self._book.lines(), claims, before=self._stray_before, age=self._terms.age, now=now
        )
        self._stray_before = sightings
        if not ripe or self._terms.mode is SweepMode.OFF:
            return
        living = {claim.uid for claim in self._live.claims()}
        for line in [one for one in ripe if one.claim_uid not in living][:AT_ONCE]:
            self._strike(line)

    def _strike(self, line: VpcIp) -> None:
        use = self._live.at_use(LookAtUse(ip=line.ip, subnet_id=line.subnet_id))
        if use.claim_uid == line.claim_uid:
            log.warning("VpcIP %s has no VpcIPClaim, and is still at %s: it is left alone", line, use.place)
            return
        self._ports.fence.deadline()
        self._writer.strike(line)
        log.warning("VpcIP %s is out of the book: its VpcIPClaim is gone", line)
