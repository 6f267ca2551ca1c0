"""The gRPC service `PoolControl`: what an operator has the pool do.

Thread safety: methods run on the server's threads.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ipamd.agent.pool.drain import Drain
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.core.errors import IpamError
from ipamd.core.timing.deadline import Deadline
from ipamd.grpc_server.call import Call
from ipamd.grpc_server.status import StatusCode
from ipamd.rpc import maintenance_pb2 as messages

_MOST_SECONDS: Final = 120.0


class PoolControlService:
    """Answers `ipamctl pool freeze`, `pool thaw` and `drain`."""

    def __init__(self, freeze: PoolFreeze, drain: Drain) -> None:
        """Take who does it."""
        self._freeze = freeze
        self._drain = drain

    def Freeze(  # noqa: N802 - the name in the contract
        self,
        request: messages.FreezeRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,
    ) -> messages.FreezeReply:
        """Freeze the pool."""
        with _told(call):
            changed = self._freeze.freeze()
        return self._reply(changed=changed)

    def Thaw(  # noqa: N802 - the name in the contract
        self,
        request: messages.ThawRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,
    ) -> messages.FreezeReply:
        """Thaw the pool."""
        with _told(call):
            changed = self._freeze.thaw()
        return self._reply(changed=changed)

    def Drain(  # noqa: N802 - the name in the contract
        self,
        request: messages.DrainRequest,  # noqa: ARG002 - the signature in the contract
        call: Call,
    ) -> messages.DrainReply:
        """Give back what no Pod uses."""
        seconds = min(_MOST_SECONDS, call.time_remaining())
        with _told(call):
            outcome = self._drain.run(Deadline.after(seconds, time.monotonic))
        return messages.DrainReply(
            addresses=outcome.addresses, enis=outcome.enis, obstacles=outcome.obstacles
        )

    def _reply(self, *, changed: bool) -> messages.FreezeReply:
        since = self._freeze.since
        return messages.FreezeReply(changed=changed, frozen=since is not None, since_unix=round(since or 0))


@contextmanager
def _told(call: Call) -> Iterator[None]:
    try:
        yield
    except IpamError as e:
        call.abort(StatusCode.FAILED_PRECONDITION, str(e))
