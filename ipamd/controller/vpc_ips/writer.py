"""VpcIPClaim and VpcIP objects on the API: created, labelled, held, deleted; and their status.

Each write of an existing object carries the resourceVersion that it was decided on, or the UID. A conflict is
raised to the caller, who reads again and decides anew.
Thread safety: any thread may call any method.
"""

import contextlib
from typing import Any

from ipamd.core.annotations.vpc_ip import VpcIpRequest
from ipamd.core.claim.eipclaim import NODE_LABEL
from ipamd.core.kubernetes.node_labels import label_value
from ipamd.core.kubernetes.owners import OwnerRef
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.vpc_ip import vpcip, vpcipclaim
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import FixedAddress, VpcIpClaim
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import VPCIPCLAIMS, VPCIPS, Resource


class VpcIpWriter:
    """The only writer of both kinds in the controller. All methods raise KubeError."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    def read(self, namespace: str, name: str) -> VpcIpClaim | None:
        """Return the claim live, None when there is none."""
        try:
            return vpcipclaim.read(self._client.get(VPCIPCLAIMS, name, namespace))
        except errors.NotFoundError:
            return None

    def create(self, pod: PodView, request: VpcIpRequest, owner: OwnerRef | None = None) -> VpcIpClaim:
        """Create the claim of a Pod; AlreadyExistsError when there is one of the name."""
        return vpcipclaim.read(self._client.create(VPCIPCLAIMS, vpcipclaim.new_object(pod, request, owner)))

    def write_status(self, claim: VpcIpClaim, patch: dict[str, Any]) -> VpcIpClaim:
        """Apply a patch of `core.vpc_ip.status` and return the claim as stored."""
        return vpcipclaim.read(
            self._client.patch(VPCIPCLAIMS, claim.name, patch, claim.namespace, subresource="status")
        )

    def label(self, claim: VpcIpClaim, node: str) -> VpcIpClaim:
        """Set the node label; empty removes it."""
        return self._write_metadata(claim, {"labels": {NODE_LABEL: label_value(node) or None}})

    def belong_to(self, claim: VpcIpClaim, owner: OwnerRef) -> VpcIpClaim:
        """Let the claim, which has no owner, be deleted with this one."""
        return self._write_metadata(claim, {"ownerReferences": [owner.reference()]})

    def hold(self, claim: VpcIpClaim) -> VpcIpClaim:
        """Put our finalizer on the claim, and what it is in words that every CRD keeps."""
        names = self._finalizers(VPCIPCLAIMS, claim.name, claim.namespace, claim.resource_version)
        held = {"finalizers": [*names, vpcipclaim.FINALIZER]}
        return self._write_metadata(claim, held | vpcipclaim.network_mark(exclusive=claim.exclusive))

    def let_go(self, claim: VpcIpClaim) -> None:
        """Take our finalizer off the claim; with the last one it is gone."""
        names = self._finalizers(VPCIPCLAIMS, claim.name, claim.namespace, claim.resource_version)
        others = [name for name in names if name != vpcipclaim.FINALIZER]
        self._write_metadata(claim, {"finalizers": others})

    def delete(self, claim: VpcIpClaim) -> None:
        """Delete this very claim, unless it changed since it was read."""
        self._client.delete(
            VPCIPCLAIMS, claim.name, claim.namespace, uid=claim.uid, resource_version=claim.resource_version
        )

    def enter(self, claim: VpcIpClaim, address: FixedAddress) -> VpcIp:
        """Write the address into the book for the claim; return the line, which may be another claim's."""
        try:
            return vpcip.read(self._client.create(VPCIPS, vpcip.new_object(claim, address)))
        except errors.AlreadyExistsError:
            return vpcip.read(self._client.get(VPCIPS, address.ip))

    def sync(self, line: VpcIp, claim: VpcIpClaim) -> None:
        """Bring status and label of a line in step with its claim, if it is (still) this claim's.

        The line may be a copy that is behind: a conflict has it read live.
        """
        try:
            self._sync(line, claim)
        except errors.ConflictError:
            newest = vpcip.read(self._client.get(VPCIPS, line.ip))
            if newest.claim_uid == claim.uid:
                self._sync(newest, claim)

    def _sync(self, line: VpcIp, claim: VpcIpClaim) -> None:
        patch = vpcip.status_patch(line, claim)
        if patch:
            line = vpcip.read(self._client.patch(VPCIPS, line.ip, patch, subresource="status"))
        label = vpcip.label_patch(line, claim)
        if label:
            self._client.patch(VPCIPS, line.ip, label)

    def strike(self, line: VpcIp) -> None:
        """Take this very line out of the book, whoever has deleted it; one that is gone is a success."""
        with contextlib.suppress(errors.NotFoundError):
            if not line.deleting:
                self._client.delete(VPCIPS, line.ip, uid=line.uid)
            obj = self._client.get(VPCIPS, line.ip)
            metadata = obj["metadata"]
            if metadata.get("uid") != line.uid:
                return
            others = [name for name in metadata.get("finalizers") or () if name != vpcip.FINALIZER]
            version = metadata["resourceVersion"]
            self._client.patch(
                VPCIPS, line.ip, {"metadata": {"resourceVersion": version, "finalizers": others}}
            )

    def _finalizers(self, resource: Resource, name: str, namespace: str, version: str) -> list[str]:
        """Return an object's finalizers; they are of the state that the next write's version names."""
        metadata = self._client.get(resource, name, namespace)["metadata"]
        if metadata["resourceVersion"] != version:
            raise errors.ConflictError(f"{resource.title(namespace, name)} has changed since it was read")
        return list(metadata.get("finalizers") or ())

    def _write_metadata(self, claim: VpcIpClaim, changes: dict[str, Any]) -> VpcIpClaim:
        body = {"metadata": {"resourceVersion": claim.resource_version, **changes}}
        return vpcipclaim.read(self._client.patch(VPCIPCLAIMS, claim.name, body, claim.namespace))
