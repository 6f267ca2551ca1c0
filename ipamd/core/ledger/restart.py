"""What a start takes over from the store: whose times still mean something, and what a reboot has ended.

Pure, in the manner of `ipamd.core.ledger.ledger`. A stored time is believed only as far as it can be true:
nothing is younger than now, and nothing cools or is held for longer than the settings say. So whatever was
written, by whatever clock, no address is out of use for longer than that.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ipamd.core.ledger.cloud_listing import FOUND_SECONDS
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import (
    Address,
    Assigned,
    Cooling,
    Held,
    Occupied,
    State,
    Unassigning,
    Unbinding,
    Warm,
    moved,
)
from ipamd.core.timing.boottime import BOOT, Boottime, after


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The longest that an address may be kept from new Pods, in seconds."""

    hold: float
    cooldown: float


def restarted(ledger: Ledger, spans: Spans, now: Boottime) -> Transition:
    """Take over what an earlier process of this boot has stored, and keep its times within what can be."""
    return _changed(ledger, (_bounded(address, spans, now) for address in ledger.addresses.values()))


def rebooted(ledger: Ledger, spans: Spans, now: Boottime) -> Transition:
    """Take in that the node has been rebooted: every sandbox is gone, every Pod may come back.

    The Pods of the node keep their UIDs and get new sandboxes, so each address is held for its Pod; what does
    not come back in time is let go by `ledger.expire`. Kernel evidence of unknown owners is gone as well. The
    stored times are of a clock that has begun anew: ages count from the boot, what ends later begins again.
    """
    return _changed(ledger, (_begun_anew(address, spans, now) for address in ledger.addresses.values()))


def _bounded(address: Address, spans: Spans, now: Boottime) -> Address:
    state = address.state
    if isinstance(state, Held):
        state = replace(state, until=_until(state.until, spans.hold, now))
    elif isinstance(state, Cooling):
        state = replace(state, until=_until(state.until, _cooling(address, spans), now))
    else:
        state = _since(state, _past(state.since, now))
    missing = address.missing_since
    return replace(
        address,
        state=state,
        added_at=_past(address.added_at, now),
        missing_since=None if missing is None else _past(missing, now),
    )


def _begun_anew(address: Address, spans: Spans, now: Boottime) -> Address:
    state = address.state
    if isinstance(state, Assigned):
        by_name = bool(address.fixed) or (address.eip is not None and address.eip.retained)
        held = Held(key=state.key, pod=state.pod, until=after(now, spans.hold), by_name=by_name)
        address = moved(address, held)
    elif isinstance(state, Occupied):
        free = Unassigning(since=BOOT) if address.fixed else Cooling(until=now)
        address = moved(address, Unbinding(since=BOOT) if address.eip else free)
    elif isinstance(state, Held):
        address = replace(address, state=replace(state, until=after(now, spans.hold)))
    elif isinstance(state, Cooling):
        address = replace(address, state=replace(state, until=after(now, _cooling(address, spans))))
    else:
        address = replace(address, state=_since(state, BOOT))
    return replace(address, added_at=BOOT, missing_since=now if address.quarantined else None)


def _cooling(address: Address, spans: Spans) -> float:
    """Return how long it may cool at most: a fixed address that was found waits for its claim."""
    return max(spans.cooldown, FOUND_SECONDS) if address.fixed else spans.cooldown


def _since(state: Warm | Assigned | Occupied | Unbinding | Unassigning, since: Boottime) -> State:
    return replace(state, since=since)


def _past(at: Boottime, now: Boottime) -> Boottime:
    return min(max(at, BOOT), now)


def _until(at: Boottime, span: float, now: Boottime) -> Boottime:
    return min(at, after(now, span))


def _changed(ledger: Ledger, addresses: Iterator[Address]) -> Transition:
    """Return the transition to these addresses, with those only that differ."""
    return ledger.changed(*(a for a in addresses if a != ledger.addresses[a.ip]))
