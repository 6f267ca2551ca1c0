"""What is wrong with the node's ENIs, addresses and EIPs, and what the cloud refuses. Reads snapshots only.

Thread safety: any thread may call.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ipamd.agent.eips.claims import ClaimSource
from ipamd.agent.eips.reconciler import EipReconciler
from ipamd.agent.enis import NodeEnis
from ipamd.agent.pool.obstacle import NodeDisabledError, NodeFullError
from ipamd.agent.pool.pool import Pool
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.errors import IpamError
from ipamd.core.failure_meanings.claim_findings import of_claim
from ipamd.core.failure_meanings.refusal_findings import of_refusal, one_for_each_action
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.ledger.states import Address, Assigned, BindStage
from ipamd.core.model import PodRef


class CloudFindings:
    """Looks at what the agent knows of the cloud."""

    def __init__(
        self,
        *,
        shared_ledger: SharedLedger,
        enis: NodeEnis,
        pool: Pool,
        claims: ClaimSource,
        eip_reconciler: EipReconciler,
        loose_eips: Callable[[], Mapping[PodRef, str]],
    ) -> None:
        """Take who knows; `loose_eips` tells of Pods whose EIP somebody has unbound."""
        self._shared_ledger: Final = shared_ledger
        self._enis: Final = enis
        self._pool: Final = pool
        self._claims: Final = claims
        self._eips: Final = eip_reconciler
        self._loose_eips: Final = loose_eips

    def look(self) -> list[Finding]:
        """Return what is wrong."""
        return [*self._of_enis(), *self._of_addresses(), *self._of_claims(), *self._of_pool()]

    def _of_enis(self) -> Iterator[Finding]:
        owned = self._shared_ledger.current.in_state(Assigned)
        for eni in self._enis.enis.values():
            if eni.problem:
                pods = tuple(str(a.pod) for a in owned if a.eni_id == eni.eni_id and a.pod is not None)
                code = FindingCode.ENI_BROKEN if eni.is_broken else FindingCode.ENI_MISSING
                yield Finding(code=code, subject=f"eni/{eni.eni_id}", text=eni.problem, pods=pods)
        for whole in self._enis.exclusive.enis.values():
            pods = tuple(str(a.pod) for a in owned if a.eni_id == whole.eni_id)
            if not whole.is_listed and pods:
                text = "the cloud does not list it at this node, ready for use"
                yield Finding(
                    code=FindingCode.ENI_MISSING, subject=f"eni/{whole.eni_id}", text=text, pods=pods
                )

    def _of_addresses(self) -> Iterator[Finding]:
        for address in self._shared_ledger.current.in_state(Assigned):
            if address.quarantined and address.pod is not None:
                yield Finding(
                    code=FindingCode.ADDRESS_MISSING,
                    subject=f"pod/{address.pod}",
                    text=f"the VPC does not list {address.ip} at {address.eni_id}",
                    pods=(str(address.pod),),
                    because_of=(f"eni/{address.eni_id}",),
                )

    def _of_claims(self) -> list[Finding]:
        errors = self._eips.errors()
        owners = {str(a.pod): a for a in self._shared_ledger.current.in_state(Assigned) if a.pod is not None}
        loose = self._loose_eips()
        found = [of_refusal(error, f"eip/{name}", name) for name, error in errors.items()]
        for claim in self._claims.all():
            name, stated = str(claim), list(of_claim(claim))
            found += stated
            if not stated and name not in errors and name in owners:
                found += _of_binding(owners[name], loose)
        return one_for_each_action(found)

    def _of_pool(self) -> Iterator[Finding]:
        obstacle = self._pool.obstacle()
        if isinstance(obstacle, NodeFullError):
            yield Finding(code=FindingCode.NODE_FULL, subject="node/addresses", text=obstacle.message)
        if isinstance(obstacle, NodeDisabledError):
            yield Finding(code=FindingCode.NODE_DISABLED, subject="node/addresses", text=obstacle.message)
        refused = [error for error in self._pool.refusals() if _lasts(error)]
        yield from one_for_each_action([of_refusal(error, "node/pool") for error in refused])


def _lasts(error: IpamError) -> bool:
    """Whether it is refused until somebody acts, or something comes free: a throttled call is no finding."""
    return isinstance(error, CloudError) and (
        error.kind.policy.needs_operator or error.kind.policy.is_shortage
    )


def _of_binding(address: Address, loose: Mapping[PodRef, str]) -> Iterator[Finding]:
    """Yield that an EIP is on its way to the address, or from it; a problem if somebody has unbound it."""
    if address.eip is None or address.eip.stage is BindStage.BOUND or address.pod is None:
        return
    taken = loose.get(address.pod)
    yield Finding(
        code=FindingCode.EIP_NOT_BOUND if taken else FindingCode.EIP_BINDING,
        subject=f"eip/{address.eip.eip_id}",
        text=taken or f"{address.eip.public_ip} at {address.ip} is {address.eip.stage.value}",
        pods=(str(address.pod),),
        because_of=(f"eni/{address.eni_id}",),
    )
