"""Where a record says that an EIP is, and where the cloud shows it: compared, and told in words."""

from dataclasses import replace

import pytest

from ipamd.core.ledger.eip_records import is_at, place
from ipamd.core.ledger.states import Address, Binding, BindStage, Warm
from ipamd.core.model import EipStatus
from tests.testkit.claims import eip

ADDRESS = Address(ip="10.0.1.7", eni_id="eni-a", state=Warm(since=0.0), added_at=0.0)
RECORD = Binding(eip_id="eip-1", public_ip="198.18.0.1", stage=BindStage.BOUND)


@pytest.mark.parametrize("status", EipStatus)
def test_an_eip_is_at_an_address_unless_it_is_loose(status):
    shown = eip(status=status, eni="eni-a", ip="10.0.1.7")

    assert is_at(shown, ADDRESS) is (status not in (EipStatus.UNBIND, EipStatus.OFFLINING))


def test_an_eip_elsewhere_or_nowhere_is_not_at_the_address():
    assert not is_at(None, ADDRESS)
    assert not is_at(None, replace(ADDRESS, eni_id="", ip=""))
    assert not is_at(eip(status=EipStatus.BIND, eni="eni-b", ip="10.0.1.7"), ADDRESS)
    assert not is_at(eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.8"), ADDRESS)


def test_where_the_cloud_shows_it_is_told():
    assert place(None, RECORD) == "EIP eip-1 does not exist"
    assert place(eip(), RECORD) == "EIP eip-1 is UNBIND"
    bound = eip(status=EipStatus.BIND, eni="eni-a", ip="10.0.1.7")
    assert place(bound, RECORD) == "EIP eip-1 is BIND to 10.0.1.7 on eni-a"
