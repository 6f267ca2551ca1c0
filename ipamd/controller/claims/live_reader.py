"""Live looks at what a decision depends on. They change nothing, and an error is never taken for an answer.

Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ipamd.cloud.tasks import TaskState
from ipamd.controller.claims.absences import Absences
from ipamd.controller.claims.cluster import ClusterView
from ipamd.controller.claims.eip_listing import EipListing
from ipamd.controller.claims.owners import Owners
from ipamd.core import model, tags
from ipamd.core.annotations.eip_selector import EipSelector
from ipamd.core.claim import eipclaim
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.claim.facts import LivePod, NodeState
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.eip_pool import eippool
from ipamd.core.eip_pool.eippool import EipPool
from ipamd.core.kubernetes import nodes, pods
from ipamd.core.kubernetes.owners import Workload
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing.deadline import Deadline
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import EIPCLAIMS, EIPPOOLS, NODES, PODS

log = logging.getLogger(__name__)

LOST_AFTER = 60.0
"""Seconds for which a node that is not ready is taken for one that comes back."""


class LiveCloud(Protocol):
    """What is asked of the cloud without changing it: `TencentCloud`."""

    def describe_eips(
        self,
        *,
        eip_ids: Sequence[str] | None = None,
        tags: Mapping[str, str | Sequence[str]] | None = None,
        name: str | None = None,
        public_ips: Sequence[str] | None = None,
        deadline: Deadline | None = None,
    ) -> list[model.Eip]:
        """Return the EIPs of these ids, tags, public IPs or this name: one of these."""

    def describe_eip_task(self, task_id: str, deadline: Deadline | None = None) -> TaskState:
        """Return how far an accepted write has come."""

    def describe_instance(self, instance_id: str, deadline: Deadline | None = None) -> model.Instance:
        """Return the CVM; CloudError NOT_FOUND when there is none."""


class LiveReader:
    """Asks API server and cloud."""

    def __init__(
        self,
        client: KubeClient,
        cloud: LiveCloud,
        eips: EipListing,
        cluster: ClusterView,
        *,
        outages: Absences,
    ) -> None:
        """Take whom to ask, and what knows for how long nodes have been seen not to be ready."""
        self._client = client
        self._cloud = cloud
        self._eips = eips
        self._cluster_id = eips.cluster_id
        self._cluster = cluster
        self._owners = Owners(client)
        self._outages = outages

    def at_pod(self, claim: Claim) -> LivePod:
        """Return the Pod of the claim's name. Raises: KubeError."""
        try:
            return LivePod(pods.view(self._client.get(PODS, claim.name, claim.namespace)))
        except errors.NotFoundError:
            return LivePod(None)

    def at_node(self, name: str) -> NodeState:
        """Return whether the node is gone for certain: its Node object, or the CVM of one that is not ready.

        One that this process has seen not to be ready for LOST_AFTER seconds, and whose CVM exists or is not
        known, is lost.
        Raises: KubeError, CloudError.
        """
        cached = self._cluster.node(name)
        if cached and cached.ready:
            return NodeState.ALIVE
        try:
            node = nodes.view(self._client.get(NODES, name))
        except errors.NotFoundError:
            return NodeState.GONE
        if node.ready:
            return NodeState.ALIVE
        if node.instance_id and not self._cvm_exists(node.instance_id):
            return NodeState.GONE
        lasts = self._outages.looked(("", name), node.outage, absent=bool(node.outage))
        return NodeState.LOST if lasts >= LOST_AFTER else NodeState.ALIVE

    def at_owners(self, pod: PodView) -> Workload:
        """Return the workload that the Pod belongs to. Raises: KubeError."""
        return self._owners.workload_of(pod)

    def at_claims(self) -> list[Claim]:
        """Return all claims of the cluster. Raises: KubeError."""
        return [eipclaim.read(obj) for obj in self._client.list(EIPCLAIMS).items]

    def at_holders(self, eip_ids: Iterable[str]) -> dict[str, list[Claim]]:
        """Return which claims have the EIPs, as the watch last told."""
        return {eip_id: self._cluster.holders(eip_id) for eip_id in eip_ids}

    def may_hold(self, claim: Claim, eip_id: str) -> bool:
        """Whether this incarnation of the claim exists and records no other EIP, as the watch last told."""
        shown = self._cluster.claim((claim.namespace, claim.name))
        if shown is None or shown.uid != claim.uid:
            return False
        return shown.address is None or shown.address.eip_id == eip_id

    def at_eips(self, eip_ids: tuple[str, ...]) -> dict[str, model.Eip]:
        """Return those of the EIPs that exist, by id. Raises: CloudError."""
        return {eip.eip_id: eip for eip in self._cloud.describe_eips(eip_ids=list(eip_ids))}

    def at_selected(self, selector: EipSelector) -> dict[str, model.Eip]:
        """Return the EIPs that are selected, by id. Raises: CloudError."""
        if selector.tags:
            found = self._cloud.describe_eips(tags=dict(selector.tags))
        elif selector.public_ips:
            found = self._cloud.describe_eips(public_ips=list(selector.public_ips))
        else:
            found = [eip for name in selector.names for eip in self._cloud.describe_eips(name=name)]
        return {eip.eip_id: eip for eip in found}

    def at_pool(self, name: str) -> EipPool | None:
        """Return the EIPPool, None when there is none. Raises: KubeError."""
        try:
            return eippool.read(self._client.get(EIPPOOLS, name))
        except errors.NotFoundError:
            return None

    def at_members(self, pool: EipPool) -> dict[str, model.Eip]:
        """Return the EIPs that claims may have of the pool: without those on their way out.

        Raises: CloudError.
        """
        found = self.at_all_of(pool)
        return {eip_id: eip for eip_id, eip in found.items() if eip_id not in pool.releasing}

    def at_all_of(self, pool: EipPool) -> dict[str, model.Eip]:
        """Return the EIPs of the pool, by id. Raises: CloudError."""
        spec = pool.spec
        if spec is not None and spec.address_ids:
            return self.at_eips(spec.address_ids)
        if spec is not None and spec.selector is not None:
            return self.at_selected(spec.selector)
        created = self._cloud.describe_eips(tags=tags.of_pool(self._cluster_id, pool.uid))
        return {eip.eip_id: eip for eip in created}

    def line(self, pool: str) -> list[Claim]:
        """Return the claims that wait for an EIP of the pool, as the watch last told."""
        return self._cluster.line(pool)

    def at_order(self, order: model.AcceptedOrder) -> TaskState:
        """Return what is known of the order's task; UNKNOWN where the cloud does not say."""
        try:
            return self._cloud.describe_eip_task(order.task_id)
        except CloudError as e:
            log.debug("what became of the order of %s is not known: %s", order.eip_id, e)
            return TaskState.UNKNOWN

    def at_cloud(
        self,
        claim: Claim,
        ordered: str,
        *,
        shown_by_tag: frozenset[str] = frozenset(),
        by_id: bool = False,
        claims_due: int = 1,
    ) -> tuple[model.Eip, ...]:
        """Return the EIPs that carry the claim's UID, and those whose ids are known, tagged or not.

        Those that are known to be tagged need not be asked for by their ids; with `by_id` none by their tags.
        Of an order whose answer is not known the EIP may have no tag: it is asked for by its name.
        `claims_due` is how many claims are looked at just now, this one included.

        Raises: CloudError.
        """
        known = {claim.address.eip_id if claim.address else "", ordered} - {""}
        begun = claim.allocation is not None and claim.allocation.started is not None
        name = tags.name_of(claim.namespace, claim.name, claim.uid) if begun and not known else ""
        return self._eips.look(
            claim.uid, frozenset(known - shown_by_tag), name=name, by_tag=not by_id, claims_due=claims_due
        )

    def _cvm_exists(self, instance_id: str) -> bool:
        try:
            self._cloud.describe_instance(instance_id)
        except CloudError as e:
            if e.kind is not CloudErrorKind.NOT_FOUND:
                raise
            return False
        return True
