"""The gRPC service `Cni`: one method for each verb, from the plugin's bytes to the plugin's bytes.

Whatever the agent can decide is an OK answer: a result, or an error object with exit code 1. A defect is told
as CNI error 999 with its type, and logged with its traceback. The socket is for root alone (mode 0600), so
whoever can connect may do what a container runtime may do.
Thread safety: methods run on the server's threads.
"""

import logging
import secrets
import time
from collections.abc import Callable

from ipamd import logs
from ipamd.agent.cni.add import Add
from ipamd.agent.cni.check import Check
from ipamd.agent.cni.delete import Delete
from ipamd.agent.cni.gc import GarbageCollection
from ipamd.agent.cni.status import Readiness
from ipamd.core.cni import requests
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.errors import IpamError
from ipamd.core.timing.deadline import Deadline
from ipamd.grpc_server.call import Call
from ipamd.rpc import cni_pb2

log = logging.getLogger(__name__)

_DELETE_SECONDS = 20.0
_ID_BYTES = 6
_ANSWER_SECONDS = 0.5
"""Kept back from the caller's deadline, so that an answer on it still arrives."""


Observe = Callable[[str, str, float], None]
"""Takes a verb, the code of its answer ("0" is success) and the seconds that it took."""


class CniService:
    """Serves the verbs of CNI."""

    def __init__(
        self,
        *,
        add: Add,
        delete: Delete,
        check: Check,
        gc: GarbageCollection,
        readiness: Readiness,
        add_timeout: float,
    ) -> None:
        """Take the verbs, and the longest ADD in seconds."""
        self._add = add
        self._delete = delete
        self._check = check
        self._gc = gc
        self._readiness = readiness
        self._add_timeout = add_timeout
        self._observers: list[Observe] = []

    def on_answer(self, observe: Observe) -> None:
        """Have `observe` called for each answer, on the server's threads; before the first one."""
        self._observers.append(observe)

    def Add(  # noqa: N802 - the name in the contract
        self, request: cni_pb2.CniRequest, call: Call
    ) -> cni_pb2.CniReply:
        """Serve ADD."""
        deadline = _deadline(call, self._add_timeout)
        call.on_cancel(self._add.wake)

        def serve() -> bytes:
            parsed = requests.parse_add(request.environment, request.stdin)
            pod = parsed.pod
            with logs.about(
                network=parsed.conf.name,
                namespace=pod.namespace,
                pod=pod.name,
                container_id=parsed.key.container_id,
            ):
                return self._add.add(parsed, deadline, lambda: not call.is_active())

        return self._answered("ADD", serve)

    def Del(  # noqa: N802 - the name in the contract
        self, request: cni_pb2.CniRequest, call: Call
    ) -> cni_pb2.CniReply:
        """Serve DEL."""
        deadline = _deadline(call, _DELETE_SECONDS)

        def serve() -> bytes:
            parsed = requests.parse_del(request.environment, request.stdin)
            with logs.about(network=parsed.conf.name, container_id=parsed.key.container_id):
                self._delete.delete(parsed, deadline)
            return b""

        return self._answered("DEL", serve)

    def Check(  # noqa: N802 - the name in the contract
        self,
        request: cni_pb2.CniRequest,
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> cni_pb2.CniReply:
        """Serve CHECK."""

        def serve() -> bytes:
            parsed = requests.parse_check(request.environment, request.stdin)
            with logs.about(network=parsed.conf.name, container_id=parsed.key.container_id):
                self._check.check(parsed)
            return b""

        return self._answered("CHECK", serve)

    def Gc(  # noqa: N802 - the name in the contract
        self, request: cni_pb2.CniRequest, call: Call
    ) -> cni_pb2.CniReply:
        """Serve GC."""
        deadline = _deadline(call, _DELETE_SECONDS)

        def serve() -> bytes:
            parsed = requests.parse_gc(request.environment, request.stdin)
            with logs.about(network=parsed.conf.name):
                self._gc.collect(parsed, deadline)
            return b""

        return self._answered("GC", serve)

    def Status(  # noqa: N802 - the name in the contract
        self,
        request: cni_pb2.CniRequest,
        call: Call,  # noqa: ARG002 - the signature in the contract
    ) -> cni_pb2.CniReply:
        """Serve STATUS."""

        def serve() -> bytes:
            parsed = requests.parse_status(request.environment, request.stdin)
            with logs.about(network=parsed.conf.name):
                self._readiness.check(parsed)
            return b""

        return self._answered("STATUS", serve)

    def _answered(self, verb: str, serve: Callable[[], bytes]) -> cni_pb2.CniReply:
        began = time.monotonic()
        with logs.about(call_id=secrets.token_hex(_ID_BYTES)):
            outcome = _outcome(verb, serve)
        if isinstance(outcome, CniError):
            reply, code = cni_pb2.CniReply(stdout=outcome.encoded(), exit_code=1), str(int(outcome.code))
        else:
            reply, code = cni_pb2.CniReply(stdout=outcome, exit_code=0), "0"
        for observe in self._observers:
            observe(verb, code, time.monotonic() - began)
        return reply


def _deadline(call: Call, most: float) -> Deadline:
    """Return the end of the call: the caller's, and never later than `most` seconds from now."""
    remaining = max(0.0, call.time_remaining() - _ANSWER_SECONDS)
    return Deadline.after(min(most, remaining), time.monotonic)


def _outcome(verb: str, serve: Callable[[], bytes]) -> bytes | CniError:
    try:
        return serve()
    except CniError as e:
        return e
    except IpamError as e:
        return CniError(Code.INTERNAL, f"{verb}: {e.message}", advice=e.advice)
    except Exception as e:  # the runtime is owed an answer, whatever is wrong with us
        log.exception("%s failed by a defect", verb)
        return CniError(
            Code.INTERNAL,
            f"{verb}: a defect of the agent: {type(e).__name__}: {e}",
            advice="see the agent's log",
        )
