"""`ipamctl drain`: gives back what no Pod uses, addresses first, then the ENIs that have none.

The pool is frozen first and stays so. Nothing is taken from a Pod, nor what is held, cools or waits for its
EIP: that is named, with when it ends by itself. What is done is what the pool itself does when it has too
much, so that a crash in between is mended by the next round after a thaw.
Thread safety: one drain at a time; others wait.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ipamd.agent.enis import NodeEni, NodeEnis
from ipamd.agent.pool.executor import PoolExecutor
from ipamd.agent.pool.freeze import PoolFreeze
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.errors import IpamError
from ipamd.core.ledger import ledger
from ipamd.core.ledger.states import Address, Unassigning, Warm
from ipamd.core.ledger.uses import use_of
from ipamd.core.timing.boottime import Boottime
from ipamd.core.timing.deadline import Deadline

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 10
"""Addresses of one request, as the pool itself asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainOutcome:
    """What was given back, and what stands in the way of the rest."""

    addresses: tuple[str, ...]
    enis: tuple[str, ...]
    obstacles: tuple[str, ...]


class Drain:
    """Drains the pool of one node."""

    def __init__(
        self,
        *,
        shared_ledger: SharedLedger,
        enis: NodeEnis,
        cloud: TencentCloud,
        executor: PoolExecutor,
        freeze: PoolFreeze,
        instance: Callable[[], model.Instance],
    ) -> None:
        """Take the ledger, the ENIs, and who gives back."""
        self._shared_ledger = shared_ledger
        self._enis = enis
        self._cloud = cloud
        self._executor = executor
        self._freeze = freeze
        self._instance = instance
        self._turn = threading.Lock()
        self._others: list[Callable[[list[str]], list[str]]] = []

    def drains_too(self, other: Callable[[list[str]], list[str]]) -> None:
        """Have ENIs of another pool given back, too: it returns which are gone, and adds why others stay."""
        self._others.append(other)

    def run(self, deadline: Deadline) -> DrainOutcome:
        """Drain once. Raises: StoreError when it cannot be written down that the pool is frozen."""
        with self._turn:
            self._freeze.freeze()
            failures: list[str] = []
            addresses = self._give_back(failures)
            enis = self._take_off(deadline, failures)
            enis += [eni_id for other in self._others for eni_id in other(failures)]
            return DrainOutcome(
                addresses=tuple(addresses), enis=tuple(enis), obstacles=(*failures, *self._left())
            )

    def _give_back(self, failures: list[str]) -> list[str]:
        given: list[str] = []
        for eni in self._enis.enis.values():
            while ips := self._retired(eni.eni_id):
                try:
                    self._executor.unassign(eni.eni_id, ips)
                except IpamError as e:
                    failures.append(f"{len(ips)} addresses of {eni.eni_id} could not be given back: {e}")
                    break
                given += ips
        return given

    def _retired(self, eni_id: str) -> tuple[str, ...]:
        """Take some free addresses of an ENI out of service, besides those that are on their way back."""
        shared_ledger = self._shared_ledger
        warm = [a.ip for a in shared_ledger.current.available if a.eni_id == eni_id][:_MOST_AT_ONCE]
        if warm:
            shared_ledger.apply(
                lambda current: ledger.retire(current, _still_warm(current, warm), shared_ledger.now())
            )
        leaving = [a.ip for a in shared_ledger.current.in_state(Unassigning) if a.eni_id == eni_id]
        return tuple(leaving[:_MOST_AT_ONCE])

    def _take_off(self, deadline: Deadline, failures: list[str]) -> list[str]:
        gone: list[str] = []
        used = {address.eni_id for address in self._shared_ledger.current.addresses.values()}
        for eni in [eni for eni in self._enis.enis.values() if eni.eni_id not in used]:
            try:
                self._delete(eni, deadline)
            except IpamError as e:
                failures.append(f"{eni.eni_id} could not be taken off the node: {e}")
            else:
                gone.append(eni.eni_id)
        for _ in range(2 if gone else 0):
            # What is missing once may be a short listing; the second look lets the kernel's side go.
            self._look(failures)
        return gone

    def _delete(self, eni: NodeEni, deadline: Deadline) -> None:
        self._cloud.detach_eni(eni.eni_id, self._instance().instance_id, deadline)
        self._cloud.delete_eni(eni.eni_id, deadline)
        log.warning("ENI %s is taken off the node and deleted: an operator drains it", eni.eni_id)

    def _look(self, failures: list[str]) -> None:
        try:
            self._executor.look()
        except IpamError as e:
            failures.append(f"the ENIs could not be looked at afterwards: {e}")

    def _left(self) -> Iterator[str]:
        now = self._shared_ledger.now()
        for address in sorted(self._shared_ledger.current.addresses.values(), key=lambda a: a.ip):
            yield _why(address, now)


def _still_warm(shared_ledger: ledger.Ledger, ips: list[str]) -> tuple[str, ...]:
    """Return those that no Pod has got meanwhile."""
    return tuple(
        ip
        for ip in ips
        if ip in shared_ledger.addresses and isinstance(shared_ledger.addresses[ip].state, Warm)
    )


def _why(address: Address, now: Boottime) -> str:
    use = use_of(address)
    pod = f" by Pod {use.pod}" if use.word == "pod" else f" for Pod {use.pod}" if use.pod else ""
    until = f", {max(0.0, use.until - now):.0f} s more" if use.until is not None else ""
    word = "used" if use.word == "pod" else use.word
    return f"{address.ip} on {address.eni_id} is {word}{pod}{until}" + (f": {use.why}" if use.why else "")
