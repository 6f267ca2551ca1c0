"""The metrics of a controller: claims by phase, its queue, and whether it leads."""

from collections import Counter as Count
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ipamd.controller.leading import Leader
from ipamd.core import claim_status
from ipamd.core.claims import Phase


class LeaderState(Collector):
    """Reads the state of one replica when it is asked for."""

    def __init__(self, leader: Leader) -> None:
        """Take the replica."""
        self._leader = leader

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        claims = GaugeMetricFamily("tke_eni_claims", "EIPClaims of the cluster by phase.", labels=["phase"])
        phases = Count(map(claim_status.phase_of, self._leader.cluster.claims()))
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
