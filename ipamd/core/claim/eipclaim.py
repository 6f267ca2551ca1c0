"""The EIPClaim object: what stands in it, how a new one looks, and in which phase it is.

An EIPClaim (networking.tke.cloud.tencent.com/v1, namespaced, named like its Pod) is the record of an EIP from
the first intent to its release. Its fields have one writer each: `status.binding` and the condition Bound are
the agent's of the node, all else is the controller's. This module only reads objects and names fields; what
is written is in `status.py`, what is decided in `state_machine.py`. Pure; objects are dicts of JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ipamd.core.annotations.eip import DeletePolicy, EipRequest
from ipamd.core.claim import change_record, spec
from ipamd.core.claim.change_record import CARRIED, CONFIRM, ChangeRecord
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import fields
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing import timestamps

GROUP = "networking.tke.cloud.tencent.com"
API_VERSION = f"{GROUP}/v1"
KIND = "EIPClaim"
NODE_LABEL = f"{GROUP}/node"
"""The node of the claim's Pod, as `node_labels` writes it; an agent watches the claims that carry its own."""
FINALIZER = f"{GROUP}/eip"
"""Holds a deleted claim until its EIP is unbound and, if we created it, released."""
PROVISIONED = "Provisioned"
"""Condition: the claim has its EIP; the controller's."""
BOUND = "Bound"
"""Condition: the EIP is associated with the Pod's address; the agent's."""
READY = "Ready"
"""Condition: the Pod has its EIP; a summary of the others, written by whoever writes one of them."""
USABLE = "Usable"
"""Condition of a claim whose EIP is or was locked by the cloud: whether it is not; the controller's."""
EGRESS_THROUGH_EIP = "EgressThroughEIP"
"""Condition of a bound claim: no NAT gateway takes the Pod's packets away from its EIP; the controller's."""
UP_TO_DATE = "UpToDate"
"""Condition of a claim whose EIP was to be changed: whether it is as the spec says; the controller's."""
POD_UID = f"{GROUP}/pod-uid"
"""Annotation: the Pod that the claim was created for; counts until `status.pod` is written."""

CHOSEN_BY = f"{GROUP}/chosen-by"
"""Annotation: the process that has last begun to choose among the user's EIPs."""

ADOPT = f"{GROUP}/adopt"
"""Annotation of a claim, by `ipamctl eip adopt`: its EIP is one that TKE's own component has kept."""


_KEPT_ANNOTATIONS = (POD_UID, CARRIED, CONFIRM, ADOPT)


class Phase(Enum):
    """`status.phase`: one word for people; programs read the conditions."""

    PENDING = "Pending"
    PROVISIONED = "Provisioned"
    BOUND = "Bound"
    RELEASING = "Releasing"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPod:
    """`status.pod`: the Pod that may use the EIP now."""

    uid: str
    node: str = ""
    last_seen: float | None = None
    """When it was found to be gone; None while it exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAddress:
    """`status.address`: the EIP. One that is not `owned` was the user's before and is never released."""

    eip_id: str
    public_ip: str
    owned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimBinding:
    """`status.binding`: where the agent of `node` has associated the EIP, or is about to."""

    node: str
    eni_id: str
    private_ip: str
    pod_uid: str = ""
    sandbox: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """`status.allocation`: which order is or was under way; written before the cloud is asked."""

    attempt: int
    """Counts from 1; each has a ClientToken of its own."""
    started: float | None
    """When it was first given; None when the cloud has refused it for certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One EIPClaim as read from the API."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    deleting: bool
    held: bool
    """Whether our finalizer is on it."""
    node: str
    """The node label (`node_labels.label_value` of the node's name)."""
    made_for: str
    """UID of the Pod it was created for; empty when a person made it."""
    request: EipRequest | None
    """None when the spec cannot be used; `problem` says why."""
    problem: str
    pod: ClaimPod | None
    address: ClaimAddress | None
    binding: ClaimBinding | None
    allocation: Allocation | None
    conditions: tuple[Mapping[str, Any], ...]
    has_owner: bool = False
    """Whether it goes when its workload goes."""
    created: float = 0.0
    """Seconds since the epoch; who is older is served first."""
    adopts: bool = False
    """Whether it takes over an EIP that TKE's own component has kept."""
    generation: int = 1
    """Counts the versions of the spec."""
    carried: str | None = None
    """What of the Pod's annotation is in the spec (`change_record.mark_of`); None when nobody has said."""
    confirmed: str = ""
    """The charge type that a person has confirmed."""
    attributes: Mapping[str, Any] | None = None
    """What the EIP was last brought to; None when the claim does not say."""
    change: ChangeRecord | None = None
    """How far a change of the EIP is."""

    @property
    def pod_uid(self) -> str:
        """UID of the Pod incarnation that it serves."""
        return self.pod.uid if self.pod else self.made_for

    @property
    def retained(self) -> bool:
        """Whether it outlives its Pod; a claim that cannot be read is kept on doubt."""
        return self.request is None or self.request.delete_policy is DeletePolicy.NEVER

    @property
    def provisioned_at(self) -> float | None:
        """When its EIP was recorded, as seen in the cloud's list; None when that is not known."""
        provisioned = condition(self.conditions, PROVISIONED)
        if provisioned.get("status") != "True":
            return None
        return timestamps.from_text(fields.text(provisioned.get("lastTransitionTime")))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read(obj: Mapping[str, Any]) -> Claim:
    """Return the claim that an object from the API describes.

    Never fails for what a person may have written.
    """
    metadata, status = obj["metadata"], fields.mapping(obj.get("status"))
    annotations = fields.mapping(metadata.get("annotations"))
    carried, generation = annotations.get(CARRIED), metadata.get("generation")
    problem = ""
    request: EipRequest | None = None
    try:
        request = spec.read(fields.mapping(obj.get("spec")))
    except InvalidInputError as e:
        problem = e.message
    return Claim(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        deleting=bool(metadata.get("deletionTimestamp")),
        held=FINALIZER in (metadata.get("finalizers") or ()),
        node=fields.text(fields.mapping(metadata.get("labels")).get(NODE_LABEL)),
        made_for=fields.text(annotations.get(POD_UID)),
        request=request,
        problem=problem,
        pod=_pod(fields.mapping(status.get("pod"))),
        address=_address(fields.mapping(status.get("address"))),
        binding=_binding(fields.mapping(status.get("binding"))),
        allocation=_allocation(fields.mapping(status.get("allocation"))),
        conditions=tuple(c for c in fields.items(status.get("conditions")) if isinstance(c, Mapping)),
        has_owner=bool(fields.items(metadata.get("ownerReferences"))),
        created=timestamps.from_text(fields.text(metadata.get("creationTimestamp"))) or 0.0,
        adopts=annotations.get(ADOPT) == "true",
        generation=generation if isinstance(generation, int) else 1,
        carried=carried if isinstance(carried, str) else None,
        confirmed=fields.text(annotations.get(CONFIRM)),
        attributes=change_record.read_attributes(status.get("attributes")),
        change=change_record.read(status.get("change")),
    )


def trim(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a claim that `read` and an object cache read: without managedFields above all."""
    return fields.trimmed(
        obj,
        metadata=(
            "namespace",
            "name",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "finalizers",
            "ownerReferences",
        ),
        labels=(NODE_LABEL,),
        annotations=_KEPT_ANNOTATIONS,
    )


def new_object(pod: PodView, request: EipRequest, owner: OwnerRef | None = None) -> dict[str, Any]:
    """Return the body of the claim to create for a Pod; the finalizer is on it from its first moment."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "namespace": pod.ref.namespace,
            "name": pod.ref.name,
            "annotations": {
                POD_UID: pod.ref.uid,
                **({CARRIED: change_record.mark_of(request.order)} if request.order else {}),
            },
            "finalizers": [FINALIZER],
            **({"labels": {NODE_LABEL: label_value(pod.node)}} if pod.node else {}),
            **({"ownerReferences": [owner.reference()]} if owner else {}),
        },
        "spec": spec.write(request),
    }


def condition(conditions: tuple[Mapping[str, Any], ...], kind: str) -> Mapping[str, Any]:
    """Return the condition of a type, empty when it is not there."""
    return next((c for c in conditions if c.get("type") == kind), {})


def _pod(pod: Mapping[str, Any]) -> ClaimPod | None:
    uid = fields.text(pod.get("uid"))
    last_seen = timestamps.from_text(fields.text(pod.get("lastSeen")))
    return ClaimPod(uid=uid, node=fields.text(pod.get("node")), last_seen=last_seen) if uid else None


def _address(address: Mapping[str, Any]) -> ClaimAddress | None:
    eip_id = fields.text(address.get("id"))
    if not eip_id:
        return None
    # Only a clear "true" makes it ours to release.
    return ClaimAddress(
        eip_id=eip_id, public_ip=fields.text(address.get("ip")), owned=address.get("owned") is True
    )


def _binding(binding: Mapping[str, Any]) -> ClaimBinding | None:
    if not binding:
        return None
    return ClaimBinding(
        node=fields.text(binding.get("node")),
        eni_id=fields.text(binding.get("eniID")),
        private_ip=fields.text(binding.get("privateIP")),
        pod_uid=fields.text(binding.get("podUID")),
        sandbox=fields.text(binding.get("sandbox")),
    )


def _allocation(allocation: Mapping[str, Any]) -> Allocation | None:
    attempt = allocation.get("attempt")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        return None
    started = timestamps.from_text(fields.text(allocation.get("startedAt")))
    return Allocation(attempt=attempt, started=started)
