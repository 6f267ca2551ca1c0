"""The VpcIP object: one line of the cluster's book of fixed addresses.

A VpcIP (networking.tke.cloud.tencent.com/v1, of the cluster) is named by the address. The API server makes
only one object of a name, so its creation is what makes an address belong to one claim. Its writer is the
controller. Pure; objects are dicts of JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ipamd.core.claim.eipclaim import GROUP, condition
from ipamd.core.kubernetes import fields
from ipamd.core.kubernetes.annotation_names import EXPIRED_DURATION, PREFIX
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.vpc_ip.spec import TYPE
from ipamd.core.vpc_ip.vpcipclaim import API_VERSION, ASSIGNED, FixedAddress, VpcIpClaim

KIND = "VpcIP"
FINALIZER = f"{GROUP}/vpc-ip"
"""Holds a VpcIP that somebody deletes until its claim is gone."""
CLAIM_UID = f"{GROUP}/vpc-ip-claim-uid"
"""Label: UID of the claim, by which all addresses of a claim are found with one question."""
NODE_NAME = PREFIX + "node-name"
"""Label, TKE's: the node that has the address, as `node_labels` writes it."""


class VpcIpPhase(Enum):
    """`status.phase`; the first two words are TKE's."""

    ATTACHING = "Attaching"
    ASSIGNED = "Assigned"
    AVAILABLE = "Available"
    """It is kept, and at no ENI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcIp:
    """One VpcIP as read from the API."""

    ip: str
    uid: str
    resource_version: str
    deleting: bool = False
    held: bool = False
    """Whether our finalizer is on it."""
    subnet_id: str = ""
    claim_namespace: str = ""
    claim_name: str = ""
    claim_uid: str = ""
    label: str = ""
    """The label CLAIM_UID, by which it is found."""
    node: str = ""
    """The label NODE_NAME."""
    status: Mapping[str, Any]
    """As it is stored."""
    expiry: str = ""
    """The annotation `claim-expired-duration`; it counts before that of the claim."""

    @property
    def ours(self) -> bool:
        """Whether it says which claim it belongs to; TKE's own component makes others."""
        return bool(self.claim_uid)

    def __str__(self) -> str:
        return self.ip


def read(obj: Mapping[str, Any]) -> VpcIp:
    """Return the address that an object from the API describes.

    Never fails for what a person may have written.
    """
    metadata, spec = obj["metadata"], fields.mapping(obj.get("spec"))
    claim, labels = fields.mapping(spec.get("claimRef")), fields.mapping(metadata.get("labels"))
    return VpcIp(
        ip=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        deleting=bool(metadata.get("deletionTimestamp")),
        held=FINALIZER in (metadata.get("finalizers") or ()),
        subnet_id=fields.text(spec.get("subnetID")),
        claim_namespace=fields.text(claim.get("namespace")),
        claim_name=fields.text(claim.get("name")),
        claim_uid=fields.text(claim.get("uid")),
        label=fields.text(labels.get(CLAIM_UID)),
        node=fields.text(labels.get(NODE_NAME)),
        status=fields.mapping(obj.get("status")),
        expiry=fields.text(fields.mapping(metadata.get("annotations")).get(EXPIRED_DURATION)).strip(),
    )


def trim(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts that `read` and an object cache read."""
    return fields.trimmed(
        obj,
        metadata=("name", "uid", "resourceVersion", "deletionTimestamp", "finalizers"),
        labels=(CLAIM_UID, NODE_NAME),
        annotations=(EXPIRED_DURATION,),
    )


def new_object(claim: VpcIpClaim, address: FixedAddress) -> dict[str, Any]:
    """Return the body of the line to write for a claim; the finalizer is on it from its first moment."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": address.ip,
            "labels": {CLAIM_UID: claim.uid},
            "finalizers": [FINALIZER],
        },
        "spec": {
            "type": TYPE,
            "subnetID": address.subnet_id,
            "claimRef": {"namespace": claim.namespace, "name": claim.name, "uid": claim.uid},
        },
    }


def status_of(claim: VpcIpClaim) -> dict[str, Any]:
    """Return the status that the claim's address has by what the claim says; None removes a field."""
    address, binding = claim.address, claim.binding
    assigned = condition(claim.conditions, ASSIGNED).get("status") == "True"
    bound = VpcIpPhase.ASSIGNED if assigned else VpcIpPhase.ATTACHING
    return {
        "phase": (bound if binding else VpcIpPhase.AVAILABLE).value,
        "node": binding.node if binding else None,
        "eniID": binding.eni_id if binding else (address.eni_id or None if address else None),
        "reservationID": (address.reservation_id or None) if address else None,
    }


def status_patch(line: VpcIp, claim: VpcIpClaim) -> dict[str, Any] | None:
    """Return the merge patch of the status subresource that brings the line in step; None when it is."""
    wanted = status_of(claim)
    if all(line.status.get(field) == value for field, value in wanted.items()):
        return None
    return {"metadata": {"resourceVersion": line.resource_version}, "status": wanted}


def label_patch(line: VpcIp, claim: VpcIpClaim) -> dict[str, Any] | None:
    """Return the merge patch of the labels, of claim and node; None when they are right."""
    node = label_value(claim.binding.node) if claim.binding else ""
    if (line.label, line.node) == (claim.uid, node):
        return None
    labels = {CLAIM_UID: claim.uid, NODE_NAME: node or None}
    return {"metadata": {"resourceVersion": line.resource_version, "labels": labels}}
