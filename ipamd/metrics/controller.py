"""The metrics of a controller: claims by phase, its queue, its lead, orphans, quotas of EIPs."""

from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ipamd.controller.account.clock import Agreement
from ipamd.controller.leader import Leader
from ipamd.controller.sweep.sweep import SweepCounts
from ipamd.core import model
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import Phase, Reason
from ipamd.core.eip.orphans import Fate


class LeaderState(Collector):
    """Reads the state of one replica when it is asked for."""

    def __init__(self, leader: Leader) -> None:
        """Take the replica."""
        self._leader = leader

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        claims = GaugeMetricFamily("tke_eni_claims", "EIPClaims of the cluster by phase.", labels=["phase"])
        phases = Count(map(status.phase_of, self._leader.cluster.claims()))
        for phase in Phase:
            claims.add_metric([phase.value], phases[phase])
        yield claims
        yield GaugeMetricFamily(
            "tke_eni_leader", "1 on the replica that leads, else 0.", value=int(self._leader.leading)
        )
        yield GaugeMetricFamily(
            "tke_eni_work_queue_length",
            "Claims and Pods that wait to be looked at, now or after a back-off.",
            value=len(self._leader.queue),
        )
        clock = GaugeMetricFamily(
            "tke_eni_clock_doubted",
            "1 on the leader while its wall clock is not believed, by reason: kept claims expire late.",
            labels=["reason"],
        )
        for state in (Agreement.APART, Agreement.UNKNOWN):
            clock.add_metric([state.value], int(self._leader.clock.state is state))
        yield clock
        yield from _sweep(self._leader.sweep.counts)
        yield from _quotas(self._leader.quota.quotas)


def _sweep(counts: SweepCounts) -> Iterator[Metric]:
    """Yield what the passes over all EIPs have found; of a replica that does not lead, nothing but zeros."""
    orphans = GaugeMetricFamily(
        "tke_eni_orphaned_eips", "EIPs of the cluster that no EIPClaim answers for.", labels=["state"]
    )
    for fate in Fate:
        orphans.add_metric([fate.value], counts.orphans.get(fate.value, 0))
    yield orphans
    for name, text, value in (
        ("tke_eni_sweeps", "Passes over all EIPs and EIPClaims.", counts.passes),
        ("tke_eni_sweeps_failed", "Passes that ended early.", counts.failures),
        ("tke_eni_orphaned_eips_released", "EIPs without EIPClaim that were released.", counts.released),
        ("tke_eni_claims_without_eip", "EIPClaims found whose EIP was gone.", counts.claims_without_eip),
    ):
        yield CounterMetricFamily(name, text, value=value)
    yield GaugeMetricFamily(
        "tke_eni_releases_stopped",
        "1 on the leader while the switch, or one that cannot be read, holds releases back (last pass).",
        value=int(bool(counts.stopped_by)),
    )
    locked = GaugeMetricFamily(
        "tke_eni_eips_locked", "EIPs of EIPClaims that the cloud has locked (last pass).", labels=["reason"]
    )
    for reason in (Reason.EIP_BLOCKED, Reason.EIP_IN_ARREARS):
        locked.add_metric([reason.value], counts.locked.get(reason.value, 0))
    yield locked
    yield GaugeMetricFamily(
        "tke_eni_eips_not_shown",
        "1 on the leader while the cloud shows so many EIPs no more that none is believed to be gone.",
        value=int(bool(counts.blind)),
    )


def _quotas(quotas: tuple[model.EipQuota, ...]) -> Iterator[Metric]:
    """Yield the account's quotas of EIPs; only the leader reads them."""
    used = GaugeMetricFamily("tke_eni_eip_quota_used", "EIP quotas: how much is used.", labels=["quota"])
    limit = GaugeMetricFamily("tke_eni_eip_quota_limit", "EIP quotas: how much there is.", labels=["quota"])
    for quota in quotas:
        used.add_metric([quota.quota_id], quota.used)
        limit.add_metric([quota.quota_id], quota.limit)
    yield used
    yield limit
