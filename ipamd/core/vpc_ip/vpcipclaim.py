"""The VpcIPClaim object: what stands in it, and how a new one looks.

A VpcIPClaim (networking.tke.cloud.tencent.com/v1, namespaced, named like its Pod) is the record of a private
address that belongs to a Pod's name, from the first intent until it is given back. Its fields have one writer
each: `status.binding`, `status.assignedIP` and the condition Assigned are the agent's of the node, all else
is the controller's. This module only reads objects and names fields; what is written is in `status.py`.
Pure; objects are dicts of JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipamd.core.annotations import networks
from ipamd.core.annotations.vpc_ip import VpcIpPolicy, VpcIpRequest
from ipamd.core.claim.eipclaim import GROUP, NODE_LABEL, ClaimPod
from ipamd.core.errors import InvalidInputError
from ipamd.core.kubernetes import fields
from ipamd.core.kubernetes.annotation_names import EXPIRED_DURATION
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing import timestamps
from ipamd.core.vpc_ip import spec

API_VERSION = f"{GROUP}/v1"
KIND = "VpcIPClaim"
CRD = f"vpcipclaims.{GROUP}"
FINALIZER = f"{GROUP}/vpc-ip"
"""Holds a deleted claim until its address is at no ENI and not reserved any more."""
POD_UID = f"{GROUP}/pod-uid"
"""Annotation: the Pod that the claim was created for; counts until `status.pod` is written."""
NETWORK = f"{GROUP}/network"
"""Annotation: what `spec.network` was written as. An API server whose CRD is of an earlier release drops the
field without a word, also from a stored claim, and keeps annotations."""
PROVISIONED = "Provisioned"
"""Condition: the claim has an address; the controller's."""
RESERVED = "Reserved"
"""Condition: the VPC itself keeps the address for us; the controller's."""
ASSIGNED = "Assigned"
"""Condition: the address is at an ENI of the Pod's node; the agent's."""
READY = "Ready"
"""Condition: the Pod can have its address; a summary, written by whoever writes one of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedAddress:
    """`status.address`: the address that is the claim's."""

    ip: str
    subnet_id: str
    zone: str = ""
    reservation_id: str = ""
    """Of the VPC; empty when its own ENI keeps the address, or only the cluster's own book (VpcIP)."""
    eni_id: str = ""
    """The ENI that is the claim's with the address (`tke-direct-eni`); empty for one on shared ENIs."""

    @property
    def is_reserved(self) -> bool:
        """Whether the VPC keeps it from everybody else: by a reservation, or as its own ENI's."""
        return bool(self.reservation_id or self.eni_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBinding:
    """`status.binding`: where the agent of `node` has assigned the address, or is about to."""

    node: str
    eni_id: str
    pod_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressOrder:
    """`status.allocation`: what was asked of the cloud last; written before it is asked.

    A repeat with the same attempt asks for the very same, so that its ClientToken means the same.
    """

    attempt: int
    """Counts from 1; each has a ClientToken of its own."""
    subnet_id: str = ""
    ip: str = ""
    """The very address that was asked for; empty for any."""
    started: float | None = None
    """When it was first asked; None when nothing of it is to come any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcIpClaim:
    """One VpcIPClaim as read from the API."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    deleting: bool = False
    held: bool = False
    """Whether our finalizer is on it."""
    node: str = ""
    """The node label (`node_labels.label_value` of the node's name)."""
    made_for: str = ""
    """UID of the Pod it was created for; empty when a person made it."""
    request: VpcIpRequest | None = None
    """None when the spec cannot be used; `problem` says why."""
    problem: str = ""
    exclusive: bool = False
    """Whether the claim is of an ENI of the Pod's own; also while its spec cannot be used."""
    pod: ClaimPod | None = None
    address: FixedAddress | None = None
    assigned_ip: str = ""
    """The address that was last at an ENI for it: one that a Pod has had is never replaced by another."""
    refused_ips: tuple[str, ...] = ()
    """Addresses that turned out to be somebody else's: none of them is chosen again."""
    binding: AddressBinding | None = None
    allocation: AddressOrder = AddressOrder(attempt=0)
    conditions: tuple[Mapping[str, Any], ...] = ()
    has_owner: bool = False
    """Whether it goes when its workload goes."""
    created: float = 0.0
    """Seconds since the epoch."""
    expiry: str = ""
    """The annotation `claim-expired-duration` of the claim itself; it counts before the spec."""

    @property
    def pod_uid(self) -> str:
        """UID of the Pod incarnation that it serves."""
        return self.pod.uid if self.pod else self.made_for

    @property
    def retained(self) -> bool:
        """Whether it outlives its Pod; a claim that cannot be read is kept on doubt."""
        return self.request is None or self.request.delete_policy is VpcIpPolicy.NEVER

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def read(obj: Mapping[str, Any]) -> VpcIpClaim:
    """Return the claim that an object from the API describes.

    Never fails for what a person may have written.
    """
    metadata, status = obj["metadata"], fields.mapping(obj.get("status"))
    annotations = fields.mapping(metadata.get("annotations"))
    request, problem = None, ""
    try:
        request = spec.read(fields.mapping(obj.get("spec")))
    except InvalidInputError as e:
        problem = f"VpcIPClaim {metadata.get('namespace', '')}/{metadata['name']}: {e.message}"
    address = _address(fields.mapping(status.get("address")))
    written = fields.text(annotations.get(NETWORK)) == networks.DIRECT_ENI
    exclusive = written or (request is not None and request.exclusive) or bool(address and address.eni_id)
    if exclusive and request is not None and not request.exclusive:
        request, problem = None, _lost_network(metadata)
    return VpcIpClaim(
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
        exclusive=exclusive,
        pod=_pod(fields.mapping(status.get("pod"))),
        address=address,
        assigned_ip=fields.text(status.get("assignedIP")),
        refused_ips=tuple(ip for ip in fields.items(status.get("refusedIPs")) if isinstance(ip, str)),
        binding=_binding(fields.mapping(status.get("binding"))),
        allocation=_allocation(fields.mapping(status.get("allocation"))),
        conditions=tuple(c for c in fields.items(status.get("conditions")) if isinstance(c, Mapping)),
        has_owner=bool(fields.items(metadata.get("ownerReferences"))),
        created=timestamps.from_text(fields.text(metadata.get("creationTimestamp"))) or 0.0,
        expiry=fields.text(annotations.get(EXPIRED_DURATION)).strip(),
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
            "deletionTimestamp",
            "finalizers",
            "ownerReferences",
        ),
        labels=(NODE_LABEL,),
        annotations=(POD_UID, NETWORK, EXPIRED_DURATION),
    )


def new_object(pod: PodView, request: VpcIpRequest, owner: OwnerRef | None = None) -> dict[str, Any]:
    """Return the body of the claim to create for a Pod; the finalizer is on it from its first moment."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "namespace": pod.ref.namespace,
            "name": pod.ref.name,
            "annotations": {
                POD_UID: pod.ref.uid,
                **network_mark(exclusive=request.exclusive).get("annotations", {}),
            },
            "finalizers": [FINALIZER],
            **({"labels": {NODE_LABEL: label_value(pod.node)}} if pod.node else {}),
            **({"ownerReferences": [owner.reference()]} if owner else {}),
        },
        "spec": spec.write(request),
    }


def network_mark(*, exclusive: bool) -> dict[str, Any]:
    """Return the metadata by which the network of a claim is known whatever its CRD keeps."""
    return {"annotations": {NETWORK: networks.DIRECT_ENI}} if exclusive else {}


def _lost_network(metadata: Mapping[str, Any]) -> str:
    namespace, name = metadata.get("namespace", ""), metadata["name"]
    return (
        f"VpcIPClaim {namespace}/{name}: spec.network is not "
        f"{networks.DIRECT_ENI}, with which the claim was made: the CustomResourceDefinition {CRD} of this "
        "cluster is of an earlier release and drops the field; apply deploy/crd-vpcipclaim.yaml, which does "
        f"not bring the field back, and then run kubectl delete vipc {name} -n {namespace}, so that the "
        "claim is made anew"
    )


def _pod(pod: Mapping[str, Any]) -> ClaimPod | None:
    uid = fields.text(pod.get("uid"))
    last_seen = timestamps.from_text(fields.text(pod.get("lastSeen")))
    return ClaimPod(uid=uid, node=fields.text(pod.get("node")), last_seen=last_seen) if uid else None


def _address(address: Mapping[str, Any]) -> FixedAddress | None:
    ip = fields.text(address.get("ip"))
    if not ip:
        return None
    return FixedAddress(
        ip=ip,
        subnet_id=fields.text(address.get("subnetID")),
        zone=fields.text(address.get("zone")),
        reservation_id=fields.text(address.get("reservationID")),
        eni_id=fields.text(address.get("eniID")),
    )


def _binding(binding: Mapping[str, Any]) -> AddressBinding | None:
    if not binding:
        return None
    return AddressBinding(
        node=fields.text(binding.get("node")),
        eni_id=fields.text(binding.get("eniID")),
        pod_uid=fields.text(binding.get("podUID")),
    )


def _allocation(allocation: Mapping[str, Any]) -> AddressOrder:
    attempt = allocation.get("attempt")
    if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        return AddressOrder(attempt=0)
    return AddressOrder(
        attempt=attempt,
        subnet_id=fields.text(allocation.get("subnetID")),
        ip=fields.text(allocation.get("ip")),
        started=timestamps.from_text(fields.text(allocation.get("startedAt"))),
    )
