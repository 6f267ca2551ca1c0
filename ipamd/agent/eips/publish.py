"""What the cluster is told about EIPs: status of the EIPClaim, annotations and Events of the Pod.

The claim is written before an EIP is associated and after it is confirmed, so that whoever reads it never
finds less than there is. The Pod's annotations are written before the claim says Bound, so that they come
late rather than never. Events are for people; their loss is logged and changes nothing.
Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Final

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.pod_annotations import PodAnnotations
from ipamd.agent.pods.source import PodSource
from ipamd.core import model
from ipamd.core.claim import status
from ipamd.core.claim.eipclaim import BOUND, Claim, ClaimBinding, condition
from ipamd.core.claim.reason import Reason
from ipamd.core.eip.binding_plan import waited_for
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.failure_meanings import failures
from ipamd.core.kubernetes.annotation_names import EIP_ID
from ipamd.kube import errors
from ipamd.kube.events import EventRecorder
from ipamd.runtime.durations import DurationCounts
from ipamd.runtime.metric import Metric, histogram

log = logging.getLogger(__name__)

_BUCKETS: Final = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Seconds: a few with everything well, minutes with a quota or an image that is pulled first."""


class ClaimPublisher:
    """Tells of the EIPs of one node."""

    def __init__(
        self,
        node: str,
        *,
        claims: ClaimSource,
        pods: PodSource,
        annotations: PodAnnotations,
        events: EventRecorder,
        clock: Callable[[], float],
    ) -> None:
        """Take the node's name, where to read and write, and a clock of Unix time."""
        self._node = node
        self._claims = claims
        self._pods = pods
        self._annotations = annotations
        self._events = events
        self._clock = clock
        self._waits = DurationCounts(_BUCKETS)
        self._listeners: list[Callable[[model.PodRef, str, str, bool], None]] = []

    def metrics(self) -> Iterator[Metric]:
        """Yield for how long Pods waited for their EIPs."""
        yield histogram(
            "tke_eni_pod_to_eip_seconds",
            "From the creation of a Pod until its EIP was bound; once for each Pod.",
            self._waits.distribution(),
        )

    def begin(self, claim: Claim, pod: model.PodRef, binding: ClaimBinding) -> Claim:
        """Write the binding into the claim before the cloud is asked; return the claim as it is then.

        The claim is always written or read live: an agent that was cut off from the API server may have a
        cache that still gives it an EIP which the controller has unbound meanwhile, for the Pod's next node.
        Raises: KubeError; TryAgainError when the claim is not the Pod's to bind any more.
        """
        eip_id = claim.address.eip_id if claim.address else ""

        def revision(current: Claim) -> dict[str, object] | None:
            obstacle = waited_for(current, pod, self._node)
            if obstacle or current.address is None or current.address.eip_id != eip_id:
                raise TryAgainError(f"EIPClaim {claim} has changed: waiting for {obstacle or 'another EIP'}")
            if current.binding == binding:
                return None
            return status.binding_begun(current, binding, self._clock())

        seen = self._claims.live(claim.namespace, claim.name) if claim.binding == binding else claim
        written = self._claims.revise(seen, revision) if seen else None
        if written is None:
            raise TryAgainError(f"EIPClaim {claim} does not exist any more")
        return written

    def bound(self, claim: Claim, pod: model.PodRef, binding: ClaimBinding, note: str = "") -> None:
        """Write that the EIP is bound; tell the Pod. `note` ends the Event. Raises: KubeError, TryAgainError.

        The Pod's annotations come first: once the claim says Bound, nobody comes back to write them.
        """

        def revision(current: Claim) -> dict[str, object] | None:
            told = condition(current.conditions, BOUND).get("status") == "True"
            same = current.address is not None and current.address == claim.address
            if not same or (told and current.binding == binding):
                return None
            return status.bound(current, binding, self._clock())

        if claim.address is None:
            return
        was_bound = condition(claim.conditions, BOUND).get("status") == "True"
        known = self._pods.known(pod)
        self._annotations.write(pod, claim.address)
        self._claims.revise(claim, revision)
        if known is not None and known.ref == pod and EIP_ID not in known.annotations and known.created:
            self._waits.observe(max(0.0, self._clock() - known.created))
        if not was_bound or note:
            eip = f"{claim.address.public_ip} ({claim.address.eip_id})"
            message = f"EIP {eip} is bound to {binding.private_ip} on {binding.eni_id}{note}"
            self.event(pod, "AssociatedEIP", message)

    def withdraw(self, claim: Claim, still_here: Callable[[Claim], bool]) -> None:
        """Take this node's binding out of the claim, unless `still_here`. Raises: KubeError."""

        def revision(current: Claim) -> dict[str, object] | None:
            ours = current.binding is not None and current.binding.node == self._node
            if not ours or still_here(current):
                return None
            message = f"the agent of node {self._node} has unbound it"
            return status.unbound(current, Reason.UNBOUND, message, self._clock())

        self._claims.revise(claim, revision)

    def bind_failed(self, claim: Claim, pod: model.PodRef, error: IpamError) -> None:
        """Write why the Pod's EIP is not bound, if the claim is still the Pod's; a loss is only logged."""

        def revision(current: Claim) -> dict[str, object] | None:
            if waited_for(current, pod, self._node) or current.address != claim.address:
                return None  # changed meanwhile: the failure is none of its present state
            reason = failures.bind_reason(error)
            return status.bind_failed(current, reason, failures.told(error), self._clock())

        try:
            self._claims.revise(claim, revision)
        except errors.KubeError as e:
            log.warning("EIPClaim %s does not say why its EIP is not bound: %s", claim, e)

    def on_event(self, listener: Callable[[model.PodRef, str, str, bool], None]) -> None:
        """Have `listener` called with Pod, reason, message, and whether it is a warning; before the start."""
        self._listeners.append(listener)

    def event(self, pod: model.PodRef, reason: str, message: str) -> None:
        """Record an ordinary Event on the Pod."""
        self._tell(pod, reason, message, warning=False)
        self._events.record(_reference(pod), "Normal", reason, message)

    def warning(self, pod: model.PodRef, reason: str, message: str) -> None:
        """Record a Warning on the Pod."""
        self._tell(pod, reason, message, warning=True)
        self._events.record(_reference(pod), "Warning", reason, message)

    def _tell(self, pod: model.PodRef, reason: str, message: str, *, warning: bool) -> None:
        for listener in self._listeners:
            listener(pod, reason, message, warning)


def _reference(pod: model.PodRef) -> dict[str, str]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
    }
