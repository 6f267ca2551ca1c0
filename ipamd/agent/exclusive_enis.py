"""The ENIs of this node that Pods have as a whole, one each: as the cloud lists them.

Ours are those with our tag for this very instance, which any Pod may have, and those with the tag of a
VpcIPClaim, which are that claim's and move with its Pod (ADR 48). What was last known is kept in the store
before the ledger hears of an address: which addresses are such ENIs is told by it. A link is found by its
MAC, wherever it is.
Thread safety: any thread may call any method; `enis` is replaced as a whole.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ipamd.agent.departures import Departures
from ipamd.core import model, tags
from ipamd.core.errors import IpamError
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Unassigning
from ipamd.core.timing.boottime import Boottime
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import EniLink
from ipamd.runtime.metric import Metric, gauges
from ipamd.store.database import EXCLUSIVE_ENIS, FIXED_ENIS, OTHERS, Database

log = logging.getLogger(__name__)

LINK_LOCAL = "169.254.0.0/16"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusiveEni:
    """One of them."""

    eni_id: str
    mac: str
    subnet_id: str
    gateway: str
    is_listed: bool = True
    """Whether the cloud lists it at this instance, ready for use."""
    is_attached: bool = True
    """Whether the cloud lists it at this instance in whatever state: it takes a place there."""
    security_groups: tuple[str, ...] = ()
    """As listed last; empty for one that is not listed."""
    claim: str = ""
    """UID of the VpcIPClaim that it belongs to; empty for one that any Pod may have."""

    @property
    def condition(self) -> str:
        """How it is in the cloud, in one word."""
        return "AVAILABLE" if self.is_listed else "MISSING"


class ExclusiveEnis:
    """Invariant: an ENI whose address the ledger has is in the store as long."""

    def __init__(
        self,
        *,
        instance_id: str,
        cluster_id: str,
        dataplane: DataPlane,
        database: Database,
        departures: Departures,
    ) -> None:
        """Take the instance, the cluster as in tags, who moves links, and where ENIs are remembered."""
        self._instance_id = instance_id
        self._cluster_id = cluster_id
        self._dataplane = dataplane
        self._database = database
        self._departures = departures
        self._changing = threading.Lock()
        self._by_node: Callable[[], Iterable[str]] = tuple
        self._expected: frozenset[str] = frozenset()
        self.foreign: int = (database.fact(OTHERS) or {}).get("extended_enis", 0)
        """How many extended ENIs of the instance are not ours."""
        remembered = [
            _recalled(entry) for name in (EXCLUSIVE_ENIS, FIXED_ENIS) for entry in database.fact(name) or ()
        ]
        self.enis: Mapping[str, ExclusiveEni] = MappingProxyType({eni.eni_id: eni for eni in remembered})
        """By id, as last known."""

    @property
    def attached(self) -> int:
        """How many places of the instance they take."""
        return sum(eni.is_attached for eni in self.enis.values())

    def reaches_by_node(self, ranges: Callable[[], Iterable[str]]) -> None:
        """Have `ranges` tell what Pods reach by their second link; before the first Pod is wired."""
        self._by_node = ranges

    def is_ours(self, eni: model.Eni) -> bool:
        """Whether a listed ENI is one of them."""
        if eni.primary:
            return False
        return eni.tags.get(tags.EXCLUSIVE_NODE) == self._instance_id or bool(self.claim_of(eni))

    def claim_of(self, eni: model.Eni) -> str:
        """Return the UID of the VpcIPClaim of this cluster that a listed ENI belongs to; empty for none."""
        if eni.tags.get(tags.CLUSTER_ID, "") == self._cluster_id and tags.VPC_IP_CLAIM_UID in eni.tags:
            return eni.tags[tags.VPC_IP_CLAIM_UID]
        # One that came as such stays it whatever people do to its tags.
        known = self.enis.get(eni.eni_id)
        return known.claim if known is not None else ""

    def forget(self, eni_id: str) -> None:
        """Know an ENI no more that is gone, once the ledger has forgotten its address. Raises: StoreError."""
        with self._changing:
            known = {i: eni for i, eni in self.enis.items() if i != eni_id}
            self._remember(known.values())
            self.enis = MappingProxyType(known)

    @contextlib.contextmanager
    def expecting(self, eni: model.Eni, gateway: str) -> Iterator[None]:
        """Know an ENI of a claim while it is being attached, whatever listings say.

        Raises: StoreError, then nothing of it may come into the ledger.
        """
        coming = ExclusiveEni(
            eni_id=eni.eni_id,
            mac=eni.mac,
            subnet_id=eni.subnet_id,
            gateway=gateway,
            is_listed=False,
            claim=self.claim_of(eni),
        )
        with self._changing:
            before = self.enis.get(coming.eni_id, coming)
            known = {**self.enis, coming.eni_id: replace(before, is_attached=True)}
            self._remember(known.values())
            self.enis = MappingProxyType(known)
            self._expected |= {eni.eni_id}
        try:
            yield
        finally:
            with self._changing:
                self._expected -= {eni.eni_id}

    def arrived(self, eni: model.Eni) -> None:
        """Take in that an ENI which was expected is attached: its link is here, and out of the way.

        Raises: KernelError, TryAgainError.
        """
        self._dataplane.await_link(eni.mac)
        self._dataplane.put_away_eni(eni.mac)
        with self._changing:
            known = self.enis[eni.eni_id]
            here = replace(known, is_listed=True, is_attached=True, security_groups=eni.security_groups)
            self.enis = MappingProxyType({**self.enis, eni.eni_id: here})

    def new(self, listed: Iterable[model.Eni]) -> list[model.Eni]:
        """Return those that were not known before."""
        return [eni for eni in listed if eni.eni_id not in self.enis]

    def take_in(
        self,
        listed: Sequence[model.Eni],
        gateways: Mapping[str, str],
        foreign: int,
        ledger: Ledger,
        as_of: Boottime,
    ) -> tuple[model.Eni, ...]:
        """Take in a listing that was asked for at `as_of`; return what the ledger may see of it.

        One that is not listed stays known while the ledger has its address, and one of which the listing
        says nothing stays as it is. Raises: StoreError, then nothing of it may come into the ledger.
        """
        self._put_away(self.new(listed))
        with self._changing:
            doubted = self._departures.doubted(as_of)
            listed = [eni for eni in listed if eni.eni_id not in doubted]
            found = {
                eni.eni_id: ExclusiveEni(
                    eni_id=eni.eni_id,
                    mac=eni.mac,
                    subnet_id=eni.subnet_id,
                    gateway=gateways.get(eni.subnet_id, ""),
                    is_listed=eni.state is model.EniState.AVAILABLE,
                    security_groups=eni.security_groups,
                    claim=self.claim_of(eni),
                )
                for eni in listed
            }
            recorded = {address.eni_id: address for address in ledger.addresses.values()}
            kept = {
                eni_id: eni
                if eni_id in doubted
                else _unlisted(eni, is_leaving=isinstance(recorded[eni_id].state, Unassigning))
                for eni_id, eni in self.enis.items()
                if eni_id not in found and eni_id in recorded
            }
            kept |= {i: eni for i, eni in self.enis.items() if i in self._expected and i not in found}
            known = {**kept, **found}
            self._remember(known.values())
            self.enis, self.foreign = MappingProxyType(known), foreign
        return tuple(eni for eni in listed if eni.state is model.EniState.AVAILABLE)

    def link(self, eni_id: str) -> EniLink | None:
        """Return what a Pod's wiring has to know of an ENI; None for one that is not known."""
        eni, links = self.enis.get(eni_id), self._dataplane.enis
        if eni is None or not eni.gateway or not links:
            return None
        return EniLink(
            mac=eni.mac,
            name="",
            ifindex=0,
            table=0,
            mark=0,
            # All ENIs of a VPC have the MTU of the primary one.
            mtu=links[0].mtu,
            gateway=eni.gateway,
            by_node=tuple(self._by_node()),
            node_ip=self._dataplane.node_ip,
        )

    def bring_back(self, address: Address) -> None:
        """Have the link of an address on the node, or on its way there. Raises: KernelError."""
        eni = self.enis.get(address.eni_id)
        netns = address.state.netns if isinstance(address.state, Assigned) else ""
        if eni is not None and not self._dataplane.bring_back_eni(eni.mac, netns):
            log.info("ENI %s is in a namespace that is gone: the kernel brings it back", eni.eni_id)

    def metrics(self) -> Iterator[Metric]:
        """Yield how many there are; nothing where there are none."""
        if self.enis:
            listed = sum(eni.is_listed for eni in self.enis.values())
            states = {"ready": listed, "missing": len(self.enis) - listed, "foreign": self.foreign}
            yield gauges("tke_eni_exclusive_enis", "ENIs that single Pods have or may have.", "state", states)

    def _put_away(self, arrived: Iterable[model.Eni]) -> None:
        """Have new links out of the way of the node's own, before a Pod can have them."""
        for eni in arrived:
            try:
                self._dataplane.put_away_eni(eni.mac)
            except IpamError as e:
                log.warning("the link of the new ENI %s stays as it is: %s", eni.eni_id, e)

    def _remember(self, enis: Iterable[ExclusiveEni]) -> None:
        enis = list(enis)
        pooled = [_entry(eni) for eni in enis if not eni.claim]
        fixed = [{**_entry(eni), "claim": eni.claim} for eni in enis if eni.claim]
        for name, content in ((EXCLUSIVE_ENIS, pooled), (FIXED_ENIS, fixed)):
            if (self._database.fact(name) or []) != content:
                self._database.put_fact(name, content)


def _entry(eni: ExclusiveEni) -> dict[str, str]:
    return {"eni_id": eni.eni_id, "mac": eni.mac, "subnet_id": eni.subnet_id, "gateway": eni.gateway}


def _unlisted(eni: ExclusiveEni, *, is_leaving: bool) -> ExclusiveEni:
    if eni.is_listed and not is_leaving:
        log.error("ENI %s: the cloud does not list it at this node any more", eni.eni_id)
    return replace(eni, is_listed=False, is_attached=False, security_groups=())


def _recalled(entry: Mapping[str, str]) -> ExclusiveEni:
    return ExclusiveEni(
        eni_id=entry["eni_id"],
        mac=entry["mac"],
        subnet_id=entry["subnet_id"],
        gateway=entry["gateway"],
        claim=entry.get("claim", ""),
    )
