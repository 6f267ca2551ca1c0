"""Events that tell users what happened to their objects, written in the background.

`record` never waits and never fails: Events wait in a bounded queue for a thread of their own, which writes
few per second, behind other requests, as Pods may wait for those. The same message about
the same object is one Event whose count grows (client-go's correlator), also while it still waits in the
queue, and is not written again for a while; so a loop that repeats itself costs memory and requests for one.
RequestIds and times make no message another. Events are for people. Nothing of ours reads them back.
Thread safety: any thread may call any method.
"""

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ipamd.core.text.sameness import essence
from ipamd.core.text.telling import one_line
from ipamd.core.timing import timestamps
from ipamd.core.timing.backoff import Backoff
from ipamd.core.timing.token_bucket import TokenBucket
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EVENTS
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task, note_defect

log = logging.getLogger(__name__)

_MESSAGE_LIMIT = 1024
"""Bytes; the API's own limit for the message of an Event."""
_ATTEMPTS = 4
_STOP_SECONDS = 2.0
_BACKOFF = Backoff(first=2.0, longest=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPace:
    """How many Events are written."""

    rate: float = 5.0
    """Per second."""
    capacity: int = 256
    """That may wait; of twice as many the count may still grow. The server forgets them after an hour."""
    quiet: float = 0.0
    """Seconds for which a repeat is not written, but counted with the next one after them."""


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
    text: str
    """The message without RequestIds and times."""


@dataclass(slots=True)
class _Written:
    name: str
    count: int
    at: float
    unsaid: int = 0
    """How often it was repeated since, and not written."""


@dataclass(slots=True)
class _Waiting:
    message: str
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
        pace: EventPace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the name and host that the Events show as their source, and how many are written."""
        self._pace = pace or EventPace()
        self._client = client.behind_others()
        self._component = component
        self._host = host
        self._clock = clock
        self._bucket = TokenBucket(rate=self._pace.rate, burst=10)
        self._condition = threading.Condition()
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
        self._written: OrderedDict[_Key, _Written] = OrderedDict()
        self._stopping = threading.Event()
        self._task = Task("events", self._write_next, policy=Survive())

    def start(self) -> None:
        """Start the thread; what was recorded before is written then."""
        self._task.start()

    def stop(self, timeout: float = _STOP_SECONDS) -> bool:
        """Write what waits, for two seconds at most, and end the thread; return whether it has."""
        self._stopping.set()
        with self._condition:
            self._condition.notify_all()
        ended = self._task.join(min(timeout, _STOP_SECONDS))
        with self._condition:
            if self._waiting:
                log.warning("%d Events were not written before the end", len(self._waiting))
                self._waiting.clear()  # so that the thread ends after the one that it writes
        return ended

    def record(
        self,
        regarding: Mapping[str, Any],
        type: Literal["Normal", "Warning"],  # noqa: A002 - the field's name in the API
        reason: str,
        message: str,
        *,
        quiet: float = 0.0,
    ) -> None:
        """Say on the object `regarding` (an ObjectReference or a whole object) what happened.

        `reason` is a CamelCase word for programs, `message` a sentence for people. `quiet` is as in
        `EventPace`, for this one; the longer one counts.
        """
        key = _key(regarding, type, reason, message)
        now = self._clock()
        with self._condition:
            waiting, written = self._waiting.get(key), self._written.get(key)
            if waiting:
                waiting.count += 1
                waiting.last = now
            elif written and 0 <= now - written.at < max(quiet, self._pace.quiet):
                written.unsaid += 1
            elif len(self._waiting) >= self._pace.capacity:
                log.warning("an Event is dropped, as %d wait: %s %s", self._pace.capacity, reason, message)
            else:
                self._waiting[key] = _Waiting(_shown(message), 1, now, now)
                self._condition.notify_all()

    def _write_next(self) -> bool:
        """Wait for an Event and write it; False when the recorder is stopped and none is left."""
        with self._condition:
            while not self._waiting and not self._stopping.is_set():
                self._condition.wait()
            if not self._waiting:
                return False
            key, waiting = self._waiting.popitem(last=False)
        try:
            self._write(key, waiting)
        except errors.ForbiddenError as e:
            log.warning("an Event is lost: %s", e)
        except errors.KubeError as e:
            self._put_back(key, waiting, e)
        except Exception:  # the others must be written: Events are the users' only news
            log.exception("an Event is lost: %s %s", key.reason, waiting.message)
            note_defect()
        return True

    def _write(self, key: _Key, waiting: _Waiting) -> None:
        if not self._stopping.is_set():
            self._stopping.wait(self._bucket.reserve(time.monotonic()) or 0.0)
        with self._condition:
            known = self._written.pop(key, None)
        count = waiting.count + (known.count + known.unsaid if known else 0)
        if known:
            body = {
                "count": count,
                "lastTimestamp": timestamps.to_text(waiting.last),
                "message": waiting.message,
            }
            try:
                self._client.patch(EVENTS, known.name, body, key.namespace or "default")
            except errors.NotFoundError:
                known, count = None, waiting.count  # the server has forgotten it
        name = known.name if known else ""
        if not known:
            name = self._client.create(EVENTS, self._event(key, waiting))["metadata"]["name"]
        with self._condition:
            written = self._written[key] = _Written(name, count, self._clock())
            if self._pace.quiet > 0 and (meanwhile := self._waiting.pop(key, None)):
                written.unsaid = meanwhile.count  # it came while this one was on its way
            while len(self._written) > 2 * self._pace.capacity:
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
        self._stopping.wait(_BACKOFF.delay(waiting.attempts, chance.fraction))

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
            "message": waiting.message,
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
    return _Key(
        api_version=regarding.get("apiVersion", ""),
        kind=regarding.get("kind", ""),
        namespace=identity.get("namespace", ""),
        name=identity["name"],
        uid=identity.get("uid", ""),
        type=kind,
        reason=reason,
        text=essence(_shown(message)),
    )


def _shown(message: str) -> str:
    return one_line(message, _MESSAGE_LIMIT)
