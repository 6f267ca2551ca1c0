"""One call of the API, from its turn in the queue to its answer or error, repeated where that is safe.

What is repeated: a call that was certainly not carried out (throttled, or the object busy) always; a call
whose outcome is not known only if it reads or carries a ClientToken, by which the cloud tells a repeat from
a second order. The SDK's retryer is not used: it throws successes away (docs/adr/0002). All of it ends at
the deadline.

Thread safety: a Session is shared by all threads of the process.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from ipamd.cloud import fields
from ipamd.cloud.credentials import Credentials
from ipamd.cloud.endpoints import Endpoints
from ipamd.cloud.inhibition import Inhibitor, Scope
from ipamd.cloud.throttling import Limiter
from ipamd.cloud.transport import VERSIONS, ProductClient
from ipamd.cloud.witness import AnsweredCall, tell
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.cloud_errors.policy import Repeat
from ipamd.core.text.telling import flat
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.deadline import Deadline
from ipamd.runtime import chance
from ipamd.runtime.reachability import Reachability

log = logging.getLogger(__name__)
_Decoded = TypeVar("_Decoded")

Observer = Callable[[str, str, float], None]
"""Called after each request with action, code ("OK" or the error's) and seconds; quick, raises nothing."""

MOST_DOUBTFUL_ATTEMPTS = 4
"""How often a call without a usable answer is sent in all, if it may be repeated."""
_LEAST_SECONDS = 0.05
"""With less left a request is not sent: it could only end in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A successful answer. The accessors raise CloudError of kind INTERNAL if it is not as documented."""

    action: str
    request_id: str
    body: fields.Row

    def read(self, reader: Callable[[fields.Row], _Decoded]) -> _Decoded:
        """Return what `reader` makes of the answer."""
        try:
            return reader(self.body)
        except fields.ShapeError as e:
            raise cloud_error(self.action, "ClientUnexpectedAnswer", str(e), self.request_id) from e

    def each(self, name: str, decoder: Callable[[fields.Row], _Decoded]) -> list[_Decoded]:
        """Return the decoded objects of the list `name`."""
        return self.read(lambda body: [decoder(row) for row in fields.rows(body, name)])


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How a session behaves in time, and who watches it; the defaults are for production."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    """May return early, as an event's `wait` does when the process ends."""
    random: Callable[[], float] = chance.fraction
    observe: Observer | None = None
    backoff: Backoff = field(default_factory=Backoff)
    call_seconds: float = 10.0
    """The longest that one request may take."""
    connections: int = 10
    """Kept to each product: as many as threads may call at once."""
    patience: float = 30.0
    """Seconds for a call with its repeats when the caller gives no deadline."""


class Session:
    """Calls actions of one region with one identity.

    Invariant: a write without a ClientToken is sent again only after an answer that refuses it.
    """

    def __init__(
        self,
        *,
        region: str,
        credentials: Credentials,
        endpoints: Endpoints,
        limiter: Limiter,
        inhibitor: Inhibitor,
        conduct: SessionPolicy | None = None,
    ) -> None:
        """Take whom to call and how; opens no connection."""
        self.conduct = conduct or SessionPolicy()
        self.reachability: Final = Reachability("cloud", monotonic=self.conduct.clock)
        self._credentials = credentials
        self._limiter = limiter
        self._inhibitor = inhibitor
        self._clients = {
            product: ProductClient(
                product,
                region=region,
                credentials=credentials,
                endpoints=endpoints,
                connections=self.conduct.connections,
            )
            for product in VERSIONS
        }

    def close(self) -> None:
        """Close pooled connections."""
        for client in self._clients.values():
            client.close()

    def time(self) -> float | None:
        """Return the cloud's time (seconds since the epoch), None before it has said any."""
        dates = [date for client in self._clients.values() if (date := client.date) is not None]
        # The newest answer counts: what an earlier one said is old after a pause, or when a clock was set.
        newest = max(dates, key=lambda date: date.at, default=None)
        return newest.now() if newest else None

    def deadline(self, deadline: Deadline | None = None) -> Deadline:
        """Return the given deadline, or the default one that starts now."""
        return deadline or Deadline.after(self.conduct.patience, self.conduct.clock)

    def pause(self, attempt: int, deadline: Deadline) -> bool:
        """Sleep as the back-off says after `attempt` failed; False, and no sleep, if no call would fit in."""
        seconds = self.conduct.backoff.delay(attempt, self.conduct.random)
        if seconds + _LEAST_SECONDS >= deadline.remaining():
            return False
        self.conduct.sleep(seconds)
        return True

    def completed(self, action: str) -> None:
        """Note that what an accepted `action` promised has come about: refusals that it relieves are void."""
        self._inhibitor.completed(action)

    def check(self, action: str, scope: Scope) -> None:
        """Raise the CloudError that a call would meet without being sent, because a refusal still holds."""
        self._inhibitor.check(action, scope)

    def call(
        self,
        action: str,
        params: Mapping[str, Any],
        *,
        deadline: Deadline | None = None,
        scope: str | Scope = "",
        product: str = "vpc",
    ) -> Reply:
        """Return the answer of an action.

        `scope` says what a refusal (quota, full subnet) would be about, see `inhibition`. Raises CloudError;
        its `kind` says what became of the action.
        """
        deadline = self.deadline(deadline)
        scope = scope if isinstance(scope, Scope) else Scope(scope)
        repeatable = action.startswith("Describe") or "ClientToken" in params
        attempt = 0
        renewed = False
        while True:
            attempt += 1
            self._inhibitor.check(action, scope)
            self._take_turn(action, deadline)
            try:
                reply = self._request(product, action, params, deadline.cap(self.conduct.call_seconds))
            except CloudError as error:
                self._inhibitor.refused(action, scope, error)
                if error.kind is CloudErrorKind.CREDENTIALS and not renewed and self._credentials.reject():
                    renewed = True
                    continue
                if error.kind is CloudErrorKind.THROTTLED:
                    self._limiter.quieten(action, self.conduct.backoff.ceiling(attempt))
                if not may_repeat(error.kind, attempt, repeatable=repeatable):
                    raise
                if not self.pause(attempt, deadline):
                    raise
            else:
                self._inhibitor.succeeded(action, scope)
                return reply

    def _take_turn(self, action: str, deadline: Deadline) -> None:
        """Wait for the rate limit, or raise THROTTLED if it would take too long."""
        remaining = deadline.remaining()
        if remaining < _LEAST_SECONDS:
            raise cloud_error(action, "ClientNoTimeLeft", "the time for the job was over before the call")
        wait = self._limiter.reserve(action, remaining - _LEAST_SECONDS)
        if wait is None:
            raise cloud_error(
                action,
                "ClientRateLimit",
                f"its turn under this process's rate is not within {remaining:.1f} s",
            )
        if wait > 0:
            self.conduct.sleep(wait)

    def _request(self, product: str, action: str, params: Mapping[str, Any], seconds: float) -> Reply:
        """Send once; log and report what came of it."""
        started = self.conduct.clock()
        code, request_id = "ClientDefect", ""
        try:
            body = self._clients[product].send(action, params, seconds)
            request_id = str(body.get("RequestId") or "")[:80]
            if (error := body.get("Error")) is not None:
                raise _answered(action, error, request_id)
            code = "OK"
            self.reachability.answered()
        except CloudError as e:
            code, request_id = e.code, e.request_id
            if e.is_silence:
                self.reachability.failed(e.message)
            else:
                self.reachability.refused()
            raise
        finally:
            taken = self.conduct.clock() - started
            log.debug(
                "%s %s RequestId=%s %.0f ms",
                action,
                code,
                request_id or "-",
                taken * 1000,
                extra={"request_id": request_id},
            )
            if self.conduct.observe is not None:
                self.conduct.observe(action, code, taken)
        tell(AnsweredCall(action=action, request_id=request_id, seconds=taken))
        return Reply(action=action, request_id=request_id, body=body)


def may_repeat(kind: CloudErrorKind, attempt: int, *, repeatable: bool) -> bool:
    """Whether a call that failed so at its `attempt`-th sending may be sent again as it is; pure."""
    if kind.policy.repeat is Repeat.HARMLESS:
        return repeatable and attempt < MOST_DOUBTFUL_ATTEMPTS
    return kind.policy.repeat is Repeat.ANY


def _answered(action: str, error: object, request_id: str) -> CloudError:
    """Return what the `Error` object of an answer means."""
    if not isinstance(error, dict):
        return cloud_error(action, "ClientBrokenAnswer", "the Error of the answer is no object", request_id)
    # The cloud's own words may have several lines, and the RequestId once more.
    message = flat(str(error.get("Message") or "")[:2000], without=request_id)
    code = str(error.get("Code") or "")[:200]
    if not code:
        return cloud_error(action, "ClientBrokenAnswer", f"an Error without a Code: {message}", request_id)
    return cloud_error(action, code, message, request_id)


class Calls:
    """A group of actions over a session; the groups together are `tencent.TencentCloud`."""

    def __init__(self, session: Session) -> None:
        """Take the session that all groups share."""
        self._session = session
