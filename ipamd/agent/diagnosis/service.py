"""The gRPC service `Diagnosis`: what the agent finds out when an operator asks. Changes nothing.

Thread safety: methods run on the server's threads; a watch keeps one of them.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ipamd.agent.diagnosis import claim_list
from ipamd.agent.diagnosis.explain import PodExplain, PodExplanation
from ipamd.agent.diagnosis.trace import NoSuchPodError, TraceResult
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.history.events import PodEvent
from ipamd.core.ledger.states import BindStage
from ipamd.core.node_config import fields, state
from ipamd.core.node_config.layers import Layer
from ipamd.core.timing import boottime
from ipamd.flags.effective import EffectiveFlag
from ipamd.grpc_server.call import Call
from ipamd.grpc_server.status import StatusCode
from ipamd.rpc import diagnosis_pb2 as messages
from ipamd.runtime.request_threads import waits

_WATCHERS: Final = 4
"""Watches at a time: each keeps a thread that the plugin may need."""
_LOOK_SECONDS: Final = 1.0
"""How soon a watch notices that nobody listens any more."""


class DiagnosisService:
    """Answers `ipamctl trace`, `explain`, `watch`, `claims` and `settings`."""

    def __init__(
        self, explain: PodExplain, settings: Sequence[EffectiveFlag], *, config: Callable[[], Layer]
    ) -> None:
        """Take who looks, the flags as they are in effect, and what holds of the node's configuration."""
        self._explain = explain
        self._settings = settings
        self._config = config
        self._seats = threading.BoundedSemaphore(_WATCHERS)

    def Trace(  # noqa: N802 - the name in the contract
        self, request: messages.TraceRequest, call: Call
    ) -> messages.TraceReply:
        """Say which way a packet goes."""
        with _told(call):
            found = self._explain.trace.run(request.namespace, request.name, request.destination)
        return _trace_reply(found)

    def Explain(  # noqa: N802 - the name in the contract
        self, request: messages.ExplainRequest, call: Call
    ) -> messages.ExplainReply:
        """Say what has happened to a Pod, what is wrong and what comes next."""
        with _told(call):
            found = self._explain.run(request.namespace, request.name)
        return self._explain_reply(found)

    def Watch(  # noqa: N802 - the name in the contract
        self, request: messages.WatchRequest, call: Call
    ) -> Iterator[messages.PodEventEntry]:
        """Tell what happens, until the caller goes."""
        if not self._seats.acquire(blocking=False):
            call.abort(
                StatusCode.FAILED_PRECONDITION,
                f"{_WATCHERS} others watch this node; end one of them, or use `ipamctl explain pod`",
            )
        try:
            with waits(), self._explain.history.watched() as events:
                call.send_initial_metadata()  # from now on nothing is missed
                while call.is_active():
                    try:
                        event = events.get(timeout=_LOOK_SECONDS)
                    except queue.Empty:
                        continue
                    if request.namespace in ("", event.pod.partition("/")[0]):
                        yield self._event(event)
        finally:
            self._seats.release()

    def ListClaims(  # noqa: N802 - the name in the contract
        self,
        request: messages.ListClaimsRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.ListClaimsReply:
        """List the EIPClaims of the node, by name."""
        claims = sorted(self._explain.claims.all(), key=str)
        return messages.ListClaimsReply(claims=[claim_list.entry(claim) for claim in claims])

    def ListSettings(  # noqa: N802 - the name in the contract
        self,
        request: messages.ListSettingsRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> messages.ListSettingsReply:
        """List the flags as they are in effect, and the node's configuration with where it is from."""
        config = self._config()
        configured = [
            messages.SettingEntry(
                flag=name,
                value=state.shown(config[name].value),
                source=config[name].source,
                meaning=field.meaning,
            )
            for name, field in fields.FIELDS.items()
            if name in config
        ]
        flags = [
            messages.SettingEntry(
                flag=flag.name,
                value=flag.value,
                source=flag.set_by.value,
                default=flag.default,
                meaning=flag.meaning,
            )
            for flag in self._settings
        ]
        return messages.ListSettingsReply(settings=[*configured, *flags])

    def _explain_reply(self, found: PodExplanation) -> messages.ExplainReply:
        address, told = found.address, found.explanation
        return messages.ExplainReply(
            namespace=found.pod.namespace,
            name=found.pod.name,
            uid=found.pod.uid,
            private_ip=address.ip if address else "",
            public_ip=address.eip.public_ip if address and address.eip else "",
            wrong=told.wrong,
            next=told.next,
            events=[self._event(event) for event in found.sight.events],
            sights=[
                messages.Sight(side=side.side, what=side.what, text=side.text, ok=side.ok)
                for side in found.sides
            ],
        )

    def _event(self, event: PodEvent) -> messages.PodEventEntry:
        now = self._explain.shared_ledger.now()
        return messages.PodEventEntry(
            pod=event.pod,
            at_unix=round(boottime.to_unix(event.at, now=now, wall=time.time())),
            step=event.step,
            text=event.text,
            failed=event.failed,
            took_ms=round((event.took or 0.0) * 1000),
            request_id=event.request_id,
            count=event.count,
        )


@contextmanager
def _told(call: Call) -> Iterator[None]:
    """End the call with what is wrong, in a status that ipamctl knows."""
    try:
        yield
    except NoSuchPodError as e:
        call.abort(StatusCode.NOT_FOUND, str(e))
    except InvalidInputError as e:
        call.abort(StatusCode.INVALID_ARGUMENT, str(e))
    except IpamError as e:
        call.abort(StatusCode.FAILED_PRECONDITION, str(e))


def _trace_reply(found: TraceResult) -> messages.TraceReply:
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
