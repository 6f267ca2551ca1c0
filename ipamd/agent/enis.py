"""The secondary ENIs of this node that carry Pods: as the cloud lists them, and as links in the kernel.

Ours are those that carry our tag for this very instance; an ENI that somebody attached for another purpose is
counted against the instance's limit and otherwise left alone. Addresses of an ENI come into the ledger only
when its link is set up, so that whoever gets one can be wired at once. What was last known is kept in the
store: an agent that starts while the cloud does not answer can still wire Pods to warm addresses.
"""

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from ipamd.agent.departures import Departures
from ipamd.agent.exclusive_enis import ExclusiveEnis
from ipamd.agent.pods.unknown_owners import UnknownOwners
from ipamd.agent.pods.wiring import gateway_of
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.eni_creation import NODE_TAG
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.ledger import cloud_listing, eip_records, ledger
from ipamd.core.ledger.states import Address, Assigned, Held, Occupied
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane
from ipamd.net.kernel_listing import KernelListing
from ipamd.net.model import EniLink
from ipamd.runtime.metric import Metric, gauges
from ipamd.store.database import OTHERS, Database, StoreError

log = logging.getLogger(__name__)

FACT = "enis"
"""Where the store keeps what was last known."""
_MISSING = "MISSING"
"""State of an ENI that the cloud does not list; the others are those of DescribeNetworkInterfaces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEni:
    """One secondary ENI of ours."""

    eni_id: str
    mac: str
    subnet_id: str
    gateway: str
    state: str = ""
    security_groups: tuple[str, ...] = ()
    """As the cloud showed them last, the first with precedence; empty before the first look."""
    unusable: int = 0
    """Addresses that it has in the cloud and that are in no ledger: on their way in or out."""
    link: EniLink | None = None
    """None before it is set up, and while the kernel does not show it."""
    problem: str = ""
    """Why it has no link."""

    @property
    def is_broken(self) -> bool:
        """Whether the cloud has it attached, and the node cannot set it up."""
        return bool(self.problem) and self.state != _MISSING

    @property
    def condition(self) -> str:
        """Whether it can carry Pods, in one word: `ready`, or why not."""
        if self.state not in ("", model.EniState.AVAILABLE.value):
            return self.state.lower()
        return "broken" if self.problem or self.link is None else "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    enis: Mapping[str, NodeEni] = field(default_factory=lambda: MappingProxyType({}))
    foreign: int = 0
    public_ips: int = 0
    """Bound to addresses of the instance that no Pod can have."""
    primary_groups: tuple[str, ...] = ()
    told: bool = False
    """Whether the cloud, or what the store remembers of it, has ever told them; the ledger knows it too."""


class NodeEnis:
    """The node's ENIs.

    Invariant: `enis` is replaced as a whole, under `_changing`, which is never held while the cloud is asked
    or a new link is waited for; an ENI that has a link there was set up by the data plane since this process
    started; an address that the kernel shows to be wired never comes into the ledger without an owner.
    Thread safety: any thread may call any method; looks are made one after another.
    """

    def __init__(  # noqa: PLR0913 - what an ENI touches
        self,
        instance: model.Instance,
        *,
        cloud: TencentCloud,
        dataplane: DataPlane,
        shared_ledger: SharedLedger,
        database: Database,
        unknown_owners: UnknownOwners,
        exclusive: ExclusiveEnis,
        departures: Departures,
    ) -> None:
        """Take the instance, who lists its ENIs and sets them up, and where they are written down."""
        self._instance = instance
        self._cloud = cloud
        self._dataplane = dataplane
        self._shared_ledger = shared_ledger
        self._database = database
        self._unknown_owners = unknown_owners
        self.exclusive = exclusive
        """Those that Pods have as a whole: looked at together with the shared ones."""
        self.departures = departures
        """What has left the node of late."""
        self._looking = threading.Lock()
        self._changing = threading.Lock()
        self._known = _Known()
        self._gateways: dict[str, str] = {}

    @property
    def enis(self) -> Mapping[str, NodeEni]:
        """Our ENIs by id, as last known."""
        return self._known.enis

    @property
    def are_known(self) -> bool:
        """Whether `enis` has been told at all: before, that an ENI is not in it means nothing."""
        return self._known.told

    @property
    def foreign(self) -> int:
        """How many secondary ENIs of the instance are not ours."""
        return self._known.foreign

    @property
    def primary_security_groups(self) -> tuple[str, ...]:
        """Security groups of the primary ENI as the last look has shown them; empty before the first."""
        return self._known.primary_groups

    @property
    def other_public_ips(self) -> int:
        """How many public IPs of the instance are no Pod's: its own, and those that people have bound."""
        by_hand = [a for a in self._shared_ledger.current.addresses.values() if a.eip and not a.eip.claim]
        return self._known.public_ips + len(by_hand)

    def link(self, eni_id: str) -> EniLink | None:
        """Return the kernel's side of an ENI, None when it has none."""
        eni = self._known.enis.get(eni_id)
        return eni.link if eni else self.exclusive.link(eni_id)

    def problems(self) -> list[str]:
        """Return a sentence for each ENI that cannot carry Pods."""
        return [f"ENI {eni.eni_id}: {eni.problem}" for eni in self._known.enis.values() if eni.problem]

    def metrics(self) -> Iterator[Metric]:
        """Yield how many ENIs there are, by whether they can carry Pods."""
        known = self._known
        states = Counter(eni.condition for eni in known.enis.values())
        yield gauges(
            "tke_eni_enis",
            "Secondary ENIs of the node: ready for Pods, broken, missing in the cloud, foreign, or what the "
            "cloud says.",
            "state",
            {"ready": 0, "broken": 0, "missing": 0, "foreign": known.foreign, **states},
        )

    def look(self, deadline: Deadline) -> None:
        """Ask the cloud for the ENIs, set up what is new, bring the ledger in step.

        Raises: CloudError, KernelError.
        """
        with self._looking:
            wired = self._unknown_owners.find()
            as_of, asked = self._shared_ledger.now(), self._shared_ledger.current
            listed = [
                eni
                for eni in self._cloud.describe_enis(self._instance.instance_id, deadline)
                if eni.eni_id not in self.departures.doubted(as_of)
            ]
            ours = [eni for eni in listed if self._is_ours(eni)]
            whole = [eni for eni in listed if self.exclusive.is_ours(eni)]
            others = [eni for eni in listed if not eni.primary and eni not in ours and eni not in whole]
            self._learn_gateways([*ours, *whole], deadline)
            self._await_links(eni.mac for eni in ours if eni.eni_id not in self._known.enis)
            self._await_links(eni.mac for eni in self.exclusive.new(whole))
            with self._changing:
                enis = {eni.eni_id: self._set_up_new(self._node_eni(eni)) for eni in ours}
                unlisted = [eni for eni in self._known.enis.values() if eni.eni_id not in enis]
                missing = [self._missing(eni) for eni in unlisted if not self._let_go(eni)]
                known = {**enis, **{eni.eni_id: eni for eni in missing}}
                self._known = replace(
                    self._known,
                    enis=MappingProxyType(known),
                    foreign=sum(not eni.extended for eni in others),
                    public_ips=_public_ips(listed, set(enis), {eni.eni_id for eni in whole}),
                    primary_groups=next((eni.security_groups for eni in listed if eni.primary), ()),
                )
            extended = sum(eni.extended for eni in others)
            # By now, not as asked: an ENI that is being attached has come into the ledger meanwhile.
            current = self._shared_ledger.current
            exclusive = self.exclusive.take_in(whole, self._gateways, extended, current, as_of)
            visible = tuple(_visible(eni, enis[eni.eni_id]) for eni in ours)
            loose = self._loose(cloud_listing.doubtful(asked, (*visible, *exclusive)), deadline)
            listing = cloud_listing.CloudListing(
                enis=visible,
                exclusive=exclusive,
                claims={eni.eni_id: self.exclusive.claim_of(eni) for eni in exclusive},
                as_of=as_of,
                loose=loose,
            )
            self._shared_ledger.note(lambda current: self._observed(current, listing, wired))
            with self._changing:
                self._known = replace(self._known, told=True)
            self._remember(FACT, [_remembered(eni) for eni in enis.values()])
            counts = {"enis": self._known.foreign, "extended_enis": extended}
            self._remember(OTHERS, {**counts, "public_ips": self._known.public_ips})
            if all(eni.link is not None for eni in known.values()):
                self._forget_detached()

    def _observed(
        self,
        current: ledger.Ledger,
        listing: cloud_listing.CloudListing,
        wired: Mapping[str, Assigned | Occupied],
    ) -> ledger.Transition:
        """Bring the newest ledger in step with a listing.

        What has left since the listing was asked for is out of the ledger, or leaves it next, and would come
        back as something that nobody knows any more.
        """
        known = replace(listing, doubted=self.departures.doubted(listing.as_of))
        return cloud_listing.observe(current, known, self._shared_ledger.now(), wired)

    def recall(self, *, wait: bool) -> None:
        """Take over the ENIs that the store remembers, until the cloud answers; `mend` sets them up.

        `wait` is for a node that has just been booted: its links may still come.
        """
        remembered = self._database.fact(FACT)
        known = [_recalled(entry) for entry in remembered or []]
        others = self._database.fact(OTHERS) or {}
        if wait:
            self._await_links(eni.mac for eni in known)
        with self._changing:
            self._known = _Known(
                enis=MappingProxyType({eni.eni_id: eni for eni in known}),
                foreign=others.get("enis", 0),
                public_ips=others.get("public_ips", 0),
                told=remembered is not None,
            )

    def mend(self, seen: KernelListing) -> bool:
        """Set up again whatever an ENI has lost in a listed kernel; return whether one went or came back.

        The addresses of an ENI without link go to quarantine until the next `look`.
        """
        shared_ledger = self._shared_ledger
        with self._changing:
            before = self._known.enis
            # A link that is not there is not waited for: that would hold up the other repairs.
            enis = {**before, **self._set_up_all(before.values(), seen)}
            self._known = replace(self._known, enis=MappingProxyType(enis))
            lost = [eni_id for eni_id, eni in enis.items() if eni.link is None]
            if lost:
                shared_ledger.note(lambda current: cloud_listing.lost_eni(current, lost, shared_ledger.now()))
            return any((before[eni_id].link is None) != (eni.link is None) for eni_id, eni in enis.items())

    def _loose(self, doubtful: Mapping[str, Address], deadline: Deadline) -> frozenset[str]:
        """Return which EIPs are not (any more) at the addresses that have them by our record."""
        if not doubtful:
            return frozenset()
        found = {
            eip.eip_id: eip for eip in self._cloud.describe_eips(eip_ids=sorted(doubtful), deadline=deadline)
        }
        return frozenset(
            eip_id
            for eip_id, address in doubtful.items()
            if not eip_records.is_at(found.get(eip_id), address)
        )

    def _is_ours(self, eni: model.Eni) -> bool:
        tagged = eni.tags.get(NODE_TAG) == self._instance.instance_id
        return not eni.primary and (tagged or eni.eni_id in self._known.enis)

    def _node_eni(self, eni: model.Eni) -> NodeEni:
        known = self._known.enis.get(eni.eni_id)
        unusable = [a for a in eni.addresses if not a.primary and a.state is not model.IpState.AVAILABLE]
        held = self._shared_ledger.current.addresses
        return NodeEni(
            eni_id=eni.eni_id,
            mac=eni.mac,
            subnet_id=eni.subnet_id,
            gateway=self._gateways.get(eni.subnet_id, ""),
            state=eni.state.value,
            security_groups=eni.security_groups,
            unusable=len([a for a in unusable if a.ip not in held]),
            link=known.link if known else None,
        )

    def gateway_for(self, eni: model.Eni, deadline: Deadline) -> str:
        """Return the gateway of an ENI's subnet. Raises: CloudError; TryAgainError when there is none."""
        self._learn_gateways([eni], deadline)
        if eni.subnet_id not in self._gateways:
            raise TryAgainError(f"subnet {eni.subnet_id} of {eni.eni_id} is not listed")
        return self._gateways[eni.subnet_id]

    def _learn_gateways(self, enis: list[model.Eni], deadline: Deadline) -> None:
        unknown = {eni.subnet_id for eni in enis} - set(self._gateways)
        if unknown:
            for subnet in self._cloud.describe_subnets(sorted(unknown), deadline):
                self._gateways[subnet.subnet_id] = gateway_of(subnet.cidr)

    def _await_links(self, macs: Iterable[str]) -> None:
        """Give the kernel time to show the links of ENIs that were just attached, or of a node that boots."""
        for mac in macs:
            with contextlib.suppress(IpamError):  # told by whoever sets it up
                self._dataplane.await_link(mac)

    def _set_up_new(self, eni: NodeEni) -> NodeEni:
        """Set up an ENI that is new or whose link is another; what else one has lost, `mend` makes again.

        A node that fills its pool looks after each new ENI: with every one set up anew, that grows with their
        square.
        """
        if eni.link is not None and self._dataplane.has_eni(eni.link):
            return eni
        return self._set_up(eni)

    def _set_up(self, eni: NodeEni) -> NodeEni:
        if eni.state == _MISSING:
            return eni
        try:
            return _carrying(eni, self._dataplane.ensure_eni(eni.mac, eni.gateway, wait=False))
        except IpamError as e:
            return _carrying(eni, e)

    def _set_up_all(self, enis: Iterable[NodeEni], seen: KernelListing) -> dict[str, NodeEni]:
        listed = [eni for eni in enis if eni.state != _MISSING]
        outcomes = self._dataplane.ensure_enis([(eni.mac, eni.gateway) for eni in listed], seen)
        return {eni.eni_id: _carrying(eni, outcome) for eni, outcome in zip(listed, outcomes, strict=True)}

    def _missing(self, eni: NodeEni) -> NodeEni:
        """Take in that the cloud does not list an ENI: its addresses go to quarantine, its kernel side stays.

        The listing may be short, and its Pods may have traffic that would be lost for nothing.
        """
        shared_ledger = self._shared_ledger
        shared_ledger.note(lambda current: cloud_listing.lost_eni(current, [eni.eni_id], shared_ledger.now()))
        if eni.state == _MISSING:
            return eni
        problem = f"the cloud does not list it at {self._instance.instance_id} any more"
        log.error("ENI %s: %s", eni.eni_id, problem)
        return replace(eni, state=_MISSING, problem=problem)

    def _let_go(self, eni: NodeEni) -> bool:
        """Clear the kernel side of an ENI that was missing before and has no owners; say if it was so."""
        if eni.state != _MISSING or owners_of(self._shared_ledger.current, eni.eni_id):
            return False
        if eni.link is not None:
            self._dataplane.forget_eni(eni.link.mark)
        log.info("ENI %s is forgotten", eni.eni_id)
        return True

    def _remember(self, fact: str, content: Any) -> None:
        try:
            if self._database.fact(fact) != content:
                self._database.put_fact(fact, content)
        except StoreError as e:
            log.warning("a start without the cloud will not know all ENIs: %s", e)

    def _forget_detached(self) -> None:
        """Clear the kernel of ENIs whose links went before the cloud said so; their marks are not known."""
        try:
            for mark in self._dataplane.forget_others():
                log.info("what a detached ENI, mark %#x, had in the kernel is removed", mark)
        except IpamError as e:
            log.warning("what a detached ENI has left in the kernel stays: %s", e)


def _carrying(eni: NodeEni, outcome: EniLink | IpamError) -> NodeEni:
    """Return the ENI with the link that it has now, or with the reason why it has none; tell of it."""
    if isinstance(outcome, IpamError):
        if outcome.message != eni.problem:
            log.warning("ENI %s cannot carry Pods: %s", eni.eni_id, outcome)
        return replace(eni, link=None, problem=outcome.message)
    if eni.link != outcome:
        log.info("ENI %s is set up: link %s, table %d", eni.eni_id, outcome.name, outcome.table)
    return replace(eni, link=outcome, problem="")


def owners_of(shared_ledger: ledger.Ledger, eni_id: str) -> int:
    """Return how many addresses of the ENI somebody has."""
    return sum(a.eni_id == eni_id for a in shared_ledger.in_state(Assigned, Held, Occupied))


def _public_ips(listed: list[model.Eni], ours: set[str], whole: set[str]) -> int:
    """Count the public IPs at addresses that no Pod can have: of other ENIs, and the primary ones of ours.

    Of a `whole` ENI, which one Pod has, the primary address is the Pod's.
    """
    return sum(
        bool(address.public_ip or address.eip_id)
        for eni in listed
        for address in eni.addresses
        if eni.eni_id not in whole and (address.primary or eni.eni_id not in ours)
    )


def _visible(eni: model.Eni, known: NodeEni) -> model.Eni:
    """Return what the ledger may see of the ENI: of one that cannot carry Pods nothing."""
    usable = known.link is not None and eni.state is model.EniState.AVAILABLE
    return eni if usable else replace(eni, addresses=())


def _remembered(eni: NodeEni) -> dict[str, str]:
    return {"eni_id": eni.eni_id, "mac": eni.mac, "subnet_id": eni.subnet_id, "gateway": eni.gateway}


def _recalled(entry: dict[str, str]) -> NodeEni:
    return NodeEni(
        eni_id=entry["eni_id"], mac=entry["mac"], subnet_id=entry["subnet_id"], gateway=entry["gateway"]
    )
