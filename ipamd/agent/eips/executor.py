"""Has done what `ipamd.core.eip.binding_plan` decides: each kind of action by the one who can do it.

Thread safety: one call for a claim at a time; calls for different claims run in parallel.
"""

from collections.abc import Container

from ipamd.agent.eips.associate import Association
from ipamd.agent.eips.disassociate import Disassociation
from ipamd.agent.eips.withdraw import Withdrawal
from ipamd.agent.shared_ledger import SharedLedger
from ipamd.core.eip import binding_plan


class BindingExecutor:
    """Executes planned actions. Errors: CloudError, KubeError, StoreError, TryAgainError, IpamError."""

    def __init__(
        self,
        shared_ledger: SharedLedger,
        *,
        association: Association,
        disassociation: Disassociation,
        withdrawal: Withdrawal,
    ) -> None:
        """Take where the outcome is seen, and who does what."""
        self._shared_ledger = shared_ledger
        self._association = association
        self._disassociation = disassociation
        self._withdrawal = withdrawal

    def keep_only(self, claims: Container[str]) -> None:
        """Forget what was noted of claims that are gone."""
        self._withdrawal.keep_only(claims)

    def execute(self, action: binding_plan.Action) -> bool:
        """Do it; return whether an EIP is off the node now, which so may have room for another one."""
        match action:
            case binding_plan.Associate():
                self._association.associate(action)
            case binding_plan.SettleBinding():
                self._association.settle(action)
            case binding_plan.PublishBinding():
                self._association.announce(action)
            case binding_plan.Disassociate():
                return self._disassociate(action)
            case binding_plan.ClearPublishedBinding():
                self._withdrawal.withdraw(action.claim)
        return False

    def _disassociate(self, action: binding_plan.Disassociate) -> bool:
        self._disassociation.disassociate(action)
        eip_id = action.address.eip.eip_id if action.address.eip else ""
        is_off = self._shared_ledger.current.with_eip(eip_id) is None
        if is_off:
            self._withdrawal.seen_unbound(subject_of(action), eip_id)
        return is_off


def subject_of(action: binding_plan.Action) -> str:
    """Return what an action is about: the claim, so that no two of one claim run at once."""
    if isinstance(action, binding_plan.Disassociate | binding_plan.SettleBinding):
        record = action.address.eip
        return record.claim or record.eip_id if record else action.address.ip
    return str(action.claim)
