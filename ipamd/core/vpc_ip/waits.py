"""Why the Pod of a VpcIPClaim waits for its address, as the metrics count it. Pure."""

from ipamd.core.claim.eipclaim import Phase, condition
from ipamd.core.vpc_ip.vpcipclaim import READY, VpcIpClaim


def reason_of(claim: VpcIpClaim) -> str:
    """Return the reason of its condition Ready, `New` before it has one; empty when no Pod waits for it.

    A deleted claim waits until its address is given back: `Releasing`.
    """
    if claim.deleting:
        return Phase.RELEASING.value
    ready = condition(claim.conditions, READY)
    gone = claim.pod is not None and claim.pod.last_seen is not None
    if gone or not claim.pod_uid or ready.get("status") == "True":
        return ""
    return str(ready.get("reason") or "New")
