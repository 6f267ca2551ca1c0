"""The metrics of an agent: CNI requests as they pass the server, addresses and EIPs of the ledger."""

import json
import time
from collections import Counter as Count
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ipamd.agent.introspection import Views
from ipamd.core.ledger.states import Address, Unbinding
from ipamd.metrics.registry import SECONDS
from ipamd.rpc import cni_pb2

_SERVICE = "/tke.eni.v1.Cni/"


class CniRequests(grpc.ServerInterceptor):
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

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Put the counting around a verb's method; others pass as they are."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or not method.startswith(_SERVICE):
            return handler
        verb, serve = method.removeprefix(_SERVICE).upper(), handler.unary_unary

        def counted(request: cni_pb2.CniRequest, context: grpc.ServicerContext) -> cni_pb2.CniReply:
            began = time.monotonic()
            reply: cni_pb2.CniReply = serve(request, context)
            self._seconds.labels(verb).observe(time.monotonic() - began)
            self._total.labels(verb, _code(reply)).inc()
            return reply

        return grpc.unary_unary_rpc_method_handler(
            counted,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


class NodeState(Collector):
    """Reads the node's state when it is asked for."""

    def __init__(self, views: Views, repairs: Callable[[], Mapping[str, int]]) -> None:
        """Take where the state is, and how often what was mended."""
        self._views = views
        self._repairs = repairs

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        book = self._views.book.ledger
        addresses = GaugeMetricFamily(
            "tke_eni_addresses", "Secondary addresses of the node's ENIs by state.", labels=["state"]
        )
        states = Count(_state(address) for address in book.addresses.values())
        for state in ("warm", *sorted(set(states) - {"warm"})):
            addresses.add_metric([state], states[state])
        yield addresses
        eips = GaugeMetricFamily("tke_eni_eips", "EIPs at addresses of the node by stage.", labels=["stage"])
        for stage, number in sorted(Count(filter(None, map(_stage, book.addresses.values()))).items()):
            eips.add_metric([stage], number)
        yield eips
        yield GaugeMetricFamily(
            "tke_eni_eips_failing",
            "Claims of the node whose last bind or unbind failed.",
            value=len(self._views.binder.errors()),
        )
        yield GaugeMetricFamily(
            "tke_eni_node_problems",
            "Reasons why the node cannot take Pods, or not all kinds (ipamctl status).",
            value=len(self._views.readiness.problems()),
        )
        repairs = CounterMetricFamily(
            "tke_eni_repairs", "What others had removed or changed and was mended.", labels=["what"]
        )
        for what, number in self._repairs().items():
            repairs.add_metric([what], number)
        yield repairs


def _code(reply: cni_pb2.CniReply) -> str:
    if reply.exit_code == 0:
        return "0"
    try:
        return str(json.loads(reply.stdout)["code"])
    except (ValueError, KeyError, TypeError):
        return "none"


def _state(address: Address) -> str:
    return "quarantined" if address.quarantined else type(address.state).__name__.lower()


def _stage(address: Address) -> str:
    if address.eip is None:
        return ""
    return "unbinding" if isinstance(address.state, Unbinding) else address.eip.stage.value
