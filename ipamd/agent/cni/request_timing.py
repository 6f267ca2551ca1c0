"""Times the verbs of CNI as they pass the server, for the metrics."""

import json
import time
from collections.abc import Callable
from typing import Any

import grpc

from ipamd.rpc import cni_pb2

_SERVICE = "/tke.eni.v1.Cni/"

Observe = Callable[[str, str, float], None]
"""Takes a verb, the code of its answer ("0" is success) and the seconds that it took."""


class RequestTiming(grpc.ServerInterceptor):
    """Tells of each request that the plugin got answered."""

    def __init__(self, observe: Observe) -> None:
        """Take who is told; it is called on the server's threads."""
        self._observe = observe

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Put the timing around a verb's method; others pass as they are."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or not method.startswith(_SERVICE):
            return handler
        verb, serve = method.removeprefix(_SERVICE).upper(), handler.unary_unary

        def timed(request: cni_pb2.CniRequest, context: grpc.ServicerContext) -> cni_pb2.CniReply:
            began = time.monotonic()
            reply: cni_pb2.CniReply = serve(request, context)
            self._observe(verb, _code(reply), time.monotonic() - began)
            return reply

        return grpc.unary_unary_rpc_method_handler(
            timed,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _code(reply: cni_pb2.CniReply) -> str:
    if reply.exit_code == 0:
        return "0"
    try:
        return str(json.loads(reply.stdout)["code"])
    except (ValueError, KeyError, TypeError):
        return "none"
