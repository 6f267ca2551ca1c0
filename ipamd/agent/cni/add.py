"""ADD: from a sandbox to a Pod that is wired and, if it asks, has its EIP.

    find the Pod -> check its annotations -> take its address (wait if the pool is dry) -> wire it
    -> wait until its EIP is bound -> result

Every step may fail and be tried again by the runtime, with this sandbox or another one of the same Pod: what
was reached is found again. A failed ADD leaves no kernel state, and changes nothing of another sandbox; the
address of a Pod with EIP is held, its EIP goes on being bound in the background, and the next ADD finds it.
An ADD whose sandbox is deleted meanwhile ends by itself. ADD never calls the cloud itself.
Thread safety: any number of ADDs run at once; those of one sandbox, or of one address, take turns.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.cni.pending_adds import PendingAdd, PendingAdds
from ipamd.agent.cni.sandbox_wiring import SandboxWiring
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.eips.wait import EipWait
from ipamd.agent.pods import errors
from ipamd.agent.pods.locks import PodLocks
from ipamd.agent.pods.release import SandboxRelease
from ipamd.agent.pods.source import PodSource
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core import model
from ipamd.core.annotations import eip, networks
from ipamd.core.cni import result
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.cni.requests import AddRequest
from ipamd.core.errors import InvalidInputError, IpamError, TryAgainError
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger import ledger
from ipamd.core.ledger.acquisition import Attachment
from ipamd.core.timing.deadline import Deadline
from ipamd.net.model import PodWiring
from ipamd.runtime.concurrency_limit import ConcurrencyLimit

log = logging.getLogger(__name__)

_ROLLBACK_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTools:
    """What ADD works with."""

    book: SharedLedger
    pool: Pool
    pods: PodSource
    eips: EipWait
    announcer: ClaimPublisher
    sandboxes: SandboxWiring
    releasing: SandboxRelease
    turns: PodLocks
    pending: PendingAdds
    waiting_limit: ConcurrencyLimit
    supersede: Callable[[model.SandboxKey], None]
    """Drops what is queued to end an earlier sandbox of the same id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One ADD on its way."""

    request: AddRequest
    attempt: PendingAdd
    pod: PodView
    wants_eip: bool
    deadline: Deadline

    @property
    def key(self) -> model.SandboxKey:
        return self.request.key


class Add:
    """Serves ADD."""

    def __init__(self, tools: AddTools, *, eip_wait: bool) -> None:
        """Take the tools, and whether Pods wait for their EIP."""
        self._tools = tools
        self._eip_wait = eip_wait

    def add(self, request: AddRequest, deadline: Deadline, given_up: Callable[[], bool]) -> bytes:
        """Serve one ADD and return its result; CniError says in full what is wrong.

        `given_up` says whether the caller has stopped to wait.
        """
        began = time.monotonic()
        pod = request.pod
        try:
            with self._tools.pending.begun(request.key, given_up, self._tools.book.now()) as attempt:
                way = self._prepare(request, deadline, attempt)
                pod = way.pod.ref
                interface = self._serve(way)
        except IpamError as e:
            error = errors.of_verb("ADD", pod, e, request.conf.version)
            log.warning("%s", error)
            if pod.uid:
                self._tools.announcer.warning(pod, "FailedAddNetwork", str(error))
            raise error from e
        took = (time.monotonic() - began) * 1000
        sandbox = request.key.container_id
        log.info("ADD of Pod %s, sandbox %.13s: %s, took %.0f ms", pod, sandbox, interface.ip, took)
        return result.encode(interface, request.conf.version)

    def _prepare(self, request: AddRequest, deadline: Deadline, attempt: PendingAdd) -> _Way:
        """Find the Pod and refuse at once what no retry will mend."""
        with errors.step("finding the Pod"):
            pod = self._tools.pods.matching(request.pod) or self._ask_for(request.pod, deadline)
        with errors.step("reading the Pod's annotations"):
            wants_eip = _wants_eip(pod)
        self._tools.supersede(request.key)
        return _Way(request=request, attempt=attempt, pod=pod, wants_eip=wants_eip, deadline=deadline)

    def _ask_for(self, pod: model.PodRef, deadline: Deadline) -> PodView:
        """Ask the API server, which may take its time, and not with all threads at once."""
        with self._seat("the API server"):
            return self._tools.pods.find(pod, deadline)

    def _seat(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Wait for `what` inside the block, if a thread is left for those that need not wait."""
        waiting = self._tools.waiting_limit
        return waiting.slot(
            lambda: TryAgainError(
                f"{waiting.count} Pods of this node wait already, this one would wait for {what}",
                advice="the kubelet tries again by itself",
            )
        )

    def _serve(self, way: _Way) -> result.PodInterface:
        try:
            pod = self._wired(way)
            if way.wants_eip and self._eip_wait:
                self._await_eip(way)
            way.attempt.check_deleted()
        except BaseException:
            self._roll_back(way)
            raise
        return _interface(pod)

    def _wired(self, way: _Way) -> PodWiring:
        """Give the Pod an address and wire it, once there is an address to have."""
        while True:
            pod = self._tools.sandboxes.wire(self._attachment(way), way.deadline, way.attempt)
            if pod is not None:
                return pod
            with errors.step("waiting for an address"):
                self._await_address(way)

    def _attachment(self, way: _Way) -> Attachment:
        return Attachment(
            key=way.key,
            pod=way.pod.ref,
            network=way.request.conf.name,
            netns=way.request.netns,
            awaits_eip=way.wants_eip and self._eip_wait,
            eip_id=self._tools.eips.eip_of(way.pod.ref) if way.wants_eip else "",
        )

    def _await_address(self, way: _Way) -> None:
        """Wait until an address may be had; TryAgainError or the cloud's refusal when none will come."""
        pool = self._tools.pool
        with self._seat("an address"), pool.demand():
            obstacles: list[IpamError] = []

            def settled(book: ledger.Ledger) -> bool:
                obstacle = pool.obstacle()
                obstacles[:] = [obstacle] if obstacle else []
                return bool(book.available or obstacle or way.attempt.is_over)

            in_time = self._tools.book.wait(settled, way.deadline)
        way.attempt.check()
        if obstacles:
            raise errors.as_cni_error(obstacles[0])
        if not in_time:
            raise TryAgainError(
                f"no address became free in time: {pool.waited_for()}",
                advice=pool.advice() or "raise --ip-min-warm-target if this repeats",
            )

    def _await_eip(self, way: _Way) -> None:
        eips, key, pod = self._tools.eips, way.key, way.pod.ref
        with errors.step("waiting for its EIP"):
            if not eips.is_ready(key, pod):
                with self._seat("its EIP"):
                    # A Pod on its way out must not be held up by an EIP that it will not use.
                    over = lambda: way.attempt.is_over or self._is_leaving(pod)  # noqa: E731
                    try:
                        eips.wait(key, pod, way.deadline, over)
                    except IpamError:
                        way.attempt.check()
                        raise

    def _is_leaving(self, pod: model.PodRef) -> bool:
        known = self._tools.pods.known(pod)
        return known is not None and known.ref == pod and not known.wants_sandbox

    def _roll_back(self, way: _Way) -> None:
        """Take away what this attempt has made; the address of a Pod with EIP waits for the next one."""
        deadline = Deadline.after(_ROLLBACK_SECONDS, time.monotonic)
        try:
            with self._tools.turns.of_sandbox(way.key, deadline):
                if way.attempt.has_acquired and self._tools.book.ledger.owned_by(way.key) is not None:
                    self._tools.releasing.end(way.key, deadline, may_hold=way.wants_eip, pod=way.pod)
        except IpamError:
            # The failure that led here is the one to be told; the runtime's DEL does the rest.
            log.exception("the failed ADD of Pod %s could not be rolled back", way.pod.ref)


def _wants_eip(pod: PodView) -> bool:
    """Return whether the Pod asks for an EIP; CniError (INVALID_CONFIG) when its annotations are wrong."""
    try:
        networks.check(pod)
        if not eip.wants_eip(pod):
            return False
        eip.request_of(pod)
    except InvalidInputError as e:
        raise CniError(Code.INVALID_CONFIG, e.message, advice=e.advice) from e
    return True


def _interface(pod: PodWiring) -> result.PodInterface:
    return result.PodInterface(
        ifname=pod.ifname,
        netns=pod.netns_path,
        ip=pod.ip,
        pod_mac=pod.pod_mac,
        host_veth=pod.host_veth,
        host_mac=pod.host_mac,
        mtu=pod.mtu,
    )
