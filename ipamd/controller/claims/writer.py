"""EIPClaim objects on the API: created, labelled, held, deleted; and their status, never over a newer one.

Each write of an existing claim carries the resourceVersion that it was decided on, or the UID. A conflict is
raised to the caller, who reads again and decides anew.
Thread safety: any thread may call any method.
"""

from typing import Any

from ipamd.core.annotations.eip import EipRequest
from ipamd.core.claim import change_record, eipclaim, spec
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.model import EipOrder
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EIPCLAIMS


class ClaimWriter:
    """The only writer of claims in the controller. All methods raise KubeError."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def read(self, namespace: str, name: str) -> Claim | None:
        """Return the claim live, None when there is none."""
        try:
            return eipclaim.read(self._client.get(EIPCLAIMS, name, namespace))
        except errors.NotFoundError:
            return None

    def create(self, pod: PodView, request: EipRequest, owner: OwnerRef | None = None) -> Claim:
        """Create the claim of a Pod; AlreadyExistsError when there is one of the name."""
        return eipclaim.read(self._client.create(EIPCLAIMS, eipclaim.new_object(pod, request, owner)))

    def write_status(self, claim: Claim, patch: dict[str, Any]) -> Claim:
        """Apply a patch of `claim_status` and return the claim as stored."""
        return eipclaim.read(
            self._client.patch(EIPCLAIMS, claim.name, patch, claim.namespace, subresource="status")
        )

    def label(self, claim: Claim, node: str) -> Claim:
        """Set the node label; empty removes it."""
        return self._write_metadata(claim, {"labels": {eipclaim.NODE_LABEL: label_value(node) or None}})

    def belong_to(self, claim: Claim, owner: OwnerRef) -> Claim:
        """Let the claim, which has no owner, be deleted with this one."""
        return self._write_metadata(claim, {"ownerReferences": [owner.reference()]})

    def stamp(self, claim: Claim, term: str) -> Claim:
        """Change the claim in nothing but its version and the word of who did so."""
        return self._write_metadata(claim, {"annotations": {eipclaim.CHOSEN_BY: term}})

    def carry(self, claim: Claim, order: EipOrder | None, mark: str) -> Claim:
        """Write the order into the spec, and what it was made from; None leaves the spec as it is."""
        body = {
            "metadata": {
                "resourceVersion": claim.resource_version,
                "annotations": {change_record.CARRIED: mark},
            },
            **({"spec": spec.attributes_patch(order)} if order else {}),
        }
        return eipclaim.read(self._client.patch(EIPCLAIMS, claim.name, body, claim.namespace))

    def unconfirm(self, claim: Claim) -> Claim:
        """Remove the confirmation of a change: it holds for one."""
        return self._write_metadata(claim, {"annotations": {change_record.CONFIRM: None}})

    def hold(self, claim: Claim) -> Claim:
        """Put our finalizer on the claim."""
        finalizers = self._finalizers(claim)
        return self._write_metadata(claim, {"finalizers": [*finalizers, eipclaim.FINALIZER]})

    def let_go(self, claim: Claim) -> None:
        """Take our finalizer off the claim; with the last one it is gone."""
        others = [name for name in self._finalizers(claim) if name != eipclaim.FINALIZER]
        self._write_metadata(claim, {"finalizers": others})

    def delete(self, claim: Claim) -> None:
        """Delete this very claim, unless it changed since it was read."""
        self._client.delete(
            EIPCLAIMS, claim.name, claim.namespace, uid=claim.uid, resource_version=claim.resource_version
        )

    def _finalizers(self, claim: Claim) -> list[str]:
        """Return the finalizers of the claim; they are of the state that the next write's version names."""
        obj = self._client.get(EIPCLAIMS, claim.name, claim.namespace)
        if obj["metadata"]["resourceVersion"] != claim.resource_version:
            raise errors.ConflictError(f"EIPClaim {claim} has changed since it was read")
        return list(obj["metadata"].get("finalizers") or ())

    def _write_metadata(self, claim: Claim, changes: dict[str, Any]) -> Claim:
        body = {"metadata": {"resourceVersion": claim.resource_version, **changes}}
        return eipclaim.read(self._client.patch(EIPCLAIMS, claim.name, body, claim.namespace))
