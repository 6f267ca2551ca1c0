"""Passes over all keepers of one kind, reservations or ENIs: those without claim, and claims without theirs.

One with the cluster's and a claim's tags and no claim is reported, and given up with --orphan-sweep=release
when nothing uses it. A claim whose keeper somebody has deleted says so, and gets another for its address.
Thread safety: a pass is for one thread at a time; the counts may be read from any thread.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.vpc_ips.sight import VpcIpSight
from ipamd.core.eip.orphans import SweepMode, SweepTerms
from ipamd.core.vpc_ip import orphans
from ipamd.core.vpc_ip.keepers import AddressKeeper
from ipamd.core.vpc_ip.orphans import KeeperVerdict, OrphanedKeeper
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress, VpcIpClaim
from ipamd.kube import errors
from ipamd.kube.watch import Key
from ipamd.runtime.metric import Metric, counter, gauges

log = logging.getLogger(__name__)

AT_ONCE: Final = 5
"""Given up in one pass: people have time to notice what is wrongly taken for an orphan."""
_REPEAT: Final = 3600.0
"""Seconds after which an orphan that is still there is told of again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepWords:
    """How people and graphs are told of the keepers of one kind."""

    given_up: str
    """What is done to an orphan, as `released`."""
    used: str
    """What one is that may not be given up."""
    used_advice: str
    found_event: str
    given_up_event: str
    found_metric: tuple[str, str]
    """Name and text."""
    given_up_metric: tuple[str, str]

    def verdict(self, verdict: KeeperVerdict) -> str:
        """Return what people read of it."""
        return self.used if verdict is KeeperVerdict.USED else verdict.value


class KeeperKind(Protocol):
    """What is different for reservations and ENIs. Methods that ask or write raise as `make_pass`."""

    @property
    def words(self) -> SweepWords:
        """How they are spoken of."""

    def may_exist(self) -> bool:
        """Whether the copies speak of any: a cluster without them asks once."""

    def listed(self) -> list[AddressKeeper] | None:
        """Return those of the cluster; None where the cloud shows none."""

    def now(self, one: AddressKeeper) -> AddressKeeper | None:
        """Return it as it is now, None when it is gone."""

    def give_up(self, one: AddressKeeper) -> str:
        """Give it back to the cloud; return why it is not, empty when it is."""

    def recorded(self, address: FixedAddress) -> str:
        """Return the id of the one that the address has; empty for none."""

    def is_there(self, claim: VpcIpClaim) -> bool:
        """Whether the one that the claim records is there, by a live look."""

    def mark_lost(self, claim: VpcIpClaim) -> str:
        """Have the claim say that its own is gone; return how, empty when it says so already."""


class KeeperSweep:
    """Invariant: what a pass gives up an earlier one has seen, and the API server and the cloud confirm."""

    def __init__(
        self,
        terms: SweepTerms,
        kind: KeeperKind,
        sight: VpcIpSight,
        *,
        ports: Ports,
        wake: Callable[[Key], None],
    ) -> None:
        """Take what is swept, what looks, and who has a claim looked at."""
        self._terms = terms
        self._kind = kind
        self._book = sight.book
        self._live = sight.live
        self._pauses = sight.pauses
        self._ports = ports
        self._wake = wake
        self._before: dict[str, float] = {}
        self._unlisted: frozenset[str] = frozenset()
        self._told: dict[str, tuple[KeeperVerdict, float]] = {}
        self._orphans: Mapping[KeeperVerdict, int] = {}
        self._given_up = 0
        self._asked = False

    def metrics(self) -> Iterator[Metric]:
        """Yield what the passes have found; of a replica that does not lead, nothing but zeros."""
        words, orphaned = self._kind.words, self._orphans
        counts = {words.verdict(verdict): orphaned.get(verdict, 0) for verdict in KeeperVerdict}
        yield gauges(*words.found_metric, "state", counts)
        yield counter(*words.given_up_metric, self._given_up)

    def make_pass(self) -> float:
        """Look at everything once; return the seconds until it is to be done again.

        Raises: CloudError, KubeError, NotLeaderError; what was not reached waits for the next.
        """
        if not self._book.complete or not self._may_have_any():
            return self._terms.interval
        keepers = self._kind.listed()
        if keepers is None:
            return self._terms.interval
        # The claims after the keepers: one that was listed had its claim before.
        claims = self._book.claims()
        if self._terms.mode is not SweepMode.OFF:
            self._sweep(keepers, claims)
        self._mend(keepers, claims)
        return self._terms.interval

    def _may_have_any(self) -> bool:
        first, self._asked = not self._asked, True
        return first or bool(self._before) or self._kind.may_exist()

    def _sweep(self, keepers: list[AddressKeeper], claims: list[VpcIpClaim]) -> None:
        now = self._ports.steady()
        found = self._find(keepers, claims, now)
        if any(one.verdict is not KeeperVerdict.YOUNG for one in found):
            # The cache may be behind, and what follows is told to people or cannot be undone.
            claims = self._live.claims()
            found = self._find(keepers, claims, now)
        self._before = {one.keeper.name: one.since for one in found}
        self._told = {name: told for name, told in self._told.items() if name in self._before}
        self._orphans = Counter(one.verdict for one in found)
        for one in found:
            self._report(one, now)
        if self._terms.mode is SweepMode.RELEASE:
            due = [one.keeper for one in found if one.verdict is KeeperVerdict.UNUSED]
            for keeper in due[:AT_ONCE]:
                self._give_up(keeper, claims)

    def _find(
        self, keepers: list[AddressKeeper], claims: list[VpcIpClaim], now: float
    ) -> tuple[OrphanedKeeper, ...]:
        return orphans.find(keepers, claims, before=self._before, age=self._terms.age, now=now)

    def _report(self, one: OrphanedKeeper, now: float) -> None:
        keeper, words = one.keeper, self._kind.words
        said, at = self._told.get(keeper.name, (KeeperVerdict.YOUNG, float("-inf")))
        if one.verdict is KeeperVerdict.YOUNG or (said is one.verdict and now - at < _REPEAT):
            return
        self._told[keeper.name] = one.verdict, now
        what = f"{keeper.name} ({keeper.ip}) has no VpcIPClaim; {words.verdict(one.verdict)}"
        message = f"{what}: {self._advice(one.verdict)}"
        log.warning("%s", message)
        self._ports.tell("Warning", words.found_event, message)

    def _advice(self, verdict: KeeperVerdict) -> str:
        words = self._kind.words
        if verdict is KeeperVerdict.USED:
            return f"it is left alone; {words.used_advice}"
        if self._terms.mode is SweepMode.RELEASE:
            return f"it is {words.given_up}"
        return f"with --orphan-sweep=release it would be {words.given_up}"

    def _give_up(self, listed: AddressKeeper, claims: list[VpcIpClaim]) -> None:
        """Give an orphan up unless it has ceased to be one."""
        name, words = listed.name, self._kind.words
        now = self._kind.now(listed)
        if now is None or not orphans.may_give_up(now, claims):
            log.info("%s is no orphan any more", name)
            return
        stopped_by = self._kind.give_up(now)
        if stopped_by:
            log.warning("%s is not %s: %s", name, words.given_up, stopped_by)
            return
        self._given_up += 1
        log.warning("%s (%s) is %s: no VpcIPClaim answers for it", name, listed.ip, words.given_up)
        self._ports.tell("Normal", words.given_up_event, f"{name} ({listed.ip})")

    def _mend(self, keepers: list[AddressKeeper], claims: list[VpcIpClaim]) -> None:
        """Have claims whose keeper is gone say so, and ask for another."""
        gone, self._unlisted = orphans.lost(
            claims, keepers, recorded=self._kind.recorded, before=self._unlisted
        )
        for claim in gone:
            if self._kind.is_there(claim):
                continue  # its tags were taken off, or the list is old
            self._ports.fence.deadline()
            try:
                message = self._kind.mark_lost(claim)
            except (errors.ConflictError, errors.NotFoundError) as e:
                log.debug("VpcIPClaim %s: %s", claim, e)
                continue
            if message:
                log.warning("VpcIPClaim %s: %s", claim, message)
                self._pauses.reserve_soon(claim.uid)
                self._wake((claim.namespace, claim.name))
