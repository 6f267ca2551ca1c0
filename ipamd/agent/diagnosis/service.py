"""The gRPC service `Diagnosis`: what the agent finds out when an operator asks. Changes nothing.

Thread safety: methods run on the server's threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from ipamd.agent.diagnosis.trace import NoSuchPodError, PodTrace, TraceResult
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.ledger.states import BindStage
from ipamd.rpc import diagnosis_pb2 as messages
from ipamd.rpc import diagnosis_pb2_grpc


class DiagnosisService(diagnosis_pb2_grpc.DiagnosisServicer):
    """Answers `ipamctl trace`."""

    def __init__(self, tracing: PodTrace) -> None:
        """Take who looks."""
        self._tracing = tracing

    def Trace(  # noqa: N802 - the name in the contract
        self, request: messages.TraceRequest, context: grpc.ServicerContext
    ) -> messages.TraceReply:
        """Say which way a packet goes."""
        with _told(context):
            return _reply(self._tracing.run(request.namespace, request.name, request.destination))
        raise AssertionError  # an abort has ended the call


@contextmanager
def _told(context: grpc.ServicerContext) -> Iterator[None]:
    """End the call with what is wrong, in a status that ipamctl knows."""
    try:
        yield
    except NoSuchPodError as e:
        context.abort(grpc.StatusCode.NOT_FOUND, str(e))
    except InvalidInputError as e:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(e))
    except IpamError as e:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(e))


def _reply(found: TraceResult) -> messages.TraceReply:
    address, trace, way = found.address, found.trace, found.way
    pod = address.pod
    bound = address.eip is not None and address.eip.stage is BindStage.BOUND
    return messages.TraceReply(
        namespace=pod.namespace if pod else "",
        name=pod.name if pod else "",
        private_ip=address.ip,
        public_ip=address.eip.public_ip if address.eip and bound else "",
        destination=found.destination,
        seen_as=way.seen_as.value,
        seen_address=way.address,
        verdict=way.verdict,
        link=trace.link,
        gateway=trace.gateway,
        source=trace.source,
        steps=[messages.TraceStep(where=step.chain, what=step.text) for step in trace.steps],
        unread=trace.unread,
    )
