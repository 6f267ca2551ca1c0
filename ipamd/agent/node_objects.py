"""The objects of one kind that concern this node, as the API server tells: from a watch, and live.

Thread safety: any thread may call any method; listeners run on the watch's thread.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from ipamd.core import model
from ipamd.kube import errors
from ipamd.kube.calls import JsonObject
from ipamd.kube.client import KubeClient, Selection
from ipamd.kube.resources import Resource
from ipamd.kube.watch import ObjectCache

V = TypeVar("V")


class NodeObjects(Generic[V]):
    """Invariant: after each change of the copy all listeners are called, in the order in which they came."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        selection: Selection,
        view: Callable[[JsonObject], V],
        keep: Callable[[JsonObject], JsonObject],
    ) -> None:
        """Take which objects there are, what is made of one, and what of it is kept."""
        self._client = client
        self._resource = resource
        self._view = view
        self._cache = ObjectCache(client, resource, selection=selection, on_change=self._changed, keep=keep)
        self._listeners: list[Callable[[str, V], None]] = []

    def on_change(self, listener: Callable[[str, V], None]) -> None:
        """Have `listener` called after each change with its kind, as in `ObjectCache`; before `start`."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Start to watch."""
        self._cache.start()

    def stop(self) -> None:
        """End the watch."""
        self._cache.stop()

    @property
    def has_synced(self) -> bool:
        """Whether the first list is complete."""
        return self._cache.has_synced

    def wait_synced(self, timeout: float) -> bool:
        """Wait for the first list; return whether it is complete."""
        return self._cache.wait_synced(timeout)

    def known(self, pod: model.PodRef) -> V | None:
        """Return what the watch has under the Pod's name, whatever its UID; asks nobody."""
        obj = self._cache.get(pod.namespace, pod.name)
        return self._view(obj) if obj is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether the watch knows of none."""
        return self._cache.is_empty

    def all(self) -> list[V]:
        """Return all that the watch knows."""
        return [self._view(obj) for obj in self._cache.items()]

    def live(self, namespace: str, name: str, *, timeout: float | None = None) -> V | None:
        """Ask the API server, for so many seconds; None when there is no such object. Raises: KubeError."""
        try:
            return self._view(self._client.get(self._resource, name, namespace, timeout=timeout))
        except errors.NotFoundError:
            return None

    def _changed(self, kind: str, obj: JsonObject) -> None:
        seen = self._view(obj)
        for listener in self._listeners:
            listener(kind, seen)
