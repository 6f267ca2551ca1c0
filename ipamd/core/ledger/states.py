"""The states of one secondary private address of this node, as immutable values.

    Warm -> Assigned -> (Held ->) (Unbinding ->) Cooling -> Warm

A fixed one, which belongs to a VpcIPClaim, comes for its Pod and goes back to the cloud (ADR 47):

    Held -> Assigned -> (Held ->) (Unbinding ->) Unassigning

One that is the primary address of an ENI of its own stands for that ENI (ADR 48): it goes from Unbinding,
too, if its EIP stays at the ENI (`Address.keeps_eip`).

`ipamd.core.ledger.ledger` moves addresses between these states and is the only place that does; this module
says what the states are and which moves exist at all. Times are instants of the kernel's boot (never Unix
time: that clock may be set). Nothing here is thread-bound: values only.
"""

from dataclasses import dataclass, replace
from enum import Enum
from types import UnionType

from ipamd.core import model, names
from ipamd.core.timing.boottime import Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """On an ENI, free for the next Pod."""

    since: Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Owned by one sandbox of one Pod."""

    key: model.SandboxKey
    pod: model.PodRef
    since: Boottime
    host_interface: str
    """Name of the node's end of its veth, by whatever rule it was given."""
    host_mac: str
    """MAC of the node's end, likewise; the Pod's end has the one beside it."""
    network: str = ""
    """Name of the network in the configuration of its ADD: GC speaks of one network."""
    netns: str = ""
    """Path of the sandbox's network namespace, as the runtime gave it; empty when a lost store knew it."""
    awaits_eip: bool = False
    """Whether the Pod must not be seen with the node's address before its EIP is bound: its ADD waits."""

    @property
    def host_end(self) -> names.HostEnd:
        """The node's end of its veth."""
        return names.HostEnd(self.host_interface, self.host_mac)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Reserved for the next sandbox of a Pod whose last sandbox is gone; its EIP stays where it is."""

    key: model.SandboxKey
    """The sandbox that is gone."""
    pod: model.PodRef
    until: Boottime
    by_name: bool
    """Whether a later Pod of the same name may have it (its claim is retained), not only the same UID.

    So it is for a fixed address, which is the name's.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupied:
    """Wired in the kernel by an owner that a lost store knew; free again when the kernel no longer has it."""

    host_interface: str
    host_mac: str
    pod: model.PodRef | None
    since: Boottime

    @property
    def host_end(self) -> names.HostEnd:
        """The node's end of the veth that it was found with."""
        return names.HostEnd(self.host_interface, self.host_mac)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbinding:
    """Without owner, but its EIP is not yet confirmed unbound."""

    since: Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooling:
    """Free of everything, kept back until remote peers and conntrack have forgotten the last owner."""

    until: Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unassigning:
    """Chosen to go back to the subnet; the cloud may have been asked already."""

    since: Boottime


State = Warm | Assigned | Held | Occupied | Unbinding | Cooling | Unassigning

MOVES: dict[type, UnionType | type] = {
    Warm: Assigned | Unbinding | Unassigning,
    Assigned: Assigned | Held | Unbinding | Cooling | Occupied,
    Held: Assigned | Unbinding | Cooling,
    Occupied: Assigned | Unbinding | Cooling,
    Unbinding: Cooling,
    Cooling: Warm | Unbinding,
    Unassigning: Warm,
}
"""Every move that exists. An address enters as Warm, Unbinding or Occupied and leaves for good (the cloud
took it away) from Warm, Cooling or Unassigning only."""

MOVES_OF_FIXED: dict[type, UnionType | type] = {
    Assigned: Assigned | Held | Unbinding | Unassigning | Occupied,
    Held: Assigned | Unbinding | Unassigning,
    Occupied: Assigned | Unbinding | Unassigning,
    Unbinding: Held | Unassigning,
    Cooling: Held | Unbinding | Unassigning,
}
"""The same for a fixed address: it is never Warm, and never used by another Pod, so it need not cool. It
enters as Held before the cloud is asked for it; as Cooling, or as Unbinding with its EIP, if it was found
after the store was lost, until its claim is known."""

FORGETTABLE = (Warm, Cooling, Unassigning)


class BindStage(Enum):
    """How far the association of an EIP with a private address is known to be."""

    BINDING = "binding"
    """To be associated; the cloud may or may not have been asked."""
    BOUND = "bound"
    """The cloud said so."""
    UNBINDING = "unbinding"
    """To be disassociated; the cloud may or may not have been asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The EIP of an address. Recorded before the cloud is asked, dropped once it is confirmed unbound."""

    eip_id: str
    public_ip: str
    stage: BindStage
    claim: str = ""
    """`namespace/name` of the EIPClaim; empty when the cloud listed an EIP that we did not bind."""
    retained: bool = False
    """Whether the claim outlives its Pod (deletePolicy Never), so a later Pod of the name may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One private address for Pods and everything the node knows about it.

    Invariant: a Warm, Cooling or Unassigning address has no EIP, an Unbinding one has; a fixed one is not
    Warm.
    """

    ip: str
    eni_id: str
    state: State
    added_at: Boottime
    """When this node learned of it: a cloud listing begun earlier proves nothing about it."""
    eip: Binding | None = None
    missing_since: Boottime | None = None
    """Since when the cloud does not list it. Such an address is in quarantine: never given out, not forgotten
    while it has an owner or an EIP."""
    exclusive: bool = False
    """Whether it is the primary address of an ENI that one Pod has as a whole, and stands for that ENI."""
    fixed: str = ""
    """UID of the VpcIPClaim that it belongs to; empty for one that any Pod may have."""

    @property
    def moves_as_eni(self) -> bool:
        """Whether it is kept by an ENI of its own, which goes with it from node to node."""
        return self.exclusive and bool(self.fixed)

    @property
    def keeps_eip(self) -> bool:
        """Whether its EIP is at its ENI and stays there wherever the ENI goes.

        One whose claim ends with the Pod is unbound; one that the cloud listed, and that we did not bind, is
        left as it was found.
        """
        if not self.moves_as_eni or self.eip is None or self.eip.stage is not BindStage.BOUND:
            return False
        return self.eip.retained or not self.eip.claim

    @property
    def may_keep_eip(self) -> bool:
        """Whether its EIP may be on its way to its ENI, where it will stay."""
        coming = self.eip is not None and self.eip.stage is BindStage.BINDING
        return self.moves_as_eni and coming and self.eip is not None and self.eip.retained

    @property
    def quarantined(self) -> bool:
        """Whether the store knows it and the cloud does not."""
        return self.missing_since is not None

    @property
    def pod(self) -> model.PodRef | None:
        """The Pod that it belongs to or is kept for."""
        return self.state.pod if isinstance(self.state, Assigned | Held | Occupied) else None

    @property
    def is_eip_pod(self) -> bool:
        """Whether its Pod leaves for the internet by its own ENI, with its own address.

        So once its EIP is bound. Before that it depends on whether the Pod's ADD waits for the EIP; one that
        starts without has the node's address until then. An EIP on its way out does not count any more.
        """
        awaits = isinstance(self.state, Assigned) and self.state.awaits_eip
        if self.eip is None or self.eip.stage is BindStage.BINDING:
            return awaits
        return self.eip.stage is BindStage.BOUND

    def staged(self, stage: BindStage) -> "Address":
        """Return the same address with its EIP at another stage."""
        return self if self.eip is None else replace(self, eip=replace(self.eip, stage=stage))


class IllegalMoveError(Exception):
    """Our own code asked for a move that does not exist: a defect, never a condition of the outside."""

    def __init__(self, address: Address, wanted: object) -> None:
        """Name the address as it is and what was asked of it."""
        super().__init__(f"{address.ip} cannot become {wanted}: it is {address.state} with EIP {address.eip}")


def moved(address: Address, state: State) -> Address:
    """Return the address in its next state; IllegalMoveError when there is no such move."""
    moves = MOVES_OF_FIXED if address.fixed else MOVES
    if not isinstance(state, moves.get(type(address.state), ())):
        raise IllegalMoveError(address, state)
    changed = replace(address, state=state)
    check(changed)
    return changed


def check(address: Address) -> None:
    """Raise IllegalMoveError when the class invariant does not hold."""
    free = isinstance(address.state, Warm | Cooling | Unassigning)
    if (free and address.eip is not None) or (isinstance(address.state, Unbinding) and address.eip is None):
        raise IllegalMoveError(address, "valid")
    if address.fixed and isinstance(address.state, Warm):
        raise IllegalMoveError(address, "free for every Pod")
