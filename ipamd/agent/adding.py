"""ADD: from a sandbox to a Pod that is wired and, if it asks, has its EIP.

    find the Pod -> check its annotations -> take its address (wait if the pool is dry) -> wire it
    -> wait until its EIP is bound -> result

Every step may fail and be tried again by the runtime, with this sandbox or another one of the same Pod: what
was reached is found again. A failed ADD leaves no kernel state; the address of a Pod with EIP is held, its
EIP goes on being bound in the background, and the next ADD finds it. ADD never calls the cloud itself.
Thread safety: any number of ADDs run at once; those of one Pod take turns at its link.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent import failures
from ipamd.agent.address_book import AddressBook
from ipamd.agent.announcing import Announcer
from ipamd.agent.eip_waiting import EipWaiting
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pods import PodSource
from ipamd.agent.pool import Pool
from ipamd.agent.releasing import Releasing
from ipamd.agent.seats import Seats
from ipamd.agent.turns import Turns
from ipamd.agent.wirings import wiring
from ipamd.core import cni_result, eip_annotations, ledger, model, names, networks
from ipamd.core.addresses import Address, BindStage
from ipamd.core.cni import AddRequest
from ipamd.core.cni_errors import CniError, Code
from ipamd.core.deadline import Deadline
from ipamd.core.errors import InvalidInputError, IpamError, TryAgainError
from ipamd.core.pods import PodView
from ipamd.net.dataplane import DataPlane
from ipamd.net.model import PodWiring

log = logging.getLogger(__name__)

_ROLLBACK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTools:
    """What ADD works with."""

    book: AddressBook
    pool: Pool
    enis: NodeEnis
    dataplane: DataPlane
    pods: PodSource
    eips: EipWaiting
    announcer: Announcer
    releasing: Releasing
    turns: Turns
    seats: Seats
    supersede: Callable[[model.SandboxKey], None]
    """Drops what is queued to end an earlier sandbox of the same id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """One ADD on its way."""

    request: AddRequest
    pod: PodView
    wants_eip: bool
    deadline: Deadline
    given_up: Callable[[], bool]
    """Whether the caller has stopped to wait."""

    @property
    def key(self) -> model.SandboxKey:
        return self.request.key


class Adding:
    """Serves ADD.

    Invariant: `_under_way` counts the ADDs that have not returned, by sandbox; touched under `_guard` only.
    """

    def __init__(self, tools: AddTools, *, cooldown: float, eip_wait: bool) -> None:
        """Take the tools, the seconds that freed addresses cool, and whether Pods wait for their EIP."""
        self._tools = tools
        self._cooldown = cooldown
        self._eip_wait = eip_wait
        self._guard = threading.Lock()
        self._under_way: Counter[model.SandboxKey] = Counter()

    def is_under_way(self, key: model.SandboxKey) -> bool:
        """Whether an ADD of this sandbox has not returned yet."""
        with self._guard:
            return self._under_way[key] > 0

    def add(self, request: AddRequest, deadline: Deadline, given_up: Callable[[], bool]) -> bytes:
        """Serve one ADD and return its result; CniError says in full what is wrong."""
        began = time.monotonic()
        pod = request.pod
        self._count(request.key, 1)
        try:
            attempt = self._prepare(request, deadline, given_up)
            pod = attempt.pod.ref
            interface = self._serve(attempt)
        except IpamError as e:
            error = failures.of_verb("ADD", pod, e, request.conf.version)
            log.warning("%s", error)
            if pod.uid:
                self._tools.announcer.warning(pod, "FailedAddNetwork", str(error))
            raise error from e
        finally:
            self._count(request.key, -1)
        took = (time.monotonic() - began) * 1000
        sandbox = request.key.container_id
        log.info("ADD of Pod %s, sandbox %.13s: %s, took %.0f ms", pod, sandbox, interface.ip, took)
        return cni_result.encode(interface, request.conf.version)

    def _prepare(self, request: AddRequest, deadline: Deadline, given_up: Callable[[], bool]) -> _Attempt:
        """Find the Pod and refuse at once what no retry will mend."""
        with failures.step("finding the Pod"):
            pod = self._tools.pods.find(request.pod, deadline)
        with failures.step("reading the Pod's annotations"):
            wants_eip = _wants_eip(pod)
        self._tools.supersede(request.key)
        return _Attempt(request=request, pod=pod, wants_eip=wants_eip, deadline=deadline, given_up=given_up)

    def _serve(self, attempt: _Attempt) -> cni_result.PodInterface:
        owned_before = self._tools.book.ledger.owned_by(attempt.key) is not None
        try:
            interface = self._wired(attempt)
            if attempt.wants_eip and self._eip_wait:
                self._await_eip(attempt)
        except BaseException:
            # What an earlier ADD of this sandbox has made is not this attempt's to take away.
            if not owned_before:
                self._roll_back(attempt)
            raise
        return interface

    def _wired(self, attempt: _Attempt) -> cni_result.PodInterface:
        """Give the Pod an address and wire it, once there is an address to have."""
        while True:
            with self._tools.turns.taken(str(attempt.pod.ref), attempt.deadline):
                self._evict(attempt)
                owned = self._tools.book.ledger.owned_by(attempt.key)
                address = owned or self._acquire(attempt)
                if address is not None:
                    with failures.step("wiring the Pod"):
                        return self._wire(attempt, address, again=owned is not None)
            with failures.step("waiting for an address"):
                self._await_address(attempt)

    def _evict(self, attempt: _Attempt) -> None:
        """End what older Pods of the name have: the new sandbox cuts their link off anyway."""
        for address in ledger.superseded(self._tools.book.ledger, self._attachment(attempt)):
            log.info("%s of Pod %s is superseded by a newer Pod of the name", address.ip, address.pod)
            self._tools.releasing.end(address, may_hold=False)

    def _acquire(self, attempt: _Attempt) -> Address | None:
        attachment, book = self._attachment(attempt), self._tools.book
        return book.apply(
            lambda current: ledger.acquire(current, attachment, self._cooldown, book.now())
        ).address

    def _attachment(self, attempt: _Attempt) -> ledger.Attachment:
        eip_id = self._tools.eips.eip_of(attempt.pod.ref) if attempt.wants_eip else ""
        return ledger.Attachment(
            key=attempt.key, pod=attempt.pod.ref, netns=attempt.request.netns, eip_id=eip_id
        )

    def _wire(self, attempt: _Attempt, address: Address, *, again: bool) -> cni_result.PodInterface:
        """Make the Pod's link; one that an earlier ADD of the same sandbox made is kept if it is right."""
        link = self._tools.enis.link(address.eni_id)
        if link is None:
            raise TryAgainError(f"ENI {address.eni_id} of address {address.ip} has no link on the node")
        bound = address.eip is not None and address.eip.stage is BindStage.BOUND
        pod = wiring(address, link, eip=attempt.wants_eip and (self._eip_wait or bound))
        if not again or self._tools.dataplane.check_pod(pod):
            self._tools.dataplane.wire_pod(pod)
        return _interface(pod)

    def _await_address(self, attempt: _Attempt) -> None:
        """Wait until an address may be had; TryAgainError or the cloud's refusal when none will come."""
        pool = self._tools.pool
        with self._tools.seats.taken("an address"), pool.demand():
            obstacles: list[IpamError] = []

            def settled(book: ledger.Ledger) -> bool:
                obstacle = pool.obstacle()
                obstacles[:] = [obstacle] if obstacle else []
                return bool(book.available or obstacle or attempt.given_up())

            in_time = self._tools.book.wait(settled, attempt.deadline)
        if obstacles:
            raise failures.as_cni_error(obstacles[0])
        if not in_time or attempt.given_up():
            raise TryAgainError(
                f"no address became free in time: {pool.waited_for()}",
                advice="raise --ip-min-warm-target if this repeats",
            )

    def _await_eip(self, attempt: _Attempt) -> None:
        eips, key, pod = self._tools.eips, attempt.key, attempt.pod.ref
        with failures.step("waiting for its EIP"):
            if not eips.is_ready(key, pod):
                with self._tools.seats.taken("its EIP"):
                    # A Pod on its way out must not be held up by an EIP that it will not use.
                    over = lambda: attempt.given_up() or self._is_leaving(pod)  # noqa: E731
                    eips.wait(key, pod, attempt.deadline, over)

    def _is_leaving(self, pod: model.PodRef) -> bool:
        known = self._tools.pods.known(pod)
        return known is not None and known.ref == pod and not known.wants_sandbox

    def _roll_back(self, attempt: _Attempt) -> None:
        """Leave no kernel state; the address of a Pod with EIP waits for the next attempt."""
        deadline = Deadline.after(_ROLLBACK_SECONDS, time.monotonic)
        try:
            with self._tools.turns.taken(str(attempt.pod.ref), deadline):
                owned = self._tools.book.ledger.owned_by(attempt.key)
                if owned is not None:
                    self._tools.releasing.end(owned, may_hold=attempt.wants_eip, pod=attempt.pod)
        except IpamError:
            # The failure that led here is the one to be told; the runtime's DEL does the rest.
            log.exception("the failed ADD of Pod %s could not be rolled back", attempt.pod.ref)

    def _count(self, key: model.SandboxKey, step: int) -> None:
        with self._guard:
            self._under_way[key] += step
            if not self._under_way[key]:
                del self._under_way[key]


def _wants_eip(pod: PodView) -> bool:
    """Return whether the Pod asks for an EIP; CniError (INVALID_CONFIG) when its annotations are wrong."""
    try:
        networks.check(pod)
        if not eip_annotations.wants_eip(pod):
            return False
        eip_annotations.request_of(pod)
    except InvalidInputError as e:
        raise CniError(Code.INVALID_CONFIG, e.message, advice=e.advice) from e
    return True


def _interface(pod: PodWiring) -> cni_result.PodInterface:
    return cni_result.PodInterface(
        ifname=pod.ifname,
        netns=pod.netns_path,
        ip=pod.ip,
        pod_mac=names.pod_mac(pod.ip),
        host_veth=pod.host_veth,
        host_mac=names.host_mac(pod.ip),
        mtu=pod.mtu,
    )
