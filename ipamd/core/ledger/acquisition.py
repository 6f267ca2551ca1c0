"""Which address a sandbox gets, and how it takes one over from an older sandbox of its Pod.

Operations on the ledger in the manner of `ipamd.core.ledger.ledger`: pure, each returns a `Transition`. An
address that no sandbox uses is given at once. One that an older sandbox of the Pod still uses is only named:
the caller makes everything in the new sandbox, and swaps with `take_over` when nothing can go wrong any more.
"""

from dataclasses import dataclass, replace
from typing import Final

from ipamd.core import model, names
from ipamd.core.ledger.ledger import Ledger, Transition, vacated
from ipamd.core.ledger.states import Address, Assigned, Held, Occupied, State, moved
from ipamd.core.timing.boottime import Boottime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A sandbox that asks for an address."""

    key: model.SandboxKey
    pod: model.PodRef
    network: str = ""
    netns: str = ""
    awaits_eip: bool = False
    """Whether the Pod is not to start before its EIP is bound."""
    eip_id: str = ""
    """The EIP of the Pod's claim, when known: the address that still has it is preferred."""
    exclusive: bool = False
    """Whether the Pod asks for an ENI of its own."""
    fixed_ip: str | None = None
    """The address of the Pod's VpcIPClaim, which is all that it may have; empty while the claim has none or
    is not the Pod's; None for a Pod that takes any."""

    def with_fixed_ip(self, ip: str) -> "Attachment":
        """Return the same sandbox, which asks for this very address of its claim."""
        return replace(self, fixed_ip=ip)

    def assigned(self, now: Boottime) -> Assigned:
        """Return the state of an address that this sandbox has from now on."""
        end = names.host_end(self.key.container_id, self.key.ifname)
        return Assigned(
            key=self.key,
            pod=self.pod,
            since=now,
            host_interface=end.name,
            host_mac=end.mac,
            network=self.network,
            netns=self.netns,
            awaits_eip=self.awaits_eip,
        )


_OF_PODS: Final = (Assigned, Held, Occupied)
_NO_INTERFACE: Final = ""
"""Of a fixed address that no sandbox has had yet."""


def acquire(ledger: Ledger, attachment: Attachment, cooldown: float, now: Boottime) -> Transition:
    """Give the sandbox its address: the one it has, its Pod's, or the warm one that is idle longest.

    A second ADD of the same sandbox changes nothing. What was held for an earlier Pod of the name is let go.
    If the Pod's address is in use by an older sandbox, the transition has that address as it is and changes
    nothing: it is to be taken over. Its address is None when the pool is dry, or a fixed one is not there.
    """
    owned = ledger.owned_by(attachment.key)
    if owned is not None:
        return Transition(ledger, address=owned)
    candidates = [a for a in ledger.of_name(attachment.pod) if resumable(a, attachment)]
    if candidates:
        chosen = min(candidates, key=lambda a: _preference(a, attachment))
    elif attachment.fixed_ip is not None:
        return Transition(ledger)
    elif idle := ledger.longest_idle(exclusive=attachment.exclusive):
        chosen = idle
    else:
        return Transition(ledger)
    if isinstance(chosen.state, Assigned | Occupied):
        return Transition(ledger, address=chosen)
    return _given(ledger, chosen, attachment, cooldown, now)


def take_over(
    ledger: Ledger, expected: Address, attachment: Attachment, cooldown: float, now: Boottime
) -> Transition:
    """Make the sandbox the owner of an address that an older one of its Pod has.

    Nothing, with None as address, when it has another owner than `expected` by now, or has none.
    """
    address = ledger.addresses.get(expected.ip)
    if address is None or address.state != expected.state or not resumable(address, attachment):
        return Transition(ledger)
    return _given(ledger, address, attachment, cooldown, now)


def give_back(ledger: Ledger, ip: str, key: model.SandboxKey, former: State) -> Transition:
    """Undo `take_over`: the older sandbox has the address again; nothing if it is not this sandbox's."""
    owned = ledger.owned_by(key)
    if owned is None or owned.ip != ip or not isinstance(former, Assigned | Occupied):
        return Transition(ledger)
    return ledger.changed(moved(owned, former))


def enter(ledger: Ledger, key: model.SandboxKey, netns: str) -> Transition:
    """Record in which namespace the sandbox is now, after the one that was known is gone."""
    owned = ledger.owned_by(key)
    if owned is None or not isinstance(owned.state, Assigned) or owned.state.netns == netns:
        return Transition(ledger, address=owned)
    return ledger.changed(moved(owned, replace(owned.state, netns=netns)))


def resumable(address: Address, attachment: Attachment) -> bool:
    """Whether the new sandbox may continue with this address."""
    state, pod = address.state, attachment.pod
    if not isinstance(state, _OF_PODS) or state.pod is None or state.pod.name != pod.name:
        return False
    if address.quarantined or address.exclusive != attachment.exclusive:
        return False
    if (address.ip if address.fixed else None) != attachment.fixed_ip:
        return False
    if isinstance(state, Occupied):
        return state.pod == pod
    if state.key.ifname not in (attachment.key.ifname, _NO_INTERFACE):
        return False
    retained = state.by_name if isinstance(state, Held) else address.eip is not None and address.eip.retained
    return state.pod == pod or (retained and str(state.pod) == str(pod))


def superseded(ledger: Ledger, attachment: Attachment) -> list[Address]:
    """Return what older sandboxes of the very Pod have besides, once the new one is wired.

    So it is when their address is in quarantine and was not resumed: its EIP has to come free for the new
    one. What an earlier Pod of the name has stays until its own DEL.
    """
    return [
        a
        for a in ledger.of_name(attachment.pod)
        if isinstance(a.state, Assigned)
        and a.state.key != attachment.key
        and a.state.key.ifname == attachment.key.ifname
        and a.state.pod == attachment.pod
    ]


def overtaken_by(ledger: Ledger, attachment: Attachment, began: Boottime) -> Address | None:
    """Return what a sandbox of the Pod's name was given since this sandbox's ADD has begun.

    That sandbox is the newer one, whatever had kept this ADD, and it runs: nothing of it is for this one.
    """
    return next(
        (
            a
            for a in ledger.of_name(attachment.pod)
            if isinstance(a.state, Assigned)
            and a.state.key.ifname == attachment.key.ifname
            and a.state.key != attachment.key
            and a.state.since > began
        ),
        None,
    )


def other_interface(ledger: Ledger, attachment: Attachment) -> Address | None:
    """Return the address that another interface of the Pod, or of its sandbox, has."""
    key = attachment.key
    return next(
        (
            a
            for a in (*ledger.of_name(attachment.pod), *ledger.of_sandbox(key.container_id))
            if isinstance(a.state, Assigned)
            and a.state.key.ifname != key.ifname
            and (a.state.pod == attachment.pod or a.state.key.container_id == key.container_id)
        ),
        None,
    )


def _given(
    ledger: Ledger, chosen: Address, attachment: Attachment, cooldown: float, now: Boottime
) -> Transition:
    outdated = [
        a for a in ledger.of_name(attachment.pod) if _is_outdated(a, attachment) and a.ip != chosen.ip
    ]
    return ledger.changed(
        moved(chosen, attachment.assigned(now)), *(vacated(a, cooldown, now) for a in outdated)
    )


def _is_outdated(address: Address, attachment: Attachment) -> bool:
    """Whether an address is held for the Pod's name in vain: the new sandbox cannot go on with it."""
    state = address.state
    held = isinstance(state, Held) and state.key.ifname in (attachment.key.ifname, _NO_INTERFACE)
    return held and not resumable(address, attachment)


def _preference(address: Address, attachment: Attachment) -> tuple[bool, bool, bool, str]:
    """Order by: the EIP is there, the very Pod's own rather than its name's, no sandbox to take it from."""
    has_eip = bool(attachment.eip_id) and address.eip is not None and address.eip.eip_id == attachment.eip_id
    own = address.pod == attachment.pod
    return (not has_eip, not own, isinstance(address.state, Assigned), address.ip)
