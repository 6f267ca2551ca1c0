"""What the Pod of a claim asks for, or that it is refused, and what its owner is told then. Pure."""

from ipamd.core.annotations import networks, vpc_ip
from ipamd.core.annotations.vpc_ip import VpcIpRequest
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes.annotation_names import NETWORKS
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip.actions import RefusePod
from ipamd.core.vpc_ip.facts import VpcIpFacts
from ipamd.core.vpc_ip.reason import VpcIpReason
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim


def read(facts: VpcIpFacts, pod: PodView) -> VpcIpRequest | RefusePod:
    """Return what the Pod asks for, or that it is told why it gets nothing."""
    try:
        return vpc_ip.request_of(pod, facts.rules.default_network)
    except InvalidInputError as e:
        return RefusePod(pod=pod, reason=VpcIpReason.INVALID_SPEC, message=str(e))


def misfit(claim: VpcIpClaim, pod: PodView, wish: VpcIpRequest) -> RefusePod | None:
    """Refuse a Pod of another network: an address of shared ENIs cannot become that of its own, nor back."""
    if wish.exclusive == claim.exclusive:
        return None
    has, asks = networks.name_of(exclusive=claim.exclusive), networks.name_of(exclusive=wish.exclusive)
    return RefusePod(
        pod=pod,
        reason=VpcIpReason.NETWORK_DIFFERS,
        message=f"Pod {pod.ref} asks for {asks}, and VpcIPClaim {claim}, which keeps its address, is of "
        f"{has}: name {has} in annotation {NETWORKS} and create the Pod again, or, to have another address, "
        f"run kubectl delete vipc {claim.name} -n {claim.namespace}",
        passes=True,
    )
