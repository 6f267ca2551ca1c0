"""Live looks at what a decision about a fixed address depends on. They change nothing.

An error is never taken for an answer, but for one: where the VPC says that it keeps no addresses for us (not
offered, not allowed), that is what it says.
Thread safety: any thread may call any method.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ipamd.controller.claims.live_reader import LiveReader
from ipamd.core import model, tags
from ipamd.core.claim.facts import LivePod, NodeState
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.failure_meanings.failures import reservation_refusal
from ipamd.core.kubernetes import pods
from ipamd.core.kubernetes.node_labels import labelled_subnets
from ipamd.core.kubernetes.owners import Workload
from ipamd.core.kubernetes.pods import PodView
from ipamd.core.timing.deadline import Deadline
from ipamd.core.vpc_ip import choice, vpcip, vpcipclaim
from ipamd.core.vpc_ip.actions import LookAtUse
from ipamd.core.vpc_ip.facts import AddressHolder, VpcIpFacts
from ipamd.core.vpc_ip.vpcip import VpcIp
from ipamd.core.vpc_ip.vpcipclaim import VpcIpClaim
from ipamd.kube import errors
from ipamd.kube.client import KubeClient
from ipamd.kube.resources import PODS, VPCIPCLAIMS, VPCIPS

log = logging.getLogger(__name__)

_AT_ONCE = 100
"""Addresses of which one question asks who has them (DescribeUsedIpAddress)."""
_MOST_LOOKS = 10
"""Questions until a subnet counts as full."""
_NOBODY = AddressHolder(place="")


class AddressCloud(Protocol):
    """What is asked of the cloud about private addresses: `TencentCloud`. All methods raise CloudError."""

    def describe_subnets(
        self, subnet_ids: Sequence[str], deadline: Deadline | None = None
    ) -> list[model.Subnet]:
        """Return those of the subnets that exist."""

    def find_subnets(
        self, vpc_id: str, tags: dict[str, str], cidr: str, deadline: Deadline | None = None
    ) -> list[model.Subnet]:
        """Return the subnets of the VPC with these tags and this range; empty: any."""

    def describe_reservations(
        self,
        *,
        tags: dict[str, str] | None = None,
        ips: Sequence[str] | None = None,
        vpc_id: str = "",
        deadline: Deadline | None = None,
    ) -> list[model.Reservation]:
        """Return the reservations with all of these tags, or of these addresses in the VPC."""

    def describe_used_ips(
        self, vpc_id: str, subnet_id: str, ips: Sequence[str], deadline: Deadline | None = None
    ) -> dict[str, model.OccupiedAddress]:
        """Return which of these addresses of the subnet something has, and what."""

    def find_enis(self, tags: Mapping[str, str], deadline: Deadline | None = None) -> list[model.Eni]:
        """Return the ENIs with all of these tags, attached or not."""

    def describe_eni(self, eni_id: str, deadline: Deadline | None = None) -> model.Eni | None:
        """Return one ENI, None when there is none."""


class VpcIpLiveReader:
    """Asks API server and cloud."""

    def __init__(
        self, client: KubeClient, cloud: AddressCloud, cluster_id: str, *, nodes: LiveReader
    ) -> None:
        """Take whom to ask, and who looks at nodes and workloads for claims of all kinds."""
        self._client = client
        self._cloud = cloud
        self._nodes = nodes
        self._cluster_id = cluster_id

    def at_pod(self, claim: VpcIpClaim) -> LivePod:
        """Return the Pod of the claim's name. Raises: KubeError."""
        try:
            return LivePod(pods.view(self._client.get(PODS, claim.name, claim.namespace)))
        except errors.NotFoundError:
            return LivePod(None)

    def at_node(self, name: str) -> NodeState:
        """Return whether the node is gone for certain. Raises: KubeError, CloudError."""
        return self._nodes.at_node(name)

    def at_owners(self, pod: PodView) -> Workload:
        """Return the workload that the Pod belongs to. Raises: KubeError."""
        return self._nodes.at_owners(pod)

    def claims(self) -> list[VpcIpClaim]:
        """Return all claims of the cluster. Raises: KubeError."""
        return [vpcipclaim.read(obj) for obj in self._client.list(VPCIPCLAIMS).items]

    def lines_of(self, claim_uid: str) -> tuple[VpcIp, ...]:
        """Return the lines of the book that belong to a claim. Raises: KubeError."""
        found = self._client.list(VPCIPS, label_selector=f"{vpcip.CLAIM_UID}={claim_uid}").items
        return tuple(line for line in map(vpcip.read, found) if line.claim_uid == claim_uid)

    def at_all_reservations(self) -> list[model.Reservation] | None:
        """Return the reservations of the cluster, None where the VPC shows none. Raises: CloudError."""
        try:
            return self._cloud.describe_reservations(tags={tags.CLUSTER_ID: self._cluster_id})
        except CloudError as e:
            if reservation_refusal(e) is None:
                raise
            log.debug("reservations cannot be listed: %s", e)
            return None

    def at_reservation(self, vpc_id: str, ip: str, reservation_id: str) -> model.Reservation | None:
        """Return a reservation as it is now, None when it is gone. Raises: CloudError."""
        shown = self._cloud.describe_reservations(ips=[ip], vpc_id=vpc_id)
        return next((one for one in shown if one.reservation_id == reservation_id), None)

    def at_reservations(self, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Look at the reservations of the claim: by its tag, as a crash may have hidden them.

        Raises: CloudError.
        """
        try:
            wanted = tags.of_vpc_ip_claim(self._cluster_id, claim.uid)
            found = self._cloud.describe_reservations(tags=wanted)
            if _records_another(claim, found):
                found += self.at_recorded(claim)
        except CloudError as e:
            refusal = reservation_refusal(e)
            if refusal is None:
                raise
            return replace(facts, refusal=refusal)
        return replace(facts, reservations=tuple(found))

    def at_recorded(self, claim: VpcIpClaim) -> list[model.Reservation]:
        """Return the reservation that the claim records, whatever its tags are: people remove tags.

        Raises: CloudError.
        """
        address = claim.address
        if address is None or not address.reservation_id:
            return []
        subnet = self._subnet(address.subnet_id)
        if subnet is None:
            return []
        found = self.at_reservation(subnet.vpc_id, address.ip, address.reservation_id)
        return [found] if found is not None else []

    def at_all_enis(self) -> list[model.Eni]:
        """Return the ENIs of the cluster that were made for claims. Raises: CloudError."""
        listed = self._cloud.find_enis({tags.CLUSTER_ID: self._cluster_id})
        return [eni for eni in listed if tags.VPC_IP_CLAIM_UID in eni.tags]

    def at_eni(self, eni_id: str) -> model.Eni | None:
        """Return an ENI as it is now, None when it is gone. Raises: CloudError."""
        return self._cloud.describe_eni(eni_id)

    def at_enis(self, claim: VpcIpClaim) -> tuple[model.Eni, ...]:
        """Return the ENIs that were made for the claim alone: by its tag, as a crash may have hidden them.

        Those that the claim records are among them whatever their tags are: people remove tags.
        Raises: CloudError.
        """
        found = {
            eni.eni_id: eni
            for eni in self._cloud.find_enis(tags.of_vpc_ip_claim(self._cluster_id, claim.uid))
        }
        recorded = {
            claim.address.eni_id if claim.address else "",
            claim.binding.eni_id if claim.binding else "",
        }
        for eni_id in sorted(recorded - found.keys() - {""}):
            eni = self._cloud.describe_eni(eni_id)
            if eni is not None and eni.tags.get(tags.VPC_IP_CLAIM_UID, claim.uid) == claim.uid:
                found[eni_id] = eni
        return tuple(found.values())

    def at_subnets(self, claim: VpcIpClaim, facts: VpcIpFacts) -> VpcIpFacts:
        """Look at the subnets in which the claim may have its address. Raises: CloudError."""
        nodes_own = self._cloud.describe_subnets(labelled_subnets(facts.node.labels) if facts.node else ())
        own = next(iter(nodes_own), None)
        if own is None:
            return replace(facts, subnets=())
        found, request = nodes_own, claim.request
        if request and request.subnet_ids:
            found = self._cloud.describe_subnets(request.subnet_ids)
        elif request and request.nominated_ip:
            found = self._cloud.find_subnets(own.vpc_id, {}, "")
        if request and request.nominated_ip:
            its = choice.subnet_with(found, request.nominated_ip)
            found = [its] if its else []
        return replace(facts, subnets=tuple(found), node_zone=own.zone)

    def find_address(self, subnet: model.Subnet, taken: Collection[str]) -> str:
        """Return an address of the subnet that nobody has now, "" when none is found. Raises: CloudError."""
        batches = choice.by_number(choice.candidates(subnet, taken), _AT_ONCE)
        for _, batch in zip(range(_MOST_LOOKS), batches, strict=False):
            used = self._cloud.describe_used_ips(subnet.vpc_id, subnet.subnet_id, batch)
            free = next((ip for ip in batch if ip not in used), "")
            if free:
                return free
        return ""

    def at_use(self, action: LookAtUse) -> AddressHolder:
        """Return who has an address: by the ENI that should, or by what the VPC says. Raises: CloudError."""
        if action.eni_id:
            return self._at_eni(action.eni_id, action.ip)
        subnet = self._subnet(action.subnet_id)
        if subnet is None:
            return _NOBODY
        used = self._cloud.describe_used_ips(subnet.vpc_id, action.subnet_id, [action.ip]).get(action.ip)
        if used is None:
            return _NOBODY
        at_eni = self._at_eni(used.resource_id, action.ip) if used.resource_id.startswith("eni-") else _NOBODY
        return at_eni if at_eni.place else AddressHolder(place=str(used))

    def _subnet(self, subnet_id: str) -> model.Subnet | None:
        return next(iter(self._cloud.describe_subnets([subnet_id])), None)

    def _at_eni(self, eni_id: str, ip: str) -> AddressHolder:
        eni = self._cloud.describe_eni(eni_id)
        address = next((one for one in eni.addresses if one.ip == ip), None) if eni else None
        if eni is None or address is None:
            return _NOBODY
        return AddressHolder(
            place=f"ENI {eni_id}" + (f" of {eni.instance_id}" if eni.instance_id else ""),
            eni_id=eni_id,
            claim_uid=tags.described_claim(address.description),
            eip_id=address.eip_id,
        )


def _records_another(claim: VpcIpClaim, found: Collection[model.Reservation]) -> bool:
    """Whether the claim records a reservation that is not among those found."""
    recorded = claim.address.reservation_id if claim.address is not None else ""
    return bool(recorded) and recorded not in {one.reservation_id for one in found}
