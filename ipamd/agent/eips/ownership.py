"""Whether an EIP at an address of this node may be unbound: only if nobody wants it there, and if it is ours.

Ours are those that this agent has bound, that a claim names, or that were created for the cluster.
Thread safety: any thread may call any method.
"""

from collections.abc import Callable
from enum import Enum

from ipamd.agent.eips.claims import ClaimSource
from ipamd.cloud.tencent import TencentCloud
from ipamd.core import model, tags
from ipamd.core.claim.eipclaim import Claim
from ipamd.core.eip import binding_plan
from ipamd.core.errors import IpamError
from ipamd.core.ledger import eip_records
from ipamd.core.ledger.states import Address, Binding


class Disposal(Enum):
    """What is to be done with an EIP that is recorded at an address."""

    KEEP = "keep"
    UNBIND = "unbind"
    FORGET = "forget"
    """Whoever bound it has unbound it. It is not ours to unbind should it come back this instant."""


class EipOwnership:
    """Decides for one node, by what claims and cloud say live."""

    def __init__(
        self,
        node: str,
        cluster_id: str,
        *,
        claims: ClaimSource,
        cloud: TencentCloud,
        asks_for_none: Callable[[Address], bool],
    ) -> None:
        """Take the node's name, the cluster's id as in tags, and whom to ask.

        `asks_for_none` says whether the Pod that runs with an address wants no EIP at all.
        """
        self._node = node
        self._asks_for_none = asks_for_none
        self._cluster_id = cluster_id
        self._claims = claims
        self._cloud = cloud

    def disposal(self, address: Address, record: Binding) -> Disposal:
        """Look at claim and EIP. Raises: CloudError, KubeError; IpamError for an EIP of somebody else."""
        claim = self._live_claim(address, record)
        if claim is not None and self._wants_it_here(claim, address, record):
            return Disposal.KEEP
        if record.claim or (claim is not None and _has(claim, record.eip_id)):
            return Disposal.UNBIND
        # That the Pod has a claim says nothing about an EIP that an operator put at its address.
        if any(_has(known, record.eip_id) for known in self._claims.all()):
            return Disposal.UNBIND
        eip = self._cloud.describe_eip(record.eip_id)
        if eip is None or eip.tags.get(tags.CLUSTER_ID) == self._cluster_id:
            return Disposal.UNBIND
        if not eip_records.is_at(eip, address):
            return Disposal.FORGET
        raise self._not_ours(address, record, claim)

    def _not_ours(self, address: Address, record: Binding, claim: Claim | None) -> IpamError:
        """Say that the EIP is left alone, and what to do, to whom the address belongs."""
        foreign = (
            f"EIP {record.eip_id} ({record.public_ip or 'no public IP listed'}) is bound to {address.ip} on "
            f"{address.eni_id}, was neither bound by tke-eni nor created for cluster {self._cluster_id}, "
            "and is left alone"
        )
        if address.pod is None:
            return IpamError(
                f"{foreign}; the address is no Pod's and is not used",
                advice="unbind it, if nobody needs it there",
            )
        if claim is None or claim.address is None:
            return IpamError(
                f"{foreign}: Pod {address.pod} has no claim for it",
                advice="unbind it, if the Pod is not meant to have it",
            )
        return IpamError(
            f"{foreign}: Pod {address.pod} cannot get {claim.address.eip_id} while it is there",
            advice=f"unbind {record.eip_id} in the console or with DisassociateAddress; "
            f"{claim.address.eip_id} is bound by itself then",
        )

    def _live_claim(self, address: Address, record: Binding) -> Claim | None:
        name = record.claim or (str(address.pod) if address.pod else "")
        if not name:
            name = next((str(claim) for claim in self._claims.all() if _has(claim, record.eip_id)), "")
        namespace, _, name = name.partition("/")
        return self._claims.live(namespace, name) if name else None

    def _wants_it_here(self, claim: Claim, address: Address, record: Binding) -> bool:
        pod: model.PodRef | None = address.pod
        return (
            pod is not None
            and not claim.deleting
            and _has(claim, record.eip_id)
            and (self._moves(claim, address, pod) or self._is_here(claim, pod))
        )

    def _moves(self, claim: Claim, address: Address, pod: model.PodRef) -> bool:
        """Whether the EIP is kept where it is, at an ENI that moves with its Pod, wherever the claim is."""
        unwanted = claim.pod_uid != pod.uid and self._asks_for_none(address)
        return address.moves_as_eni and claim.retained and not unwanted

    def _is_here(self, claim: Claim, pod: model.PodRef) -> bool:
        return not binding_plan.wanted_elsewhere(claim, self._node) and (
            claim.retained or claim.pod_uid == pod.uid
        )


def _has(claim: Claim, eip_id: str) -> bool:
    return claim.address is not None and claim.address.eip_id == eip_id
