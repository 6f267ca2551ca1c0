"""The two kinds of accounts, and which orders of EIPs each of them takes.

An account of the older kind (LEGACY, "bill-by-CVM") pays for an EIP with the CVM that has it: an order names
neither charge type nor bandwidth (API pages DescribeNetworkAccountType and AllocateAddresses). Pure.
"""

from dataclasses import replace
from enum import Enum

from ipamd.core.annotations.eip_attributes import BY_CVM, BY_TRAFFIC
from ipamd.core.cloud_errors.codes import cloud_error
from ipamd.core.model import EipOrder


class AccountType(Enum):
    """NetworkAccountType of DescribeNetworkAccountType."""

    STANDARD = "STANDARD"
    LEGACY = "LEGACY"


def fit(order: EipOrder, account: AccountType) -> EipOrder:
    """Return the order as the account takes it.

    On a LEGACY account the default, billed by traffic, is billed by CVM too: most Pods never choose. Raises
    CloudError (INVALID) for a charge type that was chosen and that the account does not have.
    """
    if account is AccountType.STANDARD:
        if order.charge_type == BY_CVM:
            raise _refusal(order, "bills EIPs themselves (STANDARD)")
        return order
    if order.charge_type not in (BY_TRAFFIC, BY_CVM):
        raise _refusal(order, "bills EIPs by CVM (LEGACY)")
    return replace(order, charge_type="", bandwidth_mbps=0)


def _refusal(order: EipOrder, kind: str) -> Exception:
    what = f"the account {kind} and has no charge type {order.charge_type}"
    return cloud_error("AllocateAddresses", "ClientAccountType", what)
