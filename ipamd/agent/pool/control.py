"""The gRPC service `PoolControl`: what an operator has the pool do.

Thread safety: methods run on the server's threads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import grpc

from ipamd.agent.pool.drain import Drain
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.core.errors import IpamError
from ipamd.core.timing.deadline import Deadline
from ipamd.rpc import maintenance_pb2 as messages
from ipamd.rpc import maintenance_pb2_grpc

_MOST_SECONDS: Final = 120.0


class PoolControlService(maintenance_pb2_grpc.PoolControlServicer):
    """Answers `ipamctl pool freeze`, `pool thaw` and `drain`."""

    def __init__(self, freeze: PoolFreeze, drain: Drain) -> None:
        """Take who does it."""
        self._freeze = freeze
        self._drain = drain

    def Freeze(  # noqa: N802 - the name in the contract
        self,
        request: messages.FreezeRequest,  # noqa: ARG002 - the signature in the contract
        context: grpc.ServicerContext,
    ) -> messages.FreezeReply:
        """Freeze the pool."""
        with _told(context):
            changed = self._freeze.freeze()
        return self._reply(changed=changed)

    def Thaw(  # noqa: N802 - the name in the contract
        self,
        request: messages.ThawRequest,  # noqa: ARG002 - the signature in the contract
        context: grpc.ServicerContext,
    ) -> messages.FreezeReply:
        """Thaw the pool."""
        with _told(context):
            changed = self._freeze.thaw()
        return self._reply(changed=changed)

    def Drain(  # noqa: N802 - the name in the contract
        self,
        request: messages.DrainRequest,  # noqa: ARG002 - the signature in the contract
        context: grpc.ServicerContext,
    ) -> messages.DrainReply:
        """Give back what no Pod uses."""
        seconds = min(_MOST_SECONDS, context.time_remaining())
        with _told(context):
            outcome = self._drain.run(Deadline.after(seconds, time.monotonic))
        return messages.DrainReply(
            addresses=outcome.addresses, enis=outcome.enis, obstacles=outcome.obstacles
        )

    def _reply(self, *, changed: bool) -> messages.FreezeReply:
        since = self._freeze.since
        return messages.FreezeReply(changed=changed, frozen=since is not None, since_unix=round(since or 0))


@contextmanager
def _told(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except IpamError as e:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(e))
