"""What the cluster is told about fixed addresses: status of the VpcIPClaim, Events of the Pod.

The claim is written before an address is assigned and after it is off its ENI, so that whoever reads it never
finds less than there is. Events are for people; their loss is logged and changes nothing.
Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Callable

from ipamd.agent.eips.publish import ClaimPublisher
from ipamd.agent.fixed.claims import VpcIpClaimSource
from ipamd.core import model
from ipamd.core.claim.eipclaim import condition
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError, TryAgainError
from ipamd.core.failure_meanings import failures
from ipamd.core.vpc_ip import status
from ipamd.core.vpc_ip.attach_waits import waited_for
from ipamd.core.vpc_ip.placement import WrongZoneError
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import ASSIGNED, AddressBinding, VpcIpClaim
from ipamd.kube import errors

log = logging.getLogger(__name__)


class VpcIpPublisher:
    """Tells of the fixed addresses of one node."""

    def __init__(
        self, node: str, *, claims: VpcIpClaimSource, pods: ClaimPublisher, clock: Callable[[], float]
    ) -> None:
        """Take the node's name, where to read and write, who tells Pods, and a clock of Unix time."""
        self._node = node
        self._claims = claims
        self._pods = pods
        self._clock = clock

    def begin(self, claim: VpcIpClaim, pod: model.PodRef, eni_id: str) -> VpcIpClaim:
        """Write the binding into the claim before the cloud is asked; return the claim as it is then.

        The claim is always written or read live: an agent that was cut off from the API server may have a
        cache that still gives it an address which the controller has taken off for the Pod's next node.
        Raises: KubeError; TryAgainError when the address is not to be assigned here any more.
        """
        binding = AddressBinding(node=self._node, eni_id=eni_id, pod_uid=pod.uid)

        def revision(current: VpcIpClaim) -> dict[str, object] | None:
            obstacle = waited_for(current, pod, self._node)
            if obstacle or current.address is None or current.address != claim.address:
                raise TryAgainError(
                    f"VpcIPClaim {claim} has changed: waiting for {obstacle or 'another address'}"
                )
            if current.binding == binding:
                return None
            return status.assigning(current, binding, self._clock())

        seen = self._claims.live(claim.namespace, claim.name) if claim.binding == binding else claim
        written = self._claims.revise(seen, revision) if seen and seen.uid == claim.uid else None
        if written is None:
            raise TryAgainError(f"VpcIPClaim {claim} does not exist any more")
        return written

    def assigned(self, claim: VpcIpClaim, pod: model.PodRef, eni_id: str, note: str = "") -> None:
        """Write that the address is at the ENI; tell the Pod, with `note`. Raises: KubeError."""
        binding = AddressBinding(node=self._node, eni_id=eni_id, pod_uid=pod.uid)

        def revision(current: VpcIpClaim) -> dict[str, object] | None:
            ours = current.binding is None or current.binding.node == self._node
            if not ours or current.address is None or current.address != claim.address:
                return None
            said = condition(current.conditions, ASSIGNED).get("status") == "True"
            told = current.binding == binding and current.assigned_ip == current.address.ip
            return None if said and told else status.assigned(current, binding, self._clock())

        self._claims.revise(claim, revision)
        if note and claim.address is not None:
            text = f"the Pod's fixed address {claim.address.ip} is assigned to {eni_id}{note}"
            self._pods.event(pod, "AssignedVpcIP", text)

    def withdraw(self, claim: VpcIpClaim, still_here: Callable[[VpcIpClaim], bool]) -> None:
        """Take this node's binding out of the claim, unless `still_here`. Raises: KubeError."""

        def revision(current: VpcIpClaim) -> dict[str, object] | None:
            ours = current.binding is not None and current.binding.node == self._node
            if not ours or still_here(current):
                return None
            message = f"the agent of node {self._node} has given it back"
            return status.unassigned(current, VpcIpReason.UNASSIGNED, message, self._clock())

        self._claims.revise(claim, revision)

    def in_use(self, claim: VpcIpClaim, error: CloudError) -> None:
        """Write that somebody else has the address, and that this node has not. Raises: KubeError."""

        def revision(current: VpcIpClaim) -> dict[str, object] | None:
            ours = current.binding is not None and current.binding.node == self._node
            if not ours or current.address != claim.address:
                return None
            return status.address_in_use(current, failures.told(error), self._clock())

        self._claims.revise(claim, revision)

    def lost(self, claim: VpcIpClaim, message: str) -> None:
        """Write that the claim's ENI does not exist, and is bound nowhere. Raises: KubeError."""

        def revision(current: VpcIpClaim) -> dict[str, object] | None:
            ours = current.binding is not None and current.binding.node == self._node
            if not ours or current.address != claim.address:
                return None
            return status.unassigned(current, VpcIpReason.ENI_LOST, message, self._clock())

        self._claims.revise(claim, revision)

    def failed(self, claim: VpcIpClaim, pod: model.PodRef, error: IpamError) -> None:
        """Tell claim and Pod why the address is not assigned; a loss is only logged."""
        # Another node is no repeat.
        said = str(error) if isinstance(error, WrongZoneError) else failures.told(error)
        self._pods.warning(pod, "FailedAssignVpcIP", said)
        if isinstance(error, errors.KubeError):
            return

        def revision(current: VpcIpClaim) -> dict[str, object] | None:
            if waited_for(current, pod, self._node) or current.address != claim.address:
                return None  # changed meanwhile: the failure is none of its present state
            return status.assign_failed(current, failures.assign_reason(error), said, self._clock())

        try:
            self._claims.revise(claim, revision)
        except errors.KubeError as e:
            log.warning("VpcIPClaim %s does not say why its address is not assigned: %s", claim, e)
