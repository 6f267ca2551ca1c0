"""Events that tell users what happened to their objects, written in the background.

`record` never waits and never fails: Events wait in a bounded queue for a thread of their own, which writes
few per second. The same message about the same object is one Event whose count grows (client-go's
correlator), also while it still waits in the queue; so a loop that repeats itself costs memory and requests
for one. Events are for people. Nothing of ours reads them back.
Thread safety: any thread may call any method.
"""

import logging
import random
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ipamd.core import timestamps
from ipamd.core.backoff import Backoff
from ipamd.core.pacing import TokenBucket
from ipamd.kube import errors
from ipamd.kube.calling import JsonObject
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EVENTS

log = logging.getLogger(__name__)

_QUEUE = 256
_REMEMBERED = 512
"""Events whose count may still grow; the server forgets them after an hour."""
_MESSAGE_LIMIT = 1024
"""Bytes; the API's own limit for the message of an Event."""
_ATTEMPTS = 4
_BACKOFF = Backoff(first=2.0, longest=30.0)


@dataclass(frozen=True, slots=True)
class _Key:
    """What makes two Events the same."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class _Waiting:
    count: int
    first: float
    last: float
    attempts: int = 0


class EventRecorder:
    """Writes the Events of one component.

    Invariant: an occurrence is in `_waiting`, or written, or was dropped with a log line.
    """

    def __init__(
        self,
        client: KubeClient,
        component: str,
        host: str = "",
        *,
        rate: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the name and host that the Events show as their source, and how many to write per second."""
        self._client = client
        self._component = component
        self._host = host
        self._clock = clock
        self._bucket = TokenBucket(rate=rate, burst=10)
        self._condition = threading.Condition()
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
        self._written: OrderedDict[_Key, tuple[str, int]] = OrderedDict()  # the Event's name and count
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Start the thread; what was recorded before is written then."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Write what waits, for at most `timeout` seconds, and end the thread."""
        self._stopping.set()
        with self._condition:
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        with self._condition:
            if self._waiting:
                log.warning("%d Events were not written before the end", len(self._waiting))

    def record(
        self,
        regarding: Mapping[str, Any],
        type: Literal["Normal", "Warning"],  # noqa: A002 - the field's name in the API
        reason: str,
        message: str,
    ) -> None:
        """Say on the object `regarding` (an ObjectReference or a whole object) what happened.

        `reason` is a CamelCase word for programs, `message` a sentence for people.
        """
        key = _key(regarding, type, reason, message)
        now = self._clock()
        with self._condition:
            waiting = self._waiting.get(key)
            if waiting:
                waiting.count += 1
                waiting.last = now
            elif len(self._waiting) >= _QUEUE:
                log.warning("an Event is dropped, as %d wait: %s %s", _QUEUE, reason, message)
            else:
                self._waiting[key] = _Waiting(1, now, now)
                self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._waiting and not self._stopping.is_set():
                    self._condition.wait()
                if not self._waiting:
                    return
                key, waiting = self._waiting.popitem(last=False)
            try:
                self._write(key, waiting)
            except errors.ForbiddenError as e:
                log.warning("an Event is lost: %s", e)
            except errors.KubeError as e:
                self._put_back(key, waiting, e)
            except Exception:  # the thread must outlive a defect: Events are the users' only news
                log.exception("an Event is lost: %s %s", key.reason, key.message)

    def _write(self, key: _Key, waiting: _Waiting) -> None:
        if not self._stopping.is_set():
            self._stopping.wait(self._bucket.reserve(time.monotonic()) or 0.0)
        known = self._written.pop(key, None)
        if known:
            name, count = known
            body = {"count": count + waiting.count, "lastTimestamp": timestamps.to_text(waiting.last)}
            try:
                self._client.patch(EVENTS, name, body, key.namespace or "default")
            except errors.NotFoundError:
                known = None  # the server has forgotten it
            else:
                self._remember(key, name, count + waiting.count)
        if not known:
            created = self._client.create(EVENTS, self._event(key, waiting))
            self._remember(key, created["metadata"]["name"], waiting.count)

    def _remember(self, key: _Key, name: str, count: int) -> None:
        self._written[key] = (name, count)
        while len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _put_back(self, key: _Key, waiting: _Waiting, error: errors.KubeError) -> None:
        waiting.attempts += 1
        if waiting.attempts >= _ATTEMPTS or isinstance(
            error, (errors.InvalidObjectError, errors.NotFoundError)
        ):
            log.warning("an Event is lost: %s", error)
            return
        with self._condition:
            newer = self._waiting.pop(key, None)
            if newer:
                waiting.count += newer.count
                waiting.last = newer.last
            self._waiting[key] = waiting
        self._stopping.wait(_BACKOFF.delay(waiting.attempts, random.random))

    def _event(self, key: _Key, waiting: _Waiting) -> JsonObject:
        namespace = key.namespace or "default"  # where Events of cluster-scoped objects live
        regarding = {
            "apiVersion": key.api_version,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": key.uid,
        }
        return {
            "metadata": {"name": f"{key.name[:200]}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
            "involvedObject": {field: value for field, value in regarding.items() if value},
            "type": key.type,
            "reason": key.reason,
            "message": key.message,
            "source": {"component": self._component, "host": self._host},
            "reportingComponent": self._component,
            "reportingInstance": self._host,
            "firstTimestamp": timestamps.to_text(waiting.first),
            "lastTimestamp": timestamps.to_text(waiting.last),
            "count": waiting.count,
        }


def reference(api_version: str, kind: str, obj: Mapping[str, Any]) -> JsonObject:
    """Return the ObjectReference of an object that came from a list, where items do not name their kind."""
    metadata = obj["metadata"]
    fields = {name: metadata[name] for name in ("namespace", "name", "uid") if metadata.get(name)}
    return {"apiVersion": api_version, "kind": kind, **fields}


def _key(regarding: Mapping[str, Any], kind: str, reason: str, message: str) -> _Key:
    identity = regarding.get("metadata", regarding)
    shown = message.encode()[:_MESSAGE_LIMIT].decode(errors="ignore")
    return _Key(
        api_version=regarding.get("apiVersion", ""),
        kind=regarding.get("kind", ""),
        namespace=identity.get("namespace", ""),
        name=identity["name"],
        uid=identity.get("uid", ""),
        type=kind,
        reason=reason,
        message=shown,
    )
