"""Which addresses a Pod's name and a sandbox have, kept beside a ledger: each ADD asks seven times. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from ipamd.core import model
from ipamd.core.ledger.states import Address, Assigned

_K = TypeVar("_K")


class _PodName(NamedTuple):
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class OwnerIndex:
    """Invariant: it says of the addresses of one ledger what they say themselves, and of no other ones."""

    _of_pods: Mapping[_PodName, tuple[str, ...]]
    _of_sandboxes: Mapping[str, tuple[str, ...]]
    """By container id."""

    @classmethod
    def of(cls, addresses: Iterable[Address]) -> "OwnerIndex":
        """Index these addresses."""
        return cls({}, {}).after((), addresses)

    def after(self, gone: Iterable[Address], come: Iterable[Address]) -> "OwnerIndex":
        """Return the index once some addresses are gone, as they were, and others have come."""
        pods, sandboxes = dict(self._of_pods), dict(self._of_sandboxes)
        for address in gone:
            _take(pods, _pod_of(address), address.ip)
            _take(sandboxes, _sandbox_of(address), address.ip)
        for address in come:
            _give(pods, _pod_of(address), address.ip)
            _give(sandboxes, _sandbox_of(address), address.ip)
        return OwnerIndex(pods, sandboxes)

    def of_pod(self, pod: model.PodRef) -> tuple[str, ...]:
        """Return the addresses of Pods of this namespace and name, whatever their UID."""
        return self._of_pods.get(_PodName(pod.namespace, pod.name), ())

    def of_sandbox(self, container_id: str) -> tuple[str, ...]:
        """Return the addresses that interfaces of a sandbox own."""
        return self._of_sandboxes.get(container_id, ())


def _pod_of(address: Address) -> _PodName | None:
    pod = address.pod
    return None if pod is None else _PodName(pod.namespace, pod.name)


def _sandbox_of(address: Address) -> str | None:
    return address.state.key.container_id if isinstance(address.state, Assigned) else None


def _give(index: dict[_K, tuple[str, ...]], key: _K | None, ip: str) -> None:
    if key is not None:
        index[key] = (*index.get(key, ()), ip)


def _take(index: dict[_K, tuple[str, ...]], key: _K | None, ip: str) -> None:
    if key is None:
        return
    left = tuple(other for other in index.get(key, ()) if other != ip)
    if left:
        index[key] = left
    else:
        index.pop(key, None)
