"""Live looks at what a decision depends on. They change nothing, and an error is never taken for an answer.

Thread safety: any thread may call any method.
"""

from typing import Protocol

from ipamd.controller.cluster import Cluster
from ipamd.controller.eip_listing import EipListing
from ipamd.core import model, nodes, pods, tags
from ipamd.core.claim_facts import LivePod, NodeFate
from ipamd.core.claims import Claim
from ipamd.core.deadline import Deadline
from ipamd.core.errors import CloudError, CloudErrorKind
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import NODES, PODS


class CloudReader(Protocol):
    """What is asked of the cloud without changing it: `TencentCloud`."""

    def describe_eips(self, *, eip_ids: list[str], deadline: Deadline | None = None) -> list[model.Eip]:
        """Return those of the EIPs that exist."""

    def describe_instance(self, instance_id: str, deadline: Deadline | None = None) -> model.Instance:
        """Return the CVM; CloudError NOT_FOUND when there is none."""


class Lookout:
    """Asks API server and cloud."""

    def __init__(self, client: KubeClient, cloud: CloudReader, listing: EipListing, cluster: Cluster) -> None:
        self._client = client
        self._cloud = cloud
        self._listing = listing
        self._cluster = cluster

    def at_pod(self, claim: Claim) -> LivePod:
        """Return the Pod of the claim's name. Errors: KubeError."""
        try:
            return LivePod(pods.view(self._client.get(PODS, claim.name, claim.namespace)))
        except errors.NotFoundError:
            return LivePod(None)

    def at_node(self, name: str) -> NodeFate:
        """Return whether the node is gone for certain: its Node object, or the CVM of one that is not ready.

        Errors: KubeError, CloudError.
        """
        cached = self._cluster.node(name)
        if cached and cached.ready:
            return NodeFate.ALIVE
        try:
            node = nodes.view(self._client.get(NODES, name))
        except errors.NotFoundError:
            return NodeFate.GONE
        if node.ready or not node.instance_id:
            return NodeFate.ALIVE
        try:
            self._cloud.describe_instance(node.instance_id)
        except CloudError as e:
            if e.kind is not CloudErrorKind.NOT_FOUND:
                raise
            return NodeFate.GONE
        return NodeFate.ALIVE

    def at_cloud(self, claim: Claim, ordered: str) -> tuple[model.Eip, ...]:
        """Return the EIPs that carry the claim's UID, and those whose ids are known, tagged or not.

        Errors: CloudError.
        """
        found = {eip.eip_id: eip for eip in self._listing.look() if eip.tags.get(tags.CLAIM_UID) == claim.uid}
        known = {claim.address.eip_id if claim.address else "", ordered} - {"", *found}
        if known:
            for eip in self._cloud.describe_eips(eip_ids=sorted(known)):
                found[eip.eip_id] = eip
        return tuple(found.values())
