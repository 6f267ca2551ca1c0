"""ADD: from a sandbox to a Pod that is wired and, if it asks, has its EIP.

    find the Pod -> check its annotations -> take its address (wait if the pool is dry) -> wire it
    -> wait until its EIP is bound -> result

Every step may fail and be tried again by the runtime, with this sandbox or another one of the same Pod: what
was reached is found again. A failed ADD leaves no kernel state, and changes nothing of another sandbox; the
address of a Pod with EIP is held, its EIP goes on being bound in the background, and the next ADD finds it.
An ADD whose sandbox is deleted meanwhile ends by itself. ADD never calls the cloud itself.
Thread safety: any number of ADDs run at once; those of one sandbox, or of one address, one at a time.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ipamd.agent.cni.add_waits import AddWaits
from ipamd.agent.cni.pending_adds import PendingAdd
from ipamd.agent.cni.pending_deletes import PendingDeletes
from ipamd.agent.cni.sandbox_wiring import SandboxWiring
from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.eips.wait import EipWait
from ipamd.agent.fixed.wait import FixedWait
from ipamd.agent.pods import errors
from ipamd.core import model
from ipamd.core.annotations import eip, networks, vpc_ip
from ipamd.core.cni import result
from ipamd.core.cni.errors import CniError, Code
from ipamd.core.cni.requests import AddRequest
from ipamd.core.errors import InvalidInputError, IpamError
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.ledger.acquisition import Attachment
from ipamd.core.timing.deadline import Deadline
from ipamd.net.model import PodWiring

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One ADD on its way."""

    request: AddRequest
    attempt: PendingAdd
    pod: PodView
    wants_eip: bool
    wants_fixed: bool
    """Whether its address is the one of its VpcIPClaim, and no other."""
    deadline: Deadline

    @property
    def exclusive(self) -> bool:
        """Whether the Pod asks for an ENI of its own."""
        return networks.is_exclusive(self.pod)

    @property
    def key(self) -> model.SandboxKey:
        return self.request.key


class Add:
    """Serves ADD."""

    def __init__(
        self,
        *,
        queued_deletes: PendingDeletes,
        waits: AddWaits,
        sandboxes: SandboxWiring,
        eips: EipWait,
        fixed: FixedWait,
        announcer: ClaimPublisher,
    ) -> None:
        """Take what an ADD goes through, and who tells the Pod of its failure."""
        self._queued_deletes = queued_deletes
        self._waits = waits
        self._sandboxes = sandboxes
        self._eips = eips
        self._fixed = fixed
        self._announcer = announcer
        self._listeners: list[Callable[[model.PodRef, str], None]] = []

    def on_done(self, listener: Callable[[model.PodRef, str], None]) -> None:
        """Have `listener` called with Pod and address after each ADD that succeeds; before the first one."""
        self._listeners.append(listener)

    def wake(self) -> None:
        """Have the ADDs that wait look whether their caller still does."""
        self._waits.wake()

    def add(self, request: AddRequest, deadline: Deadline, given_up: Callable[[], bool]) -> bytes:
        """Serve one ADD and return its result; CniError says in full what is wrong.

        `given_up` says whether the caller has stopped to wait.
        """
        began = time.monotonic()
        pod = request.pod
        try:
            with self._sandboxes.begun(request.key, given_up) as attempt:
                way = self._prepare(request, deadline, attempt)
                pod = way.pod.ref
                interface = self._serve(way)
        except IpamError as e:
            error = errors.of_verb("ADD", pod, e, request.conf.version)
            log.warning("%s", error)
            if pod.uid:
                self._announcer.warning(pod, "FailedAddNetwork", str(error))
            raise error from e
        took = (time.monotonic() - began) * 1000
        sandbox = request.key.container_id
        log.info("ADD of Pod %s, sandbox %.13s: %s, took %.0f ms", pod, sandbox, interface.ip, took)
        for listener in self._listeners:
            listener(pod, interface.ip)
        return result.encode(interface, request.conf.version)

    def _prepare(self, request: AddRequest, deadline: Deadline, attempt: PendingAdd) -> _Way:
        """Find the Pod and refuse at once what no retry will mend."""
        with errors.step("finding the Pod"):
            pod = self._waits.for_pod(request.pod, deadline)
        with errors.step("reading the Pod's annotations"):
            wants_eip = _wants_eip(pod, exclusive=self._waits.gives_enis)
            wants_fixed = _wants_fixed(pod)
        # What is queued to end an earlier sandbox of the same id must not end this one.
        self._queued_deletes.supersede(request.key)
        return _Way(
            request=request,
            attempt=attempt,
            pod=pod,
            wants_eip=wants_eip,
            wants_fixed=wants_fixed,
            deadline=deadline,
        )

    def _serve(self, way: _Way) -> result.PodInterface:
        try:
            pod = self._wired(way)
            if way.wants_eip and self._eips.wanted:
                with errors.step("waiting for its EIP"):
                    self._waits.for_eip(way.attempt, way.key, way.pod.ref, way.deadline)
            way.attempt.check_deleted()
        except BaseException:
            # The address of a Pod with EIP, and a fixed one, wait for the next attempt.
            may_hold = way.wants_eip or way.wants_fixed
            self._sandboxes.roll_back(way.key, way.attempt, may_hold=may_hold, pod=way.pod)
            raise
        return _interface(pod)

    def _wired(self, way: _Way) -> PodWiring:
        """Give the Pod an address and wire it, once there is an address to have."""
        while True:
            attachment = self._attachment(way)
            pod = self._sandboxes.wire(attachment, way.deadline, way.attempt)
            if pod is not None:
                return pod
            if way.wants_fixed:
                with errors.step("waiting for its fixed address"):
                    self._waits.for_fixed(way.attempt, attachment, way.deadline)
                continue
            with errors.step("waiting for an address"):
                self._waits.for_address(way.attempt, way.deadline, exclusive=way.exclusive)

    def _attachment(self, way: _Way) -> Attachment:
        return Attachment(
            key=way.key,
            pod=way.pod.ref,
            network=way.request.conf.name,
            netns=way.request.netns,
            awaits_eip=way.wants_eip and self._eips.wanted,
            eip_id=self._eips.eip_of(way.pod.ref) if way.wants_eip else "",
            exclusive=way.exclusive,
            fixed_ip=self._fixed.ip_of(way.pod.ref) if way.wants_fixed else None,
        )


def _wants_eip(pod: PodView, *, exclusive: bool) -> bool:
    """Return whether the Pod asks for an EIP; CniError (INVALID_CONFIG) when its annotations are wrong."""
    try:
        networks.check(pod, exclusive=exclusive)
        if not eip.wants_eip(pod):
            return False
        eip.request_of(pod)
    except InvalidInputError as e:
        raise CniError(Code.INVALID_CONFIG, e.message, advice=e.advice) from e
    return True


def _wants_fixed(pod: PodView) -> bool:
    """Return whether the Pod has a fixed address; CniError (INVALID_CONFIG) when it asks wrongly."""
    if not vpc_ip.wants_fixed_ip(pod):
        return False
    try:
        vpc_ip.request_of(pod)
    except InvalidInputError as e:
        raise CniError(Code.INVALID_CONFIG, e.message, advice=e.advice) from e
    return True


def _interface(pod: PodWiring) -> result.PodInterface:
    return result.PodInterface(
        ifname=pod.ifname,
        netns=pod.netns_path,
        ip=pod.ip,
        pod_mac=pod.interface_mac,
        host_veth=pod.host_veth,
        host_mac=pod.host_mac,
        mtu=pod.mtu,
        gateway=pod.gateway,
    )
