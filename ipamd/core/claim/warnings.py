"""What the owner of a Pod should know although nothing is wrong with its EIP: hints, told once as Events.

The claim goes its way whatever is noted here. Pure.
"""

from dataclasses import dataclass

from ipamd.core.annotations import vpc_ip
from ipamd.core.annotations.eip import asks_in_vain, request_of, wants_eip
from ipamd.core.claim import spec
from ipamd.core.claim.eip_change import unchangeable_wish
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.reason import Reason
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import annotation_names, capacity, generated_names
from ipamd.core.kubernetes.annotation_names import (
    DELETE_POLICY,
    EIP_ATTRIBUTES,
    EXISTING,
    NOMINATED_SUBNETS,
    NOMINATED_VPC_IP,
    VPC_IP_DELETE_POLICY,
)
from ipamd.core.kubernetes.nodes import SUPER_NODE, NodeView
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.text.quoting import shown


@dataclass(frozen=True, slots=True)
class ClaimWarning:
    """One hint: the word and the sentence of its Event."""

    reason: str
    message: str


def notes(claim: Claim, pod: PodView) -> list[ClaimWarning]:
    """Return what is to be said about a living Pod and the claim that serves it."""
    found = (_no_resource(pod), _two_wishes(pod), _changed(claim, pod), _kept_for_nobody(claim, pod))
    return [note for note in found if note]


def may_misunderstand(pod: PodView) -> bool:
    """Whether `misunderstandings` may have something to say, wherever the Pod is."""
    in_vain = asks_in_vain(pod) or vpc_ip.asks_in_vain(pod)
    return in_vain or bool(pod.strays) or vpc_ip.names_subnets_alone(pod)


def misunderstandings(pod: PodView, node: NodeView | None) -> list[ClaimWarning]:
    """Return what is to be said about a Pod whose annotations do not mean what its owner may believe.

    `node` is the Pod's; None when it has none, or that is not known.
    """
    found = (_of_the_host(pod), _fixed_of_the_host(pod), _subnets_alone(pod), *_strays(pod, node))
    return [note for note in found if note]


def _of_the_host(pod: PodView) -> ClaimWarning | None:
    if not asks_in_vain(pod):
        return None
    return ClaimWarning(
        "HostNetworkHasNoEIP",
        f"Pod {pod.ref} asks for an EIP and gets none, because with hostNetwork: true it has no address of "
        f"its own: remove hostNetwork, or the annotations and the resource {capacity.EIP_RESOURCE}",
    )


def _fixed_of_the_host(pod: PodView) -> ClaimWarning | None:
    if not vpc_ip.asks_in_vain(pod):
        return None
    named = next(name for name in (VPC_IP_DELETE_POLICY, NOMINATED_VPC_IP) if name in pod.annotations)
    return ClaimWarning(
        "HostNetworkHasNoFixedIP",
        f"Pod {pod.ref} asks for a fixed address and gets none, because with hostNetwork: true it has no "
        f"address of its own: remove hostNetwork, or annotation {named}",
    )


def _subnets_alone(pod: PodView) -> ClaimWarning | None:
    if not vpc_ip.names_subnets_alone(pod):
        return None
    return ClaimWarning(
        "NominatedSubnetsIgnored",
        f"annotation {NOMINATED_SUBNETS} of Pod {pod.ref} is ignored, because it counts for fixed addresses "
        f"only: add {VPC_IP_DELETE_POLICY}: Never (or {NOMINATED_VPC_IP}) and create the Pod again, or "
        "remove it; other Pods are in the subnets of their node (--pod-subnets, or a NodeENIConfig)",
    )


def _strays(pod: PodView, node: NodeView | None) -> list[ClaimWarning]:
    """Compare with the annotations that the Pod has: a manifest may name an EIP for both kinds of nodes."""
    found = []
    for key in pod.strays:
        wish = annotation_names.meant(key)
        elsewhere = key.startswith(annotation_names.SUPER_NODE_PREFIX)
        if wish in pod.annotations or (elsewhere and (node is None or node.instance_type == SUPER_NODE)):
            continue
        where = "counts on super nodes only" if elsewhere else "is no annotation of tke-eni"
        found.append(
            ClaimWarning(
                "AnnotationNotKnown",
                f"annotation {shown(key)} of Pod {pod.ref} {where} and is ignored: if {wish} is meant, write "
                "that and create the Pod again; else remove it",
            )
        )
    return found


def _kept_for_nobody(claim: Claim, pod: PodView) -> ClaimWarning | None:
    if not claim.retained or not generated_names.has_one(pod):
        return None
    maker = f"its {pod.controller.kind} gives each Pod a new one" if pod.controller else "it was generated"
    return ClaimWarning(
        "KeptForNobody",
        f"EIPClaim {claim.namespace}/{claim.name} has deletePolicy Never, and no Pod will have its name "
        f"again ({maker}): the EIP is kept for nobody, and paid for until the claim expires or is deleted: "
        f"use a StatefulSet, or remove {DELETE_POLICY}",
    )


def _no_resource(pod: PodView) -> ClaimWarning | None:
    if pod.requests_eip or not wants_eip(pod):
        return None
    return ClaimWarning(
        "EIPResourceMissing",
        f"Pod {pod.ref} asks for an EIP by annotation and does not request the resource: add "
        f'{capacity.EIP_RESOURCE}: "1" to requests and limits of one container, so that the scheduler '
        "chooses a node that has an EIP left",
    )


def _two_wishes(pod: PodView) -> ClaimWarning | None:
    named = next((name for name in EXISTING if name in pod.annotations), None)
    if named is None or not pod.annotations.get(EIP_ATTRIBUTES, "").strip():
        return None
    return ClaimWarning(
        "AttributesIgnored",
        f"annotation {EIP_ATTRIBUTES} is ignored, because {named} names EIPs that exist: remove one",
    )


def _changed(claim: Claim, pod: PodView) -> ClaimWarning | None:
    """Compare wish and claim: a claim is made once, and serves on as it was made."""
    if claim.request is None or not wants_eip(pod):
        return None
    apply = f"to have a new claim made from them, run kubectl delete eipc {claim.name} -n {claim.namespace}"
    try:
        wish = request_of(pod)
    except InvalidInputError as e:
        return ClaimWarning("AnnotationsIgnored", f"{e.message}; its EIPClaim stays as it is")
    if wish == claim.request:
        return None
    fixed = unchangeable_wish(wish.order, claim.request.order) if wish.order and claim.request.order else ""
    if fixed:
        return ClaimWarning(
            Reason.CHANGE_REFUSED.value,
            f"annotation {EIP_ATTRIBUTES} of Pod {pod.ref} asks for what its EIP cannot become: {fixed}; "
            f"write it as it was, or {apply} (the EIP is unbound, and the Pod gets another)",
        )
    wanted, has = spec.write(wish), spec.write(claim.request)
    differing = [name for name in {**has, **wanted} if wanted.get(name) != has.get(name)]
    listed = "; ".join(f"{name} is {has.get(name)}, not {wanted.get(name)}" for name in differing)
    if differing == ["attributes"]:  # an edit of the annotation would have been carried over
        return ClaimWarning(
            "AnnotationsIgnored",
            f"EIPClaim {claim.namespace}/{claim.name} was edited, and counts until annotation "
            f"{EIP_ATTRIBUTES} of Pod {pod.ref} is edited, too: {listed}",
        )
    return ClaimWarning(
        "AnnotationsIgnored",
        f"the annotations of Pod {pod.ref} differ from its EIPClaim, which counts: {listed}; {apply} (the "
        "EIP is unbound, and the Pod gets its EIP anew)",
    )
