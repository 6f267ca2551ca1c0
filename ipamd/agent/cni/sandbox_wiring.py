"""The part of ADD that gives a sandbox an address and makes its link, once there is an address to have.

    again       what an earlier ADD of this very sandbox has made stays, if it is right
    fresh       an address that no sandbox uses: the ledger first, then the kernel
    taken over  an address that an older sandbox of the Pod still uses: everything is made in the new sandbox
                first, then ledger and route are swapped, and only then the older link goes

What goes wrong before the swap leaves the older sandbox whole.
Thread safety: any thread; ADDs of one sandbox, and of sandboxes that meet at one address, one at a time.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ipamd.agent.cni.pending_adds import PendingAdd, PendingAdds
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods import errors
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.release import SandboxRelease
from ipamd.agent.pods.wiring import wiring
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.cni.errors import CniError, Code, shown
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import acquisition
from ipamd.core.ledger.acquisition import Attachment
from ipamd.core.ledger.ledger import Ledger, Transition
from ipamd.core.ledger.states import Address, Assigned, Occupied
from ipamd.core.timing.deadline import Deadline
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import EniLink, PodLink, PodWiring

log = logging.getLogger(__name__)

_ROLLBACK_SECONDS = 10.0


class _ChangedHandsError(Exception):
    """The address has another owner than a moment ago: the ledger is to be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxWiring:
    """Wires sandboxes of one node."""

    shared_ledger: SharedLedger
    enis: NodeEnis
    dataplane: DataPlane
    releasing: SandboxRelease
    locks: PodLocks
    pending: PendingAdds
    cooldown: float

    def begun(
        self, key: model.SandboxKey, given_up: Callable[[], bool]
    ) -> contextlib.AbstractContextManager[PendingAdd]:
        """Have an ADD be under way inside the block; `given_up` says whether its caller waits no more."""
        return self.pending.begun(key, given_up, self.shared_ledger.now())

    def wire(self, attachment: Attachment, deadline: Deadline, attempt: PendingAdd) -> PodWiring | None:
        """Return how the sandbox is wired now, or None when there is no address to have. Raises: IpamError.

        An attempt that is over by the time it gets the sandbox's turn is given nothing.
        """
        with self.locks.of_sandbox(attachment.key, deadline):
            while True:
                attempt.check()
                try:
                    return self._wire(attachment, deadline, attempt)
                except _ChangedHandsError:
                    log.info("the address of Pod %s has just changed hands", attachment.pod)

    def roll_back(self, key: model.SandboxKey, attempt: PendingAdd, *, may_hold: bool, pod: PodView) -> None:
        """Take away what a failed attempt has made; with `may_hold` its address is kept for the Pod."""
        deadline = Deadline.after(_ROLLBACK_SECONDS, time.monotonic)
        try:
            with self.locks.of_sandbox(key, deadline):
                if attempt.has_acquired and self.shared_ledger.current.owned_by(key) is not None:
                    self.releasing.end(key, deadline, may_hold=may_hold, pod=pod)
        except IpamError:
            # The failure that led here is the one to be told; the runtime's DEL does the rest.
            log.exception("the failed ADD of Pod %s could not be rolled back", pod.ref)

    def _wire(self, attachment: Attachment, deadline: Deadline, attempt: PendingAdd) -> PodWiring | None:
        owned = self.shared_ledger.current.owned_by(attachment.key)
        address = owned or self._acquired(attachment, attempt)
        if address is None:
            return None
        with self.locks.of_address(address.ip, deadline), errors.step("wiring the Pod"):
            current = self.shared_ledger.current.addresses.get(address.ip)
            if owned is not None:
                return self._again(_still_of(current, attachment), attachment, attempt)
            if _is_of(address, attachment):
                pod = self._fresh(_still_of(current, attachment))
            elif current is not None and current.state == address.state:
                pod = self._take_over(current, attachment, attempt)
            else:
                raise _ChangedHandsError
        self._end_superseded(attachment, deadline)
        return pod

    def _acquired(self, attachment: Attachment, attempt: PendingAdd) -> Address | None:
        def acquire(shared_ledger: Ledger) -> Transition:
            # With the ledger's lock held: another interface, or a newer sandbox, may come at any moment.
            _refuse_second_interface(shared_ledger, attachment)
            _refuse_overtaken(shared_ledger, attachment, attempt)
            return acquisition.acquire(shared_ledger, attachment, self.cooldown, self.shared_ledger.now())

        acquired = self.shared_ledger.apply(acquire)
        attempt.has_acquired = bool(acquired)
        return acquired.address

    def _fresh(self, address: Address) -> PodWiring:
        pod = wiring(address, self._link(address))
        self.dataplane.wire_pod(pod)
        return pod

    def _again(self, address: Address, attachment: Attachment, attempt: PendingAdd) -> PodWiring:
        """Keep what an earlier ADD of the sandbox has made, if it is as it has to be."""
        self._refuse_other_network(address, attachment)
        self._refuse_other_namespace(address, attachment)
        pod = replace(wiring(address, self._link(address)), netns_path=attachment.netns)
        differs = bool(self.dataplane.check_pod(pod))
        if differs and not _netns_of(address) and self.dataplane.has_link(pod.host_end):
            # The store was lost: the link may well lead to another namespace, which is alive.
            raise _in_use(attachment.netns, "a namespace that is not known")
        # Who is refused has nothing to undo: what the earlier ADD has made stays its own.
        self.pending.inherit(attachment.key, attempt)
        self.shared_ledger.apply(
            lambda shared_ledger: acquisition.enter(shared_ledger, attachment.key, attachment.netns)
        )
        if differs:
            self.dataplane.wire_pod(pod)
        return pod

    def _take_over(self, address: Address, attachment: Attachment, attempt: PendingAdd) -> PodWiring:
        """Make everything in the new sandbox, swap, and let the older link go; the caller has the turn."""
        former = address.state
        if not isinstance(former, Assigned | Occupied):
            raise _ChangedHandsError
        after = replace(address, state=attachment.assigned(self.shared_ledger.now()))
        pod = wiring(after, self._link(address))
        with self.dataplane.prepared_pod(pod) as made:
            self._swap(address, attachment, pod, made)
        attempt.has_acquired = True
        log.info("sandbox %.13s takes %s over from an older one", attachment.key.container_id, address.ip)
        try:
            self.dataplane.drop_link(former.host_end)
        except IpamError as e:
            log.warning(
                "link %s, which nobody uses any more, stays until the repair: %s", former.host_interface, e
            )
        return pod

    def _swap(self, address: Address, attachment: Attachment, pod: PodWiring, made: PodLink) -> None:
        shared_ledger = self.shared_ledger
        taken = shared_ledger.apply(
            lambda current: acquisition.take_over(
                current, address, attachment, self.cooldown, shared_ledger.now()
            )
        ).address
        if taken is None:
            raise _ChangedHandsError
        try:
            if address.exclusive:
                # An ENI is in one namespace only: the older sandbox is off the network from here on.
                self.releasing.exclusive.bring_back(address)
            self.dataplane.swap_pod(pod, made)
        except BaseException:
            shared_ledger.apply(
                lambda current: acquisition.give_back(current, address.ip, attachment.key, address.state)
            )
            raise

    def _end_superseded(self, attachment: Attachment, deadline: Deadline) -> None:
        """End what older sandboxes of the Pod have besides: nobody comes back to it."""
        for address in acquisition.superseded(self.shared_ledger.current, attachment):
            if not isinstance(address.state, Assigned):
                continue
            log.info("%s of Pod %s is superseded by a newer sandbox", address.ip, address.pod)
            try:
                self.releasing.end(address.state.key, deadline, may_hold=False)
            except IpamError as e:
                log.warning("%s stays until the DEL of its sandbox: %s", address.ip, e)

    def _link(self, address: Address) -> EniLink:
        link = self.enis.link(address.eni_id)
        if link is None:
            raise TryAgainError(f"ENI {address.eni_id} of address {address.ip} has no link on the node")
        return link

    def _refuse_other_network(self, address: Address, attachment: Attachment) -> None:
        state = address.state
        if isinstance(state, Assigned) and state.network not in ("", attachment.network):
            raise CniError(
                Code.INVALID_ENVIRONMENT,
                f"CNI_IFNAME is {attachment.key.ifname}: the sandbox has it ({address.ip}) of network "
                f"{state.network}, this is network {attachment.network}",
                advice="tke-route-eni gives a Pod one interface; use another plugin for further ones",
            )

    def _refuse_other_namespace(self, address: Address, attachment: Attachment) -> None:
        """Raise CniError when the sandbox is wired in another namespace that is still there."""
        recorded = _netns_of(address)
        if recorded in ("", attachment.netns):
            return
        known = self.dataplane.namespace_of(recorded)
        if known is not None and known != self.dataplane.namespace_of(attachment.netns):
            raise _in_use(attachment.netns, shown(recorded))


def _refuse_second_interface(shared_ledger: Ledger, attachment: Attachment) -> None:
    """Raise CniError when the Pod has another interface of ours: it has one address, and one EIP."""
    other = acquisition.other_interface(shared_ledger, attachment)
    if other is not None and isinstance(other.state, Assigned):
        raise CniError(
            Code.INVALID_ENVIRONMENT,
            f"CNI_IFNAME is {attachment.key.ifname}: the Pod has {other.state.key.ifname} "
            f"({other.ip}) of network {other.state.network} already",
            advice="tke-route-eni gives a Pod one interface; use another plugin for further ones",
        )


def _refuse_overtaken(shared_ledger: Ledger, attachment: Attachment, attempt: PendingAdd) -> None:
    """Raise TryAgainError when a sandbox of the Pod was wired while this ADD waited for something."""
    newer = acquisition.overtaken_by(shared_ledger, attachment, attempt.began)
    if newer is not None:
        raise TryAgainError(
            f"a newer sandbox of the Pod has {newer.ip} since this ADD has begun",
            advice="the kubelet removes this sandbox by itself",
        )


def _netns_of(address: Address) -> str:
    return address.state.netns if isinstance(address.state, Assigned) else ""


def _in_use(asked: str, known: str) -> CniError:
    return CniError(
        Code.INVALID_ENVIRONMENT,
        f"CNI_NETNS is {shown(asked)}: the sandbox is wired in {known} already",
        advice="a sandbox has one network namespace; DEL has to come before it gets another one",
    )


def _is_of(address: Address, attachment: Attachment) -> bool:
    return isinstance(address.state, Assigned) and address.state.key == attachment.key


def _still_of(address: Address | None, attachment: Attachment) -> Address:
    """Return the sandbox's address as it is in its turn; TryAgainError when it is another one's by now."""
    if address is None or not _is_of(address, attachment):
        raise TryAgainError(
            "a newer sandbox of the Pod has taken its address over",
            advice="the kubelet removes this sandbox by itself",
        )
    return address
