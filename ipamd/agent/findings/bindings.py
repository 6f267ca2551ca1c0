"""Whether the EIPs that are bound by the ledger are so in the cloud, asked now.

The agent's own look is minutes apart, and who asks for a check does not want to wait for it.
Thread safety: any thread may call.
"""

from collections.abc import Callable
from typing import Final

from ipamd.agent.shared_ledger import SharedLedger
from ipamd.cloud.eips import EipCalls
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.findings.codes import FindingCode
from ipamd.core.findings.finding import Finding
from ipamd.core.ledger import eip_records
from ipamd.core.ledger.ledger import Ledger
from ipamd.core.ledger.states import Address, Assigned, Binding, BindStage
from ipamd.core.timing.deadline import Deadline

Bound = dict[str, tuple[Address, Binding]]
"""By the id of the EIP."""


class BindingFindings:
    """Compares with one listing of the EIPs that this node has."""

    def __init__(
        self, *, shared_ledger: SharedLedger, cloud: EipCalls, deadline: Callable[[], Deadline]
    ) -> None:
        """Take what is bound, whom to ask, and how long an answer is waited for."""
        self._shared_ledger: Final = shared_ledger
        self._cloud: Final = cloud
        self._deadline: Final = deadline

    def look(self) -> list[Finding]:
        """Return which EIPs are elsewhere, or nowhere. Raises: CloudError when there is no telling."""
        before = _bound(self._shared_ledger.current)
        if not before:
            return []
        try:
            listed = self._cloud.describe_eips(eip_ids=sorted(before), deadline=self._deadline())
        except CloudError as e:
            if e.is_silence:
                return []  # that the cloud does not answer is a finding of its own
            raise
        seen = {eip.eip_id: eip for eip in listed}
        after = _bound(self._shared_ledger.current)
        return [
            _unbound(address, binding, eip_records.place(seen.get(eip_id), binding))
            for eip_id, (address, binding) in before.items()
            # What has changed in the meantime is on its way.
            if after.get(eip_id) == (address, binding) and not eip_records.is_at(seen.get(eip_id), address)
        ]


def _bound(ledger: Ledger) -> Bound:
    owned = (address for address in ledger.in_state(Assigned) if address.pod is not None)
    return {
        address.eip.eip_id: (address, address.eip)
        for address in owned
        if address.eip is not None and address.eip.stage is BindStage.BOUND
    }


def _unbound(address: Address, binding: Binding, place: str) -> Finding:
    pod = str(address.pod)
    return Finding(
        code=FindingCode.EIP_NOT_BOUND,
        subject=f"eip/{binding.claim or pod}",
        text=f"somebody has unbound it: {place}, and should be at {address.ip} on {address.eni_id}",
        pods=(pod,),
        next_step="`ipamctl check --fix` has it bound again; find out who has unbound it (CloudAudit)",
        mended=True,
        because_of=(f"eni/{address.eni_id}",),
    )
