"""Keeps what was seen last: each new sight yields what has happened since. Pure; the caller takes turns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ipamd.core.claim.eipclaim import Claim
from ipamd.core.history import changes
from ipamd.core.history.changes import PodChange
from ipamd.core.history.events import PodEvent, PodMemory
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.states import Address, Assigned
from ipamd.core.timing.boottime import Boottime

_ENDS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("address", "gets"): ("seen", "scheduled"),
    ("order", "EIP"): ("claim", "the EIPClaim is there"),
    ("bind", "EIP"): ("bind", "binding"),
    ("ADD", "done:"): ("address", "gets"),
}
"""Step and first word of what ends something, to step and beginning of what began it."""


_BOUNDS: Final = frozenset({"seen", "leaving", "gone"})
"""Steps with which the time of one UID begins and ends."""


@dataclass(slots=True)
class _Seen:
    addresses: dict[str, Address]
    pods: dict[str, PodView]
    claims: dict[str, Claim]


class PodRecorder:
    """Invariant: `_seen` is what the last call of each kind was given."""

    def __init__(self, node: str, memory: PodMemory) -> None:
        """Take the node's name and where events go."""
        self._node = node
        self._memory = memory
        self._seen = _Seen({}, {}, {})

    def begin(self, addresses: Mapping[str, Address]) -> None:
        """Take in what was promised before anybody looked: who has an address, and since when."""
        self._seen.addresses = dict(addresses)
        owned = [a for a in addresses.values() if isinstance(a.state, Assigned) and a.pod]
        for address in sorted(owned, key=lambda a: a.state.since if isinstance(a.state, Assigned) else 0.0):
            if isinstance(address.state, Assigned):
                text = f"has {address.ip} on {address.eni_id} by the store, since before the agent's start"
                event = PodEvent(at=address.state.since, pod=str(address.pod), step="address", text=text)
                self._memory.add(event)

    def ledger(self, newest: Mapping[str, Address | None], now: Boottime) -> list[PodEvent]:
        """Take in what the node has promised: how addresses are that have changed, None for those gone."""
        found: list[PodChange] = []
        for ip, address in newest.items():
            before = self._seen.addresses.pop(ip, None)
            if address is not None:
                self._seen.addresses[ip] = address
            if before is not address:
                found += changes.of_address(before, address)
        return self._add(found, now)

    def pod(self, view: PodView, now: Boottime, *, gone: bool) -> list[PodEvent]:
        """Take in what the API server tells of a Pod."""
        name = str(view.ref)
        before = self._seen.pods.pop(name, None)
        if not gone:
            self._seen.pods[name] = view
        return self._add(changes.of_pod(before, None if gone else view, self._node), now)

    def claim(self, claim: Claim, now: Boottime, *, gone: bool) -> list[PodEvent]:
        """Take in what the API server tells of an EIPClaim."""
        name = str(claim)
        before = self._seen.claims.pop(name, None)
        if not gone:
            self._seen.claims[name] = claim
        return self._add(changes.of_claim(before, None if gone else claim, name), now)

    def note(self, change: PodChange, now: Boottime) -> list[PodEvent]:
        """Take in what somebody has done."""
        return self._add([change], now)

    def _add(self, found: Iterable[PodChange], now: Boottime) -> list[PodEvent]:
        return [
            self._memory.add(
                PodEvent(
                    at=now,
                    pod=change.pod,
                    step=change.step,
                    text=change.text,
                    failed=change.failed,
                    took=self._took(change, now) if change.took is None else change.took,
                )
            )
            for change in found
        ]

    def _took(self, change: PodChange, now: Boottime) -> float | None:
        """Return how long it took, if it ends what is remembered to have begun."""
        begun = _ENDS.get((change.step, change.text.partition(" ")[0]))
        if change.failed or begun is None:
            return None
        step, words = begun
        for event in reversed(self._memory.of(change.pod)):
            if event.step == step and event.text.startswith(words):
                return max(0.0, now - event.began)
            if event.step in _BOUNDS:
                return None  # what is older was of another UID
        return None
