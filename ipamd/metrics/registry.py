"""The registry of one process: how it is made, filled with what both daemons have, and shown as a page.

Names start with tke_eni_ and are stable; docs/metrics.md lists them. Label values are of small, fixed sets:
never a Pod, an EIP or a request id.
Thread safety: any thread may count; the page is made on the endpoint's threads.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

import ipamd
from ipamd.endpoint import Answer, Page
from ipamd.runtime import failpoints, task

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

    def observe(self, action: str, code: str, seconds: float) -> None:
        """Take in one request."""
        self._seconds.labels(action).observe(seconds)
        self._total.labels(action, code).inc()


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


class _Loops(Collector):
    """What becomes of the threads of this process (`ipamd.runtime.task`)."""

    def collect(self) -> Iterator[Metric]:
        defects = CounterMetricFamily(
            "tke_eni_loop_defects",
            "Defects of the daemon's threads that were survived; the log has each with its traceback.",
            labels=["loop"],
        )
        failing = GaugeMetricFamily(
            "tke_eni_loop_failing", "1 while the last work of a thread ended by a defect.", labels=["loop"]
        )
        for seen in task.seen():
            defects.add_metric([seen.name], seen.defects)
            failing.add_metric([seen.name], int(seen.failing))
        yield defects
        yield failing


class Metrics:
    """All metrics of one daemon. Invariant: requests to cloud and API server are counted from the first."""

    def __init__(self, component: str) -> None:
        """Make a registry with what every daemon has, and begin to listen."""
        self.registry = CollectorRegistry()
        self.registry.register(_Build(component))
        self.registry.register(_Loops())
        ProcessCollector(registry=self.registry)
        self.cloud = CloudRequests(self.registry)
        self._leave = failpoints.listen(KubeRequests(self.registry))

    def page(self) -> Page:
        """Return the page for the endpoint."""
        return lambda: Answer(
            status=200, body=generate_latest(self.registry), content_type=CONTENT_TYPE_LATEST
        )

    def close(self) -> None:
        """Listen no more."""
        self._leave()
