"""What an ADD asks of all addresses, kept beside a ledger, so that its cost does not grow with their number.

Who has which, which are free, and which have an EIP or belong to a claim. Pure.
"""

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ipamd.core import model
from ipamd.core.ledger.states import Address, Assigned, Warm
from ipamd.core.timing.boottime import Boottime

_K = TypeVar("_K")


class _PodName(NamedTuple):
    namespace: str
    name: str


class _Idle(NamedTuple):
    """Since when an address is free; they sort by that, and the address decides among equals."""

    since: Boottime
    ip: str


@dataclass(frozen=True, slots=True)
class AddressIndex:
    """Invariant: it says of the addresses of one ledger what they say themselves, and of no other ones."""

    _of_pods: Mapping[_PodName, tuple[str, ...]] = field(default_factory=dict)
    _of_sandboxes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By container id."""
    _of_eips: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    _idle: tuple[_Idle, ...] = ()
    """Of shared ENIs, the longest idle first."""
    _idle_enis: tuple[_Idle, ...] = ()
    fixed: tuple[str, ...] = ()
    """The addresses that belong to VpcIPClaims."""

    @classmethod
    def of(cls, addresses: Iterable[Address]) -> "AddressIndex":
        """Index these addresses."""
        return cls().after((), addresses)

    def after(self, gone: Iterable[Address], come: Iterable[Address]) -> "AddressIndex":
        """Return the index once some addresses are gone, as they were, and others have come."""
        pods, sandboxes, eips = dict(self._of_pods), dict(self._of_sandboxes), dict(self._of_eips)
        idle = {False: list(self._idle), True: list(self._idle_enis)}
        fixed = dict.fromkeys(self.fixed)
        for address in gone:
            _take(pods, _pod_of(address), address.ip)
            _take(sandboxes, _sandbox_of(address), address.ip)
            _take(eips, _eip_of(address), address.ip)
            fixed.pop(address.ip, None)
            if (since := _idle_since(address)) is not None:
                of_kind = idle[address.exclusive]
                del of_kind[bisect.bisect_left(of_kind, since)]
        for address in come:
            _give(pods, _pod_of(address), address.ip)
            _give(sandboxes, _sandbox_of(address), address.ip)
            _give(eips, _eip_of(address), address.ip)
            if address.fixed:
                fixed[address.ip] = None
            if (since := _idle_since(address)) is not None:
                bisect.insort(idle[address.exclusive], since)
        return AddressIndex(pods, sandboxes, eips, tuple(idle[False]), tuple(idle[True]), tuple(fixed))

    def of_pod(self, pod: model.PodRef) -> tuple[str, ...]:
        """Return the addresses of Pods of this namespace and name, whatever their UID."""
        return self._of_pods.get(_PodName(pod.namespace, pod.name), ())

    def of_sandbox(self, container_id: str) -> tuple[str, ...]:
        """Return the addresses that interfaces of a sandbox own."""
        return self._of_sandboxes.get(container_id, ())

    def of_eip(self, eip_id: str) -> tuple[str, ...]:
        """Return the addresses at which an EIP is recorded, at whatever stage: one at most."""
        return self._of_eips.get(eip_id, ())

    @property
    def has_eips(self) -> bool:
        """Whether any EIP is recorded at an address."""
        return bool(self._of_eips)

    def free(self, *, exclusive: bool) -> int:
        """Return how many addresses of shared ENIs, or exclusive ENIs, a Pod may have now."""
        return len(self._idle_enis if exclusive else self._idle)

    def longest_idle(self, *, exclusive: bool) -> str | None:
        """Return which of them has been free for the longest time."""
        idle = self._idle_enis if exclusive else self._idle
        return idle[0].ip if idle else None

    def idle(self, *, exclusive: bool) -> tuple[str, ...]:
        """Return all of them, the longest idle first."""
        return tuple(each.ip for each in (self._idle_enis if exclusive else self._idle))


def _pod_of(address: Address) -> _PodName | None:
    pod = address.pod
    return None if pod is None else _PodName(pod.namespace, pod.name)


def _sandbox_of(address: Address) -> str | None:
    return address.state.key.container_id if isinstance(address.state, Assigned) else None


def _eip_of(address: Address) -> str | None:
    return None if address.eip is None else address.eip.eip_id


def _idle_since(address: Address) -> _Idle | None:
    """Return since when a Pod may have the address: it is warm, and the cloud lists it."""
    if not isinstance(address.state, Warm) or address.quarantined:
        return None
    return _Idle(address.state.since, address.ip)


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
