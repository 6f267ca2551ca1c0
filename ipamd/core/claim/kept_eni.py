"""The EIP of a Pod that keeps an ENI of its own: it stays at the ENI while the Pod moves or is away.

The ENI is detached and attached as a whole, and its EIP is bound to it all the while; no call is made about
it. It leaves the ENI when claim, ENI or Pod part: the EIPClaim or the VpcIPClaim is deleted, or the Pod that
the EIPClaim serves does not ask for such an ENI any more. Pure.
"""

from typing import NamedTuple

from ipamd.core.annotations import networks
from ipamd.core.annotations.vpc_ip import wants_fixed_ip
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import Eip, EipStatus


class KeptEni(NamedTuple):
    """The ENI that the VpcIPClaim of a Pod's name keeps."""

    eni_id: str
    ends: bool
    """Whether that claim is being deleted, and the ENI with it."""


def stays(claim: Claim, kept: KeptEni | None, pod: PodView | None) -> bool:
    """Whether the EIP of the claim is to stay at the kept ENI, also while no node has that."""
    if kept is None or kept.ends or claim.deleting or not claim.retained:
        return False
    serves = pod is not None and not pod.finished and pod.ref.uid == claim.pod_uid
    return not serves or pod is None or (wants_fixed_ip(pod) and networks.is_exclusive(pod))


def rests_at(eip: Eip, kept: KeptEni | None) -> bool:
    """Whether the EIP is bound to the kept ENI, and no node has the ENI, so that no agent could unbind it."""
    return (
        kept is not None
        and eip.eni_id == kept.eni_id
        and eip.status is EipStatus.BIND_ENI
        and not eip.instance_id
    )
