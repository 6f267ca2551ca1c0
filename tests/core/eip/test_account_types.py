"""Each kind of account takes its own charge types; the default is fitted to the older kind."""

import pytest

from ipamd.core.annotations.eip_attributes import BY_CVM, BY_TRAFFIC
from ipamd.core.cloud_errors.error import CloudError
from ipamd.core.cloud_errors.kind import CloudErrorKind
from ipamd.core.eip.account_types import AccountType, fit
from ipamd.core.model import EipOrder

BY_HOUR = "BANDWIDTH_POSTPAID_BY_HOUR"


def order(charge_type=BY_TRAFFIC):
    return EipOrder(isp="CMCC", bandwidth_mbps=7, charge_type=charge_type, bandwidth_package_id="bwp-1")


@pytest.mark.parametrize("charge_type", [BY_TRAFFIC, BY_HOUR])
def test_a_standard_account_takes_an_order_as_it_is(charge_type):
    assert fit(order(charge_type), AccountType.STANDARD) == order(charge_type)


@pytest.mark.parametrize("charge_type", [BY_TRAFFIC, BY_CVM])
def test_a_legacy_account_is_told_neither_charge_type_nor_bandwidth(charge_type):
    fitted = fit(order(charge_type), AccountType.LEGACY)

    assert (fitted.charge_type, fitted.bandwidth_mbps) == ("", 0)
    assert (fitted.isp, fitted.bandwidth_package_id) == ("CMCC", "bwp-1")


@pytest.mark.parametrize(
    ("charge_type", "account", "named"),
    [(BY_CVM, AccountType.STANDARD, "STANDARD"), (BY_HOUR, AccountType.LEGACY, "LEGACY")],
)
def test_a_charge_type_that_the_account_has_not_is_refused_by_name(charge_type, account, named):
    with pytest.raises(CloudError, match=named) as refused:
        fit(order(charge_type), account)

    assert refused.value.kind is CloudErrorKind.INVALID
    assert charge_type in str(refused.value)
