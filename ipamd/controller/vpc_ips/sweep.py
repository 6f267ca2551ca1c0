"""Passes over all claims, their reservations and the book: what the work on single claims cannot see.

Of reservations `keeper_sweep` says what is done. A line of the book whose claim was taken away by force is
struck when no ENI has its address for that claim any more.
Thread safety: a pass is for one thread at a time; the counts may be read from any thread.
"""

import logging
from collections.abc import Callable, Iterator

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.keeper_sweep import AT_ONCE, KeeperSweep
from ipamd.controller.vpc_ips.kept_reservations import KeptReservations
from ipamd.controller.vpc_ips.reservations import Reservations
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.controller.vpc_ips.writer import VpcIpWriter
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.vpc_ip import orphans
from ipamd.core.vpc_ip.actions import LookAtUse
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube.watch import Key
from ipamd.runtime.metric import Metric

log = logging.getLogger(__name__)


class VpcIpSweep:
    """Invariant: what a pass releases or strikes an earlier one has seen, and live looks confirm."""

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
        self._writer = writer
        self._ports = ports
        kind = KeptReservations(sight, reservations, writer, ports=ports)
        self._reservations = KeeperSweep(terms, kind, sight, ports=ports, wake=wake)
        self._stray_before: dict[str, float] = {}

    def metrics(self) -> Iterator[Metric]:
        """Yield what the passes have found; of a replica that does not lead, nothing but zeros."""
        return self._reservations.metrics()

    def make_pass(self) -> float:
        """Look at everything once; return the seconds until it is to be done again.

        Raises: CloudError, KubeError, NotLeaderError; what was not reached waits for the next.
        """
        if self._book.complete:
            self._reservations.make_pass()
            claims = self._book.claims()
            self._pauses.forget_others({claim.uid for claim in claims})
            self._strike_strays(claims)
        return self._terms.interval

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
