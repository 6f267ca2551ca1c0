"""Why the Pod of a VpcIPClaim waits for its address, as metrics, pages and `kubectl eni` tell it. Pure."""

from dataclasses import dataclass

from ipamd.core.annotations import networks, vpc_ip
from ipamd.core.claim.eipclaim import Phase, condition
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import attach_waits
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import READY, VpcIpClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressWait:
    """Why a Pod has no address yet, or why an address is not free yet."""

    reason: str
    """Of the claim's condition Ready, `New` before it has one; or of the Event that the Pod was told."""
    message: str
    """Empty where there is no condition yet."""


def wait_of(claim: VpcIpClaim, pod: PodView | None) -> AddressWait | None:
    """Return what a claim waits for; None when its Pod has its address, or when no Pod waits for one.

    `pod` is the Pod of the claim's name. The claim does not say that it is of the other network.
    A deleted claim waits until its address is given back: `Releasing`.
    """
    ready = condition(claim.conditions, READY)
    said = str(ready.get("message") or "")
    if claim.deleting:
        return AddressWait(reason=Phase.RELEASING.value, message=said)
    if pod is not None and pod.wants_sandbox and vpc_ip.wants_fixed_ip(pod):
        differs = attach_waits.other_network(claim, exclusive=networks.is_exclusive(pod))
        if differs:
            return AddressWait(reason=VpcIpReason.NETWORK_DIFFERS.value, message=differs)
    gone = claim.pod is not None and claim.pod.last_seen is not None
    if gone or not claim.pod_uid or ready.get("status") == "True":
        return None
    return AddressWait(reason=str(ready.get("reason") or "New"), message=said)
