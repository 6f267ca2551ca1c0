"""Who owns which private IP of this node: the pure heart of the agent.

A `Ledger` is an immutable value. Each operation here takes one and returns a `Transition`: the next ledger
and the addresses whose rows the store must write or remove before anybody acts on the outcome. Nothing
here does I/O, knows a clock or locks; `ipamd.agent.shared_ledger` puts the lock and the commit around it.
Which address a sandbox gets is decided in `ipamd.core.ledger.acquisition`, EIP stages are moved by
`ipamd.core.ledger.eip_records`, cloud listings are taken in by `ipamd.core.ledger.cloud_listing`.

Invariants (`violations` checks them, tests/core tries to break them):
- a sandbox owns at most one address, and an address has at most one owner;
- a Pod interface (Pod UID, ifname) has at most one address that the cloud lists;
- a link of the node is that of at most one sandbox;
- an EIP is recorded at one address at most;
- an address becomes Warm again only after its EIP was confirmed unbound and its cool-down is over;
- a DEL that names another sandbox than the stored one changes nothing;
- a fixed address is for the Pods of its claim only, and a claim has one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ipamd.core import model
from ipamd.core.ledger.address_index import AddressIndex
from ipamd.core.ledger.states import (
    FORGETTABLE,
    Address,
    Assigned,
    Cooling,
    Held,
    IllegalMoveError,
    Occupied,
    Unassigning,
    Unbinding,
    Warm,
    check,
    moved,
)
from ipamd.core.timing.boottime import Boottime, after


@dataclass(frozen=True, slots=True)
class Ledger:
    """All secondary addresses of the node by IP."""

    addresses: Mapping[str, Address] = field(default_factory=lambda: MappingProxyType({}))
    _index: AddressIndex | None = field(default=None, compare=False, repr=False)
    """None until it is asked for."""

    @classmethod
    def of(cls, addresses: Iterable[Address]) -> "Ledger":
        """Build a ledger from stored addresses; IllegalMoveError when one is invalid in itself."""
        by_ip = {address.ip: address for address in addresses}
        for address in by_ip.values():
            check(address)
        return cls(MappingProxyType(by_ip))

    def owned_by(self, key: model.SandboxKey) -> Address | None:
        """Return the address that this very sandbox owns."""
        found = (self.addresses[ip] for ip in self._indexed().of_sandbox(key.container_id))
        return next((a for a in found if isinstance(a.state, Assigned) and a.state.key == key), None)

    def of_sandbox(self, container_id: str) -> list[Address]:
        """Return the addresses that interfaces of this sandbox own."""
        return [self.addresses[ip] for ip in self._indexed().of_sandbox(container_id)]

    def with_eip(self, eip_id: str) -> Address | None:
        """Return the address at which this EIP is recorded, at whatever stage."""
        return next((self.addresses[ip] for ip in self._indexed().of_eip(eip_id)), None)

    @property
    def has_eips(self) -> bool:
        """Whether any EIP is recorded at an address."""
        return self._indexed().has_eips

    def of_name(self, pod: model.PodRef) -> list[Address]:
        """Return every address that a Pod of this namespace and name has or had, whatever its UID."""
        return [self.addresses[ip] for ip in self._indexed().of_pod(pod)]

    def in_state(self, *states: type) -> list[Address]:
        """Return the addresses in any of these states."""
        return [a for a in self.addresses.values() if isinstance(a.state, states)]

    @property
    def available(self) -> list[Address]:
        """The addresses of shared ENIs that a Pod may have now, the longest idle first.

        They are warm and listed by the cloud.
        """
        return [self.addresses[ip] for ip in self._indexed().idle(exclusive=False)]

    @property
    def available_enis(self) -> list[Address]:
        """The exclusive ENIs that a Pod may have now, by their addresses, the longest idle first."""
        return [self.addresses[ip] for ip in self._indexed().idle(exclusive=True)]

    def free(self, *, exclusive: bool = False) -> int:
        """Return how many of them there are: addresses of shared ENIs, or exclusive ENIs."""
        return self._indexed().free(exclusive=exclusive)

    def longest_idle(self, *, exclusive: bool = False) -> Address | None:
        """Return the first of them, None when there is none."""
        ip = self._indexed().longest_idle(exclusive=exclusive)
        return None if ip is None else self.addresses[ip]

    @property
    def shared(self) -> "Ledger":
        """The part that is about addresses of shared ENIs, the fixed ones among them."""
        return self._part(lambda a: not a.exclusive)

    @property
    def pooled(self) -> "Ledger":
        """The part that is about addresses which any Pod may have: what the pool grows and shrinks."""
        return self._part(lambda a: not a.exclusive and not a.fixed)

    @property
    def exclusive(self) -> "Ledger":
        """The part that is about exclusive ENIs."""
        return self._part(lambda a: a.exclusive)

    @property
    def pooled_enis(self) -> "Ledger":
        """The part that is about exclusive ENIs which any Pod may have: what their pool grows and shrinks."""
        return self._part(lambda a: a.exclusive and not a.fixed)

    @property
    def fixed(self) -> list[Address]:
        """The addresses that belong to VpcIPClaims."""
        return [self.addresses[ip] for ip in self._indexed().fixed]

    def _part(self, belongs: Callable[[Address], bool]) -> "Ledger":
        found = {ip: a for ip, a in self.addresses.items() if belongs(a)}
        return self if len(found) == len(self.addresses) else Ledger(MappingProxyType(found))

    def changed(self, *puts: Address, forget: Iterable[str] = ()) -> "Transition":
        """Return the transition that stores these addresses (the first is its subject) and forgets those."""
        addresses = dict(self.addresses)
        leaving = [known for ip in forget if (known := addresses.pop(ip, None)) is not None]
        come = {put.ip: put for put in puts}
        replaced = [addresses[ip] for ip in come if ip in addresses]
        addresses.update(come)
        index = self._indexed().after((*leaving, *replaced), come.values())
        gone = tuple(address.ip for address in leaving)
        return Transition(Ledger(MappingProxyType(addresses), index), puts, gone, puts[0] if puts else None)

    def _indexed(self) -> AddressIndex:
        if self._index is None:
            object.__setattr__(self, "_index", AddressIndex.of(self.addresses.values()))
        assert self._index is not None  # noqa: S101 - narrows the type
        return self._index


@dataclass(frozen=True, slots=True)
class Transition:
    """What an operation decided: the next ledger and the rows to persist before it takes effect."""

    ledger: Ledger
    changed: tuple[Address, ...] = ()
    forgotten: tuple[str, ...] = ()
    address: Address | None = None
    """The address that the operation was about, in its new state (of several, the first); None for none."""

    def __bool__(self) -> bool:
        """Whether there is anything to persist."""
        return bool(self.changed or self.forgotten)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressHold:
    """For how long, and for whom, an address is kept after its sandbox is gone."""

    until: Boottime
    by_name: bool


def release(
    ledger: Ledger, key: model.SandboxKey, hold: AddressHold | None, cooldown: float, now: Boottime
) -> Transition:
    """End a sandbox: keep its address for its Pod, or let it go by way of Unbinding and Cooling.

    A key that owns nothing changes nothing, unless an address is held after that very sandbox and the caller
    now says that it need not be: then the hold ends.
    """
    owned = ledger.owned_by(key)
    if owned is None:
        held = next(
            (a for a in ledger.in_state(Held) if isinstance(a.state, Held) and a.state.key == key), None
        )
        return (
            Transition(ledger) if held is None or hold is not None else vacate(ledger, held.ip, cooldown, now)
        )
    if hold is None or not isinstance(owned.state, Assigned):
        return vacate(ledger, owned.ip, cooldown, now)
    return ledger.changed(
        moved(owned, Held(key=key, pod=owned.state.pod, until=hold.until, by_name=hold.by_name))
    )


def vacate(ledger: Ledger, ip: str, cooldown: float, now: Boottime) -> Transition:
    """Take an address from its owner, holder or occupant: Unbinding while it has an EIP, else Cooling."""
    return ledger.changed(vacated(ledger.addresses[ip], cooldown, now))


def end_holds(ledger: Ledger, pod: model.PodRef, cooldown: float, now: Boottime) -> Transition:
    """Let go what is held for a Pod that does not come back; what is held for its name stays."""
    over = [
        a
        for a in ledger.in_state(Held)
        if isinstance(a.state, Held) and a.state.pod == pod and not a.state.by_name
    ]
    return ledger.changed(*(vacated(address, cooldown, now) for address in over))


def shorten_holds(ledger: Ledger, ips: Iterable[str], until: Boottime) -> Transition:
    """Let the holds of these addresses end by then at the latest; what is not held any more is skipped."""
    longer = [
        (a, a.state)
        for ip in ips
        if (a := ledger.addresses.get(ip)) and isinstance(a.state, Held) and a.state.until > until
    ]
    return ledger.changed(*(replace(address, state=replace(state, until=until)) for address, state in longer))


def expire(ledger: Ledger, cooldown: float, now: Boottime) -> Transition:
    """Let time do its part: holds end, cooled addresses become warm.

    Whether the hold of a fixed address ends is for `ipamd.core.vpc_ip.attach_plan`.
    """
    changed: list[Address] = []
    for address in ledger.addresses.values():
        state = address.state
        if isinstance(state, Held) and state.until <= now and not address.fixed:
            changed.append(vacated(address, cooldown, now))
        elif isinstance(state, Cooling) and state.until <= now:
            changed.append(moved(address, Unassigning(since=now) if address.fixed else Warm(since=now)))
    return ledger.changed(*changed)


def next_expiry(ledger: Ledger) -> Boottime | None:
    """Return when `expire` has something to do next, or None."""
    return min(
        (
            a.state.until
            for a in ledger.addresses.values()
            if isinstance(a.state, Cooling) or (isinstance(a.state, Held) and not a.fixed)
        ),
        default=None,
    )


def adopt(ledger: Ledger, eni_id: str, ips: Iterable[str], now: Boottime) -> Transition:
    """Take in addresses that the cloud has just assigned; those already known stay as they are."""
    fresh = [Address(ip=ip, eni_id=eni_id, state=Warm(since=now), added_at=now) for ip in ips]
    return ledger.changed(*(a for a in fresh if a.ip not in ledger.addresses))


def retire(ledger: Ledger, ips: Iterable[str], now: Boottime) -> Transition:
    """Take warm addresses out of the pool before the cloud is asked to unassign them; others are skipped."""
    warm = [ledger.addresses[ip] for ip in ips if isinstance(ledger.addresses[ip].state, Warm)]
    return ledger.changed(*(moved(address, Unassigning(since=now)) for address in warm))


def reinstate(ledger: Ledger, ips: Iterable[str], now: Boottime) -> Transition:
    """Put retired addresses back: the cloud still lists them."""
    retired = [a for ip in ips if (a := ledger.addresses.get(ip)) and isinstance(a.state, Unassigning)]
    return ledger.changed(*(moved(address, Warm(since=now)) for address in retired))


def forget(ledger: Ledger, ips: Iterable[str]) -> Transition:
    """Drop addresses that are the node's no longer; IllegalMoveError for one that has an owner or an EIP."""
    leaving = [a for ip in ips if (a := ledger.addresses.get(ip))]
    for address in leaving:
        if not isinstance(address.state, FORGETTABLE):
            raise IllegalMoveError(address, "forgotten")
    return ledger.changed(forget=[address.ip for address in leaving])


def violations(ledger: Ledger) -> list[str]:
    """Say which of the invariants do not hold, one sentence each; empty when all hold."""
    owners = [a.state for a in ledger.addresses.values() if isinstance(a.state, Assigned)]
    interfaces = [
        (a.state.pod.uid, a.state.key.ifname)
        for a in ledger.addresses.values()
        if isinstance(a.state, Assigned | Held) and not a.quarantined
    ]
    links = [
        a.state.host_interface for a in ledger.addresses.values() if isinstance(a.state, Assigned | Occupied)
    ]
    eips = [a.eip.eip_id for a in ledger.addresses.values() if a.eip is not None]
    fixed = [a.fixed for a in ledger.fixed if not isinstance(a.state, Unassigning | Unbinding)]
    counts: tuple[tuple[str, Counter[object]], ...] = (
        ("sandbox", Counter(owner.key for owner in owners)),
        ("Pod interface", Counter(interfaces)),
        ("link", Counter(links)),
        ("EIP", Counter(eips)),
        ("VpcIPClaim", Counter(fixed)),
    )
    return [
        f"{what} {subject} is at {count} addresses"
        for what, counter in counts
        for subject, count in counter.items()
        if count > 1
    ]


def vacated(address: Address, cooldown: float, now: Boottime) -> Address:
    """Return an address without its owner or holder: Unbinding while it has an EIP, else Cooling.

    A fixed one goes back to the cloud without cooling: nobody but its claim's next Pod gets it.
    """
    if address.eip:
        return moved(address, Unbinding(since=now))
    return moved(address, Unassigning(since=now) if address.fixed else Cooling(until=after(now, cooldown)))
