"""What a look at the outside changes in the ledger: a cloud listing, wiring of unknown owners.

Pure, in the manner of `ipamd.core.ledger.ledger`. A listing may be late or short, so nothing that has an
owner or an EIP is ever dropped because of one: it is put in quarantine (`Address.missing_since`) until it is
listed again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ipamd.core import model, tags
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import (
    FORGETTABLE,
    Address,
    Assigned,
    Binding,
    BindStage,
    Cooling,
    Occupied,
    State,
    Unassigning,
    Unbinding,
    Warm,
    moved,
)
from ipamd.core.timing.boottime import Boottime, after

FOUND_SECONDS = 60.0
"""For so long a fixed address that nobody knows, as after a lost store, waits for its claim's word."""

FORGET_AFTER = 120.0
"""Seconds that a free address stays in quarantine before it is believed to be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudListing:
    """One complete DescribeNetworkInterfaces answer for this instance, all pages, our own ENIs only."""

    enis: tuple[model.Eni, ...]
    """Those that Pods share, by their secondary addresses."""
    exclusive: tuple[model.Eni, ...] = ()
    """Those that are for one Pod each, by their primary address."""
    claims: Mapping[str, str] = field(default_factory=dict)
    """The VpcIPClaims that some of these belong to, by the id of the ENI."""
    as_of: Boottime
    """When the question was sent: of an address that the node has learned of later it says nothing."""
    doubted: frozenset[str] = frozenset()
    """ENIs, and places of addresses, that left the node so short a time before that the answer may be older:
    it says nothing of them."""
    loose: frozenset[str] = frozenset()
    """EIPs that `doubtful` named, and that DescribeAddresses shows not to be where they are recorded."""

    def is_silent(self, eni_id: str, ip: str) -> bool:
        """Whether it says nothing of the address at the ENI."""
        return eni_id in self.doubted or place(eni_id, ip) in self.doubted


def place(eni_id: str, ip: str) -> str:
    """Return the name of an address at an ENI: what leaves one may come to another at once."""
    return f"{eni_id} {ip}"


def observe(
    ledger: Ledger,
    listing: CloudListing,
    now: Boottime,
    wired: Mapping[str, Assigned | Occupied] | None = None,
) -> Transition:
    """Bring the ledger in step with what the cloud lists.

    New addresses come in: Warm, or with the owner that `wired` names (what the kernel shows of a lost
    store), or Unbinding when they carry an EIP that nobody here knows. Those whose description names a
    VpcIPClaim are fixed and never come in as Warm. Known ones that are not listed go to
    quarantine, and are forgotten after FORGET_AFTER if they are free. EIPs are compared: what was believed
    bound and is known to be loose is put back to BINDING; what is listed and was not known is recorded,
    unless it is recorded at another address: then the listing was overtaken, or binding there will find out.
    An address of which the listing says nothing stays as it is, in the ledger or out of it.
    """
    recorded = {a.eip.eip_id: a.ip for a in ledger.addresses.values() if a.eip is not None}
    listed = {
        a.ip: (eni.eni_id, _without_foreign_eip(a, recorded))
        for enis, exclusive in ((listing.enis, False), (listing.exclusive, True))
        for eni in enis
        for a in eni.addresses
        if _usable(a, exclusive=exclusive)
    }
    owned = {eni.eni_id for eni in listing.exclusive}
    fixed = {
        ip: listing.claims.get(eni_id, "") if entry.primary else tags.described_claim(entry.description)
        for ip, (eni_id, entry) in listed.items()
    }
    changed: list[Address] = []
    forget: list[str] = []
    for address in ledger.addresses.values():
        if address.added_at >= listing.as_of or listing.is_silent(address.eni_id, address.ip):
            continue
        found = listed.get(address.ip)
        if found is not None:
            marked = _marked(address, fixed[address.ip], now)
            after = _seen(marked, *found, loose=listing.loose, now=now)
        elif _gone(address, now):
            forget.append(address.ip)
            continue
        else:
            after = address if address.quarantined else replace(address, missing_since=now)
        if after != address:
            changed.append(after)
    for ip, (eni_id, entry) in listed.items():
        known = ip in ledger.addresses or listing.is_silent(eni_id, ip)
        if not known and entry.state is model.IpState.AVAILABLE:
            new = _new(eni_id, entry, fixed[ip], (wired or {}).get(ip), now)
            changed.append(replace(new, exclusive=True) if eni_id in owned else new)
    return ledger.changed(*changed, forget=forget)


def doubtful(asked: Ledger, enis: Iterable[model.Eni]) -> dict[str, Address]:
    """Return the addresses whose EIP was bound when a listing was asked for, and is not in it, by EIP.

    An ENI's listing may lag behind, and a record is not given up for one: these are looked at by their ids.
    """
    listed = {a.ip: a.eip_id for eni in enis for a in eni.addresses}
    return {
        address.eip.eip_id: address
        for address in asked.addresses.values()
        if address.eip is not None
        and address.eip.stage is BindStage.BOUND
        and listed.get(address.ip, address.eip.eip_id) != address.eip.eip_id
    }


def lost_eni(ledger: Ledger, eni_ids: Iterable[str], now: Boottime) -> Transition:
    """Put the addresses of detached ENIs in quarantine at once."""
    gone = set(eni_ids)
    lost = [a for a in ledger.addresses.values() if a.eni_id in gone and not a.quarantined]
    return ledger.changed(*(replace(address, missing_since=now) for address in lost))


def _usable(entry: model.EniAddress, *, exclusive: bool) -> bool:
    return entry.primary == exclusive and entry.state is not model.IpState.DELETING


def _without_foreign_eip(entry: model.EniAddress, recorded: dict[str, str]) -> model.EniAddress:
    """Return the entry, without its EIP if that is recorded at, or was listed before for, another address."""
    if not entry.eip_id or recorded.setdefault(entry.eip_id, entry.ip) == entry.ip:
        return entry
    return replace(entry, eip_id="", public_ip="")


def _gone(address: Address, now: Boottime) -> bool:
    """Whether an address that is not listed may be forgotten; not while it cools: it could come back warm."""
    missing, state = address.missing_since, address.state
    if isinstance(state, Cooling) and state.until > now:
        return False
    return isinstance(state, FORGETTABLE) and missing is not None and now - missing >= FORGET_AFTER


def _new(
    eni_id: str, entry: model.EniAddress, fixed: str, occupant: Assigned | Occupied | None, now: Boottime
) -> Address:
    binding = _listed_binding(entry)
    state: State
    if occupant is not None:
        state = occupant
    elif binding is not None:
        state = Unbinding(since=now)
    else:
        state = _found(now) if fixed else Warm(since=now)
    return Address(ip=entry.ip, eni_id=eni_id, state=state, added_at=now, eip=binding, fixed=fixed)


def _found(now: Boottime) -> Cooling:
    return Cooling(until=after(now, FOUND_SECONDS))


def _seen(
    address: Address, eni_id: str, entry: model.EniAddress, *, loose: frozenset[str], now: Boottime
) -> Address:
    # One on its way is listed, and of no use yet.
    missing = None if entry.state is model.IpState.AVAILABLE else address.missing_since
    address = replace(address, eni_id=eni_id, missing_since=missing)
    listed = _listed_binding(entry)
    if isinstance(address.state, Unassigning | Unbinding):
        return address
    if address.eip is not None:
        # The record is never replaced by what is listed: binding it again finds out what is in the way.
        unbound = address.eip.stage is BindStage.BOUND and address.eip.eip_id in loose
        return address.staged(BindStage.BINDING) if unbound else address
    if listed is None:
        return address
    known = replace(address, eip=listed)
    return moved(known, Unbinding(since=now)) if isinstance(address.state, Warm | Cooling) else known


def _marked(address: Address, fixed: str, now: Boottime) -> Address:
    """Return the address as the fixed one that the cloud shows it to be, if the ledger did not know."""
    if address.fixed or not fixed:
        return address
    state = _found(now) if isinstance(address.state, Warm) else address.state
    return replace(address, fixed=fixed, state=state)


def _listed_binding(entry: model.EniAddress) -> Binding | None:
    if not entry.eip_id:
        return None
    return Binding(eip_id=entry.eip_id, public_ip=entry.public_ip, stage=BindStage.BOUND)
