"""What the owner of a Pod should know although nothing is wrong with its EIP: hints, told once as Events.

The claim goes its way whatever is noted here. Pure.
"""

from dataclasses import dataclass

from ipamd.core import capacity, claim_spec
from ipamd.core.claims import Claim
from ipamd.core.eip_annotations import EIP_ATTRIBUTES, EIP_ID_LIST, request_of, wants_eip
from ipamd.core.errors import InvalidInputError
from ipamd.core.pods import PodView


@dataclass(frozen=True, slots=True)
class Note:
    """One hint: the word and the sentence of its Event."""

    reason: str
    message: str


def notes(claim: Claim, pod: PodView) -> list[Note]:
    """Return what is to be said about a living Pod and the claim that serves it."""
    return [note for note in (_no_resource(pod), _two_wishes(pod), _changed(claim, pod)) if note]


def _no_resource(pod: PodView) -> Note | None:
    if pod.requests_eip or not wants_eip(pod):
        return None
    return Note(
        "EIPResourceMissing",
        f"Pod {pod.ref} asks for an EIP by annotation and does not request the resource: add "
        f'{capacity.EIP_RESOURCE}: "1" to requests and limits of one container, so that the scheduler '
        "chooses a node that has an EIP left",
    )


def _two_wishes(pod: PodView) -> Note | None:
    if not (EIP_ID_LIST in pod.annotations and pod.annotations.get(EIP_ATTRIBUTES, "").strip()):
        return None
    return Note(
        "AttributesIgnored",
        f"annotation {EIP_ATTRIBUTES} is ignored, because {EIP_ID_LIST} names EIPs that exist: remove one",
    )


def _changed(claim: Claim, pod: PodView) -> Note | None:
    """Compare wish and claim: a claim is made once, and serves on as it was made."""
    if claim.request is None or not wants_eip(pod):
        return None
    apply = f"to have a new claim made from them, run kubectl delete eipc {claim.name} -n {claim.namespace}"
    try:
        wish = request_of(pod)
    except InvalidInputError as e:
        return Note("AnnotationsIgnored", f"{e.message}; its EIPClaim stays as it is")
    if wish == claim.request:
        return None
    wanted, has = claim_spec.write(wish), claim_spec.write(claim.request)
    differing = [name for name in {**has, **wanted} if wanted.get(name) != has.get(name)]
    listed = "; ".join(f"{name} is {has.get(name)}, not {wanted.get(name)}" for name in differing)
    return Note(
        "AnnotationsIgnored",
        f"the annotations of Pod {pod.ref} differ from its EIPClaim, which counts: {listed}; {apply} (the "
        "EIP is unbound, and the Pod gets its EIP anew)",
    )
