"""Passes over the whole cluster: EIPs without claim are reported or released, claims without EIP are mended.

What the work on single claims cannot see is looked for here, and each pass notes whether the switch holds
releases back. `ipamd.core.eip.orphans` says what is an orphan and what may be done about it; a claim whose
recorded EIP the cloud does not have in two passes (somebody released it in the console) loses its record, and
so gets an EIP anew, or says why it cannot.
Thread safety: a pass is for one thread at a time; `counts` may be read from any thread.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Protocol

from ipamd.controller.claims.ports import Ports
from ipamd.controller.sweep.losses import ClaimLosses
from ipamd.core import model, tags
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.reason import Reason
from ipamd.core.eip import orphans
from ipamd.core.eip.orphans import Orphan, OrphanVerdict, SweepMode, SweepTerms
from ipamd.core.eip_pool import eippool
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.timing.deadline import Deadline
from ipamd.kube.errors import KubeError
from ipamd.runtime.metric import Metric, counter, gauge, gauges

log = logging.getLogger(__name__)

AT_ONCE = 5
"""EIPs released in one pass: whatever was wrongly taken for an orphan, a person has time to notice."""
_REST = 9.0
"""How many times as long as a pass the next one waits: the account's rate is for claims, not for passes."""
_BELIEVED = 3.0
"""How many times as long as the pause between two passes what the last one saw is believed."""
_UNSEEN = (
    "the cluster's EIPs could not be compared with its claims lately, so what the cloud does not show may "
    "exist: no EIP is given up or ordered a second time; the log of the controller says why the sweep failed"
)
_REPEAT = 3600.0
"""Seconds after which an orphan that is still there is told of again."""
_ADVICE: Mapping[OrphanVerdict, str] = {
    OrphanVerdict.BOUND: "it is left alone; if nobody needs it, unbind and release it",
    OrphanVerdict.UNSETTLED: "it is looked at again",
    OrphanVerdict.UNKNOWN_MAKER: "it is left alone; if nobody needs it, release it",
    OrphanVerdict.SPARE: "it is left alone, and released with the claim; if nobody needs it, release it now",
    OrphanVerdict.RELEASE: "with --orphan-sweep=release it would be released",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCounts:
    """What the passes of this process have come to."""

    passes: int = 0
    failures: int = 0
    """Passes that ended early, for example because the cloud did not answer."""
    orphans: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """EIPs without claim now, by what the last pass found them to be (values of `OrphanVerdict`)."""
    released: int = 0
    claims_without_eip: int = 0
    """How often a claim was found whose EIP is no more."""
    locked: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """EIPs of claims that the cloud has locked, by the reason in their condition."""
    blind: str = ""
    """Why no claim is mended: too many EIPs are not shown at once; empty when all is well."""
    stopped_by: str = ""
    """Why releases were held back when the last pass asked; those of claims are as well."""


class SweepCloud(Protocol):
    """What looks at EIPs: `TencentCloud`. Raises: CloudError."""

    def describe_eips(self, *, tags: dict[str, str], deadline: Deadline | None = None) -> list[model.Eip]:
        """Return the EIPs that have all of these tags."""

    def describe_eip(self, eip_id: str, deadline: Deadline | None = None) -> model.Eip | None:
        """Return one EIP, or None if it does not exist."""


class ClaimReader(Protocol):
    """What knows the claims, and the pools that they take EIPs of."""

    def claims(self) -> list[Claim]:
        """Return those of the watch cache."""

    def live(self) -> list[Claim]:
        """Return those of the API server, all of them. Raises: KubeError."""

    def pools(self) -> list[EipPool]:
        """Return the EIPPools of the watch cache."""


class Sweep:
    """Invariant: what a pass releases an earlier one has seen, and the API server and the cloud confirm."""

    def __init__(
        self,
        terms: SweepTerms,
        cluster_id: str,
        *,
        cloud: SweepCloud,
        claims: ClaimReader,
        ports: Ports,
        losses: ClaimLosses,
    ) -> None:
        self._terms = terms
        self._cluster_id = cluster_id
        self._cloud = cloud
        self._claims = claims
        self._ports = ports
        self._losses = losses
        self._before: dict[str, float] = {}
        self._told: dict[str, tuple[OrphanVerdict, float]] = {}
        self._leaving: set[str] = set()  # released, and not yet seen to be gone
        self._believed_until: float | None = None
        self.counts = SweepCounts()

    def metrics(self) -> Iterator[Metric]:
        """Yield what the passes have found; of a replica that does not lead, nothing but zeros."""
        counts = self.counts
        yield gauges(
            "tke_eni_orphaned_eips",
            "EIPs of the cluster that no EIPClaim answers for.",
            "state",
            {fate.value: counts.orphans.get(fate.value, 0) for fate in OrphanVerdict},
        )
        for name, text, value in (
            ("tke_eni_sweeps", "Passes over all EIPs and EIPClaims.", counts.passes),
            ("tke_eni_sweeps_failed", "Passes that ended early.", counts.failures),
            ("tke_eni_orphaned_eips_released", "EIPs without EIPClaim that were released.", counts.released),
            ("tke_eni_claims_without_eip", "EIPClaims found whose EIP was gone.", counts.claims_without_eip),
        ):
            yield counter(name, text, value)
        yield gauge(
            "tke_eni_releases_stopped",
            "1 on the leader while the switch, or one that cannot be read, holds releases back (last pass).",
            int(bool(counts.stopped_by)),
        )
        yield gauges(
            "tke_eni_eips_locked",
            "EIPs of EIPClaims that the cloud has locked (last pass).",
            "reason",
            {r.value: counts.locked.get(r.value, 0) for r in (Reason.EIP_BLOCKED, Reason.EIP_IN_ARREARS)},
        )
        yield gauge(
            "tke_eni_eips_not_shown",
            "1 on the leader while the cloud shows so many EIPs no more that none is believed to be gone.",
            int(bool(counts.blind)),
        )

    def make_pass(self) -> float:
        """Look at everything once; return the seconds until it is to be done again.

        Raises: CloudError, KubeError, TryAgainError, NotLeaderError; what was not reached waits for the next.
        """
        self._count(stopped_by=self._stopped_by())
        begun = self._ports.steady()
        try:
            eips = tuple(self._cloud.describe_eips(tags=tags.of_cluster(self._cluster_id)))
            self._complete_releases({eip.eip_id for eip in eips})
            # The claims after the EIPs: an EIP that was listed had its claim before.
            claims = self._claims.claims()
            if self._terms.mode is not SweepMode.OFF:
                self._sweep(eips, claims)
            found = self._losses.mend(claims, eips)
            self._count(blind=self._losses.blind, locked=self._losses.locked)
            self._count(claims_without_eip=self.counts.claims_without_eip + found)
        except Exception:
            self._count(failures=self.counts.failures + 1)
            raise
        finally:
            self._count(passes=self.counts.passes + 1)
        now = self._ports.steady()
        pause = max(self._terms.interval, _REST * (now - begun))
        self._believed_until = now + _BELIEVED * pause
        if not self.counts.blind:
            self._ports.sweep_waits.wake()
        return pause

    def doubt(self) -> str:
        """Return why it is not believed that EIPs which the cloud does not show are gone; empty when it is.

        Any thread may ask.
        """
        until = self._believed_until
        if self.counts.blind or until is None:
            return self.counts.blind or _UNSEEN
        return _UNSEEN if self._ports.steady() > until else ""

    def _stopped_by(self) -> str:
        """Return by what all releases are held back now: also by a switch that cannot be read."""
        try:
            return self._ports.release_stopped()
        except KubeError as e:
            log.debug("whether releases are stopped could not be asked: %s", e)
            return f"it could not be asked whether they are stopped: {e}"

    def _sweep(self, eips: tuple[model.Eip, ...], claims: list[Claim]) -> None:
        now = orphans.SweepTime(wall=self._ports.clock(), steady=self._ports.steady())
        found = self._find(eips, claims, now)
        if any(self._is_news(orphan, now) for orphan in found) or self._releasable(found):
            # The cache may be behind, and what follows is told to people or cannot be undone.
            claims = self._claims.live()
            found = self._find(eips, claims, now)
        self._before = orphans.sightings(found)
        self._count(orphans=MappingProxyType(Counter(orphan.fate.value for orphan in found)))
        for orphan in found:
            if self._is_news(orphan, now):
                self._report(orphan, now)
        self._told = {eip_id: told for eip_id, told in self._told.items() if eip_id in self._before}
        for orphan in self._releasable(found):
            if not self._release(orphan, claims):
                break

    def _find(
        self, eips: tuple[model.Eip, ...], claims: list[Claim], now: orphans.SweepTime
    ) -> tuple[Orphan, ...]:
        unpooled = eippool.outside(self._claims.pools(), eips)
        return orphans.find(
            unpooled, claims, self._cluster_id, before=self._before, age=self._terms.age, now=now
        )

    def _releasable(self, found: tuple[Orphan, ...]) -> list[Orphan]:
        if self._terms.mode is not SweepMode.RELEASE:
            return []
        return [orphan for orphan in found if orphan.fate is OrphanVerdict.RELEASE][:AT_ONCE]

    def _is_news(self, orphan: Orphan, now: orphans.SweepTime) -> bool:
        fate, at = self._told.get(orphan.eip.eip_id, (OrphanVerdict.YOUNG, float("-inf")))
        return orphan.ripe and (fate is not orphan.fate or now.steady - at >= _REPEAT)

    def _report(self, orphan: Orphan, now: orphans.SweepTime) -> None:
        eip = orphan.eip
        self._told[eip.eip_id] = orphan.fate, now.steady
        place = f" to {eip.place}" if eip.bound else ""
        advice = _ADVICE[orphan.fate]
        if orphan.fate is OrphanVerdict.RELEASE and self._terms.mode is SweepMode.RELEASE:
            advice = "it is released"
        message = f"{eip.eip_id} ({eip.public_ip}) has no EIPClaim; {orphan.fate.value}{place}: {advice}"
        log.warning("%s", message)
        self._ports.tell("Warning", "OrphanedEIP", message)

    def _release(self, orphan: Orphan, claims: list[Claim]) -> bool:
        """Release an orphan unless it has ceased to be one; return whether to go on with the next."""
        eip_id = orphan.eip.eip_id
        stopped_by = self._ports.release_stopped()
        if stopped_by:  # since the pass began
            log.warning("%s is not released: %s", eip_id, stopped_by)
            self._count(stopped_by=stopped_by)
            return False
        deadline = self._ports.fence.deadline()
        if not orphans.may_release(self._cloud.describe_eip(eip_id, deadline), claims, self._cluster_id):
            log.info("%s is no orphan any more", eip_id)
            return True
        self._ports.cloud.release_eip(eip_id, deadline)
        self._leaving.add(eip_id)
        self._count(released=self.counts.released + 1)
        log.warning("%s (%s) is released: no EIPClaim answers for it", eip_id, orphan.eip.public_ip)
        self._ports.tell("Normal", "ReleasedOrphanedEIP", f"{eip_id} ({orphan.eip.public_ip})")
        return True

    def _complete_releases(self, listed: set[str]) -> None:
        """Let claims that wait for quota try again when orphans that were released are gone."""
        gone = self._leaving - listed
        self._leaving &= listed
        if gone:
            self._ports.cloud.release_completed()
            self._ports.on_freed(len(gone))

    def _count(self, **changes: object) -> None:
        self.counts = replace(self.counts, **changes)  # type: ignore[arg-type]
