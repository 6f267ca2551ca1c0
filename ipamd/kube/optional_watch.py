"""A local copy of a collection that the server may not have, or may not let us see.

It is asked for in growing intervals until the server answers; from then on an `ObjectCache` keeps the copy.
So an API that is not there costs a request every ten minutes, and one line in the log; who needs it has it
asked for sooner (`ask_soon`).
Thread safety: any thread may call any method; `on_change` runs on a thread of this object.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from ipamd.core.timing.backoff import Backoff
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.resources import Resource
from ipamd.kube.watch import ObjectCache, OnChange
from ipamd.runtime import chance
from ipamd.runtime.defects import Survive
from ipamd.runtime.task import Task

log = logging.getLogger(__name__)

_STOP_SECONDS = 5.0
_SYNC_SECONDS = 0.5
_BACKOFF = Backoff(first=1.0, longest=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentPace:
    """How often a server is asked for a kind that it does not have: it may have been upgraded."""

    pauses: Backoff
    soonest: float = 5.0
    """Seconds between two questions at least, whoever wants an answer."""


ON_NODES = AbsentPace(pauses=Backoff(first=60.0, longest=600.0))
"""Of an agent: there may be thousands, and all begin when a release is rolled out."""
IN_CONTROLLER = AbsentPace(pauses=Backoff(first=2.0, longest=30.0))
"""Of one process in the cluster; objects are often applied in any order."""


class OptionalWatch:
    """Invariant: the cache is started once, after the server has answered a list."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        selection: Selection | None = None,
        on_change: Callable[[], None],
        on_object: OnChange | None = None,
        keep: Callable[[JsonObject], JsonObject] = dict,
    ) -> None:
        """Take what to watch, and who is told that `items` may answer something else.

        `on_object` is told of each object, also while the copy is not complete; `keep` says what of an object
        is kept.
        """
        self._client = client
        self._resource = resource
        self._selection = selection or Selection()
        self._on_change = on_change
        self._on_object = on_object
        self._cache = ObjectCache(client, resource, selection=selection, on_change=self._changed, keep=keep)
        self._problem = ""
        self._absent = ON_NODES
        self._failures = 0
        self._hurry = threading.Event()
        self._task = Task(f"ask-{resource.plural}", self._ask, policy=Survive(backoff=_BACKOFF))

    def at_pace(self, absent: AbsentPace) -> Self:
        """Have a server that does not have the kind asked at another pace; before `start`."""
        self._absent = absent
        return self

    def start(self) -> None:
        """Begin to ask."""
        self._task.start()

    def stop(self) -> None:
        """End; a question that is under way changes nothing any more."""
        self._task.stopping.set()
        self._hurry.set()
        self._cache.stop()
        self._task.join(_STOP_SECONDS)

    def ask_soon(self) -> None:
        """Have the server asked as soon as the pace allows, if it has not got the kind: somebody needs it."""
        self._hurry.set()

    @property
    def problem(self) -> str:
        """Why there is no copy, empty before the first answer and while there is one."""
        return self._problem

    def items(self) -> list[JsonObject] | None:
        """Return the copies of all objects, None while nothing is known."""
        return self._cache.items() if self._cache.has_synced else None

    def get(self, namespace: str, name: str) -> JsonObject | None:
        """Return the copy of one object, None when there is none or nothing is known."""
        return self._cache.get(namespace, name)

    def _ask(self) -> bool:
        """Ask once; return whether to ask again. With the first answer the cache begins."""
        try:
            for _ in self._client.scan(self._resource, self._selection, resource_version="0"):
                pass
        except errors.KubeError as e:
            self._failures += 1
            self._tell(e.message)
            if isinstance(e, errors.NotFoundError):
                self._rest(self._absent.pauses.delay(self._failures, chance.fraction))
            else:
                self._task.stopping.wait(_BACKOFF.delay(self._failures, chance.fraction))
            return True
        self._problem = ""
        if not self._task.stopping.is_set():
            self._follow()
        return False

    def _rest(self, pause: float) -> None:
        """Wait for so long, or less if somebody asks for it or the watch ends."""
        soonest = min(self._absent.soonest, pause)
        if not self._task.stopping.wait(soonest):
            self._hurry.wait(pause - soonest)
            self._hurry.clear()

    def _follow(self) -> None:
        self._cache.start()
        while not self._task.stopping.is_set() and not self._cache.wait_synced(_SYNC_SECONDS):
            pass
        if not self._task.stopping.is_set():
            self._on_change()  # nothing else tells of a collection that is empty

    def _changed(self, kind: str, obj: JsonObject) -> None:
        if self._on_object is not None:
            self._on_object(kind, obj)
        if self._cache.has_synced:
            self._on_change()

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            log.info("%s", problem)
        self._problem = problem
