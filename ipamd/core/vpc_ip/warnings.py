"""What the owner of a Pod with a fixed address should know although nothing is wrong: hints. Pure."""

from typing import Final

from ipamd.core.annotations.vpc_ip import request_of, wants_fixed_ip
from ipamd.core.claim.facts import PodRelation
from ipamd.core.claim.warnings import ClaimWarning
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import generated_names
from ipamd.core.kubernetes.annotation_names import VPC_IP_DELETE_POLICY
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import spec
from ipamd.core.vpc_ip.facts import VpcIpFacts, relation_of
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim

_EDITABLE: Final = frozenset({"deletePolicy", "expireAfter"})
"""Of a claim's spec; the API server refuses an edit of the rest."""


def notes(facts: VpcIpFacts) -> list[ClaimWarning]:
    """Return what is to be said about a living Pod and the claim that serves it."""
    claim, pod = facts.claim, facts.pod
    if claim is None or pod is None or claim.deleting or not pod.wants_sandbox:
        return []
    if relation_of(claim, pod) is not PodRelation.SAME:
        return []
    found = (_changed(claim, pod, facts.rules.default_network), _kept_for_nobody(claim, pod))
    return [note for note in found if note]


def _changed(claim: VpcIpClaim, pod: PodView, default_network: str) -> ClaimWarning | None:
    """Compare wish and claim: a claim is made once, and serves on as it was made."""
    if claim.request is None or not wants_fixed_ip(pod):
        return None
    try:
        wish = request_of(pod, default_network)
    except InvalidInputError as e:
        return ClaimWarning("AnnotationsIgnored", f"{e.message}; its VpcIPClaim stays as it is")
    if wish == claim.request:
        return None
    wanted, has = spec.write(wish), spec.write(claim.request)
    differing = [name for name in {**has, **wanted} if wanted.get(name) != has.get(name)]
    listed = "; ".join(f"{name} is {has.get(name)}, not {wanted.get(name)}" for name in differing)
    edit = "edit the claim, or, to have a new one made, " if _EDITABLE.issuperset(differing) else ""
    return ClaimWarning(
        "AnnotationsIgnored",
        f"the annotations of Pod {pod.ref} differ from its VpcIPClaim, which counts: {listed}; {edit}"
        f"{'' if edit else 'to have a claim made from them, '}run kubectl delete vipc {claim.name} -n "
        f"{claim.namespace} and delete the Pod (it then gets another address)",
    )


def _kept_for_nobody(claim: VpcIpClaim, pod: PodView) -> ClaimWarning | None:
    if not claim.retained or not generated_names.has_one(pod):
        return None
    maker = f"its {pod.controller.kind} gives each Pod a new one" if pod.controller else "it was generated"
    return ClaimWarning(
        "KeptForNobody",
        f"VpcIPClaim {claim} has deletePolicy Never, and no Pod will have its name again ({maker}): the "
        "address is kept for nobody until the claim expires or is deleted: use a StatefulSet, or remove "
        f"{VPC_IP_DELETE_POLICY}",
    )
