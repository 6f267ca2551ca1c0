"""ClientToken: a repeated request is answered like the first one and done once.

A token belongs to a sub-account and an action and is remembered for a day of the region's clock. Thread-safe;
a request whose predecessor is still in progress is refused or waits, as its action says. Invariant: of the
requests with one token at most one is being carried out, and after a success none is again.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cloud import situations
from simulator.cloud.actions.action import Action, JsonObject
from simulator.cloud.situations import ApiError

_MAX_TOKEN = 64
_WAIT_SECONDS = 60.0

FINAL_CODES = frozenset({"UnsupportedOperation.DeliveryFailed"})
"""Refusals that use a token up: the same token gets them again, only a new one can succeed."""


@dataclass(slots=True)
class _Entry:
    params: Mapping[str, Any]
    begun: float
    request_id: str = ""
    """Of the request that was carried out; empty while it is in progress."""
    response: JsonObject | None = None
    refusal: ApiError | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer to a repeated request."""

    response: JsonObject
    request_id: str
    """RequestId of the request that was carried out."""


class ClientTokens:
    """The tokens of all actions."""

    def __init__(self, seconds: float) -> None:
        """Remember each token for so long."""
        self._seconds = seconds
        self._changed = threading.Condition()
        self._entries: dict[tuple[str, str, str], _Entry] = {}

    def begin(self, principal: str, action: Action, params: Mapping[str, Any], now: float) -> Replay | None:
        """Take the token of a request; give the earlier answer, or None when the request is to be done.

        After None, `succeed` or `fail` must follow. Raises ApiError for a malformed token, other parameters,
        a predecessor in progress, or a refusal that used the token up.
        """
        token = params["ClientToken"]
        if not token or len(token) > _MAX_TOKEN or not token.isascii():
            raise situations.TOKEN_MALFORMED.error()
        key = (principal, action.name, token)
        with self._changed:
            self._forget(now)
            entry = self._entries.get(key)
            if entry is not None and dict(entry.params) != dict(params):
                raise action.token_reused.error(token=token)
            if entry is not None and not entry.request_id:
                if action.token_in_progress is not None:
                    raise action.token_in_progress.error(token=token)
                self._changed.wait_for(lambda: self._idle(key), _WAIT_SECONDS)
                entry = self._entries.get(key)
            if entry is None or not entry.request_id:
                self._entries[key] = _Entry(params=params, begun=now)
                return None
            if entry.refusal is not None:
                raise entry.refusal
            return Replay(entry.response or {}, entry.request_id)

    def _idle(self, key: tuple[str, str, str]) -> bool:
        entry = self._entries.get(key)
        return entry is None or bool(entry.request_id)

    def _forget(self, now: float) -> None:
        old = [
            key
            for key, entry in self._entries.items()
            if entry.request_id and now - entry.begun >= self._seconds
        ]
        for key in old:
            del self._entries[key]

    def succeed(self, key: tuple[str, str, str], request_id: str, response: JsonObject) -> None:
        """Remember the answer of a request that was done; the key is principal, action, token."""
        with self._changed:
            entry = self._entries[key]
            entry.request_id, entry.response = request_id, response
            self._changed.notify_all()

    def fail(self, key: tuple[str, str, str], request_id: str, refusal: ApiError | None) -> None:
        """Let the token be used again, unless the refusal used it up."""
        with self._changed:
            if refusal is not None and refusal.code in FINAL_CODES:
                entry = self._entries[key]
                entry.request_id, entry.refusal = request_id, refusal
            else:
                del self._entries[key]
            self._changed.notify_all()
