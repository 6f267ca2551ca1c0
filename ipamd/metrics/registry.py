"""The registry of one process: how it is made, filled with what both daemons have, and shown as a page.

Names start with tke_eni_ and are stable; docs/metrics.md lists them. Label values are of small, fixed sets:
never a Pod, an EIP or a request id.
Thread safety: any thread may count; the page is made on the endpoint's threads.
"""

import math
from collections.abc import Iterator
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

import ipamd
from ipamd.core.cloud_errors.codes import meaning
from ipamd.endpoint import Answer, Page
from ipamd.runtime import failpoints, metric, task
from ipamd.runtime.metric import Source

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody asks for

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0)
"""Buckets of all durations: an ADD takes milliseconds without, about a second with an EIP, 50 s at most."""
_KUBE: Final = "kube."


class CloudRequests:
    """Counts and times the requests to the cloud API; `observe` is for `ipamd.cloud.session.Conduct`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._seconds = Histogram(
            "tke_eni_cloud_request_seconds",
            "Time of one request to the cloud API.",
            ["action"],
            buckets=SECONDS,
            registry=registry,
        )
        self._total = Counter(
            "tke_eni_cloud_requests",
            "Requests to the cloud API by code: OK, the API's error code, or Client... without an answer.",
            ["action", "code"],
            registry=registry,
        )
        self._errors = Counter(
            "tke_eni_cloud_errors",
            "Requests to the cloud API that failed, by what that means for the caller.",
            ["action", "kind"],
            registry=registry,
        )

    def observe(self, action: str, code: str, seconds: float) -> None:
        """Take in one request."""
        self._seconds.labels(action).observe(seconds)
        self._total.labels(action, code).inc()
        if code != "OK":
            self._errors.labels(action, meaning(code).kind.name.lower()).inc()


class KubeRequests:
    """Times the requests to the API server; a `ipamd.runtime.failpoints.Listener`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._seconds = Histogram(
            "tke_eni_kube_request_seconds",
            "Time until the API server began to answer.",
            ["request"],
            buckets=SECONDS,
            registry=registry,
        )
        self._unanswered = Counter(
            "tke_eni_kube_requests_unanswered",
            "Requests to the API server that got no answer.",
            ["request"],
            registry=registry,
        )

    def before(self, step: str) -> None:
        """Nothing is known yet."""

    def after(self, step: str, seconds: float, error: BaseException | None) -> None:
        """Take in one request."""
        if not step.startswith(_KUBE):
            return
        request = step.removeprefix(_KUBE)
        self._seconds.labels(request).observe(seconds)
        if error is not None:
            self._unanswered.labels(request).inc()


class _Build(Collector):
    def __init__(self, component: str) -> None:
        self._component = component

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "tke_eni_build_info", "Always 1; the labels say what runs.", labels=["component", "version"]
        )
        info.add_metric([self._component, ipamd.__version__], 1)
        yield info


class CniRequests:
    """Counts and times the verbs of CNI, as the plugin gets them answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._seconds = Histogram(
            "tke_eni_cni_request_seconds",
            "Time of one CNI request in the agent.",
            ["verb"],
            buckets=SECONDS,
            registry=registry,
        )
        self._total = Counter(
            "tke_eni_cni_requests",
            "CNI requests by the code of their answer; 0 is success.",
            ["verb", "code"],
            registry=registry,
        )

    def observe(self, verb: str, code: str, seconds: float) -> None:
        """Take in one request."""
        self._seconds.labels(verb).observe(seconds)
        self._total.labels(verb, code).inc()


class _Shown(Collector):
    """Makes of a service's values what the library shows."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        return map(_family, self._source())


def _family(value: metric.Metric) -> Metric:
    if value.distribution is not None:
        counts = value.distribution.counts
        return HistogramMetricFamily(
            value.name,
            value.text,
            buckets=[(_bound(bound), count) for bound, count in counts],
            sum_value=value.distribution.total,
        )
    family = (CounterMetricFamily if value.kind == "counter" else GaugeMetricFamily)(
        value.name, value.text, labels=value.labels
    )
    for of, number in value.samples.items():
        family.add_metric(of, number)
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if math.isinf(seconds) else str(seconds)


class Metrics:
    """All metrics of one daemon. Invariant: requests to cloud and API server are counted from the first."""

    def __init__(self, component: str) -> None:
        """Make a registry with what every daemon has, and begin to listen."""
        self.registry = CollectorRegistry()
        self.registry.register(_Build(component))
        self.show(task.metrics)
        ProcessCollector(registry=self.registry)
        self.cloud = CloudRequests(self.registry)
        self._leave = failpoints.listen(KubeRequests(self.registry))

    def show(self, source: Source) -> None:
        """Have a page show what a service tells of itself at that moment."""
        self.registry.register(_Shown(source))

    def cni_requests(self) -> CniRequests:
        """Return what counts the requests of the plugin; for one call."""
        return CniRequests(self.registry)

    def page(self) -> Page:
        """Return the page for the endpoint."""
        return lambda: Answer(
            status=200, body=generate_latest(self.registry), content_type=CONTENT_TYPE_LATEST
        )

    def close(self) -> None:
        """Listen no more."""
        self._leave()
