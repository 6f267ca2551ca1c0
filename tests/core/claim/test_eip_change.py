"""From an EIP as it is to the order that it should be: which write comes next, and which never."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipamd.core.annotations.eip_attributes import BY_BANDWIDTH, BY_CVM, BY_TRAFFIC, IN_PACKAGE
from ipamd.core.claim.eip_change import (
    ChangeKind,
    JoinPackage,
    LeavePackage,
    MovePackage,
    SetBandwidth,
    SetChargeType,
    SetName,
    network_type,
    next_step,
    spends_charge_change,
    unchangeable,
    unchangeable_wish,
    value_of,
)
from ipamd.core.model import Eip, EipOrder, EipStatus

NAME = "web"


def eip(charge_type=BY_TRAFFIC, mbps=5, package="", **more):
    fields = {"eip_id": "eip-1", "public_ip": "198.18.0.1", "status": EipStatus.BIND, "isp": "BGP"}
    billing = {"charge_type": charge_type, "bandwidth_mbps": mbps, "bandwidth_package_id": package}
    return Eip(**{**fields, "name": NAME, "address_type": "EIP", **billing, **more})


def order(charge_type=BY_TRAFFIC, mbps=5, package="", **more):
    return EipOrder(charge_type=charge_type, bandwidth_mbps=mbps, bandwidth_package_id=package, **more)


def taken(step, before):
    """The EIP after a step, as the cloud does it."""
    match step:
        case SetName(name=name):
            return dataclasses.replace(before, name=name)
        case SetBandwidth(mbps=mbps):
            return dataclasses.replace(before, bandwidth_mbps=mbps)
        case SetChargeType(charge_type=charge_type, mbps=mbps):
            return dataclasses.replace(before, charge_type=charge_type, bandwidth_mbps=mbps)
        case JoinPackage(package_id=package_id) | MovePackage(package_id=package_id):
            return dataclasses.replace(before, charge_type=IN_PACKAGE, bandwidth_package_id=package_id)
        case LeavePackage():
            mbps = min(before.bandwidth_mbps, 100)
            return dataclasses.replace(
                before, charge_type=BY_TRAFFIC, bandwidth_package_id="", bandwidth_mbps=mbps
            )


def steps(before, wanted, name=NAME):
    """All steps until the EIP is as wanted; fails when that takes more than any EIP needs."""
    found = []
    while (step := next_step(wanted, before, name)) is not None:
        found.append(step)
        before = taken(step, before)
        kind, value = step.goal
        assert value_of(kind, before) == value
        assert len(found) <= 5
    return found


@pytest.mark.parametrize(
    ("before", "wanted", "expected"),
    [
        (eip(), order(), []),
        (eip(), order(mbps=50), [SetBandwidth(mbps=50)]),
        (eip(mbps=50), order(mbps=5), [SetBandwidth(mbps=5)]),
        (eip(), order(BY_BANDWIDTH, 50), [SetChargeType(charge_type=BY_BANDWIDTH, mbps=50)]),
        (
            eip(),
            order(IN_PACKAGE, 500, "bwp-1"),
            [JoinPackage(package_id="bwp-1", network_type="BGP"), SetBandwidth(mbps=500)],
        ),
        (
            eip(IN_PACKAGE, 500, "bwp-1"),
            order(IN_PACKAGE, 500, "bwp-2"),
            [MovePackage(source="bwp-1", package_id="bwp-2")],
        ),
        (
            eip(IN_PACKAGE, 500, "bwp-1"),
            order(mbps=50),
            [SetBandwidth(mbps=50), LeavePackage(package_id="bwp-1")],
        ),
        (
            eip(IN_PACKAGE, 5, "bwp-1"),
            order(BY_BANDWIDTH, 50),
            [LeavePackage(package_id="bwp-1"), SetChargeType(charge_type=BY_BANDWIDTH, mbps=50)],
        ),
        (
            eip(IN_PACKAGE, 500, "bwp-2"),
            order(IN_PACKAGE, 500, "bwp-1"),
            [MovePackage(source="bwp-2", package_id="bwp-1")],
        ),
        (eip("", None), order(mbps=50), []),  # billed by CVM
    ],
)
def test_the_steps_from_an_eip_to_an_order(before, wanted, expected):
    assert steps(before, wanted) == expected


def test_a_name_is_changed_whoever_pays():
    assert steps(eip("", None), order(), name="shop") == [SetName(name="shop")]


billings = st.one_of(
    st.tuples(st.sampled_from([BY_TRAFFIC, BY_BANDWIDTH]), st.integers(1, 100), st.just("")),
    st.tuples(st.just(IN_PACKAGE), st.integers(1, 2000), st.sampled_from(["bwp-1", "bwp-2"])),
)


@given(billings, billings, st.sampled_from([NAME, "shop"]))
def test_every_order_is_reached_and_a_charge_type_changes_only_where_that_was_said(before, wanted, name):
    found = steps(eip(*before), order(*wanted), name)
    spent = [step for step in found if isinstance(step, SetChargeType)]
    assert len(spent) == spends_charge_change(order(*wanted), eip(*before))


@pytest.mark.parametrize(
    ("isp", "address_type", "network"),
    [
        ("BGP", "EIP", "BGP"),
        ("CMCC", "EIP", "SINGLEISP_CMCC"),
        ("BGP", "AnycastEIP", "ANYCAST"),
        ("BGP", "HighQualityEIP", "HIGH_QUALITY_BGP"),
    ],
)
def test_the_packages_of_each_line(isp, address_type, network):
    assert network_type(eip(isp=isp, address_type=address_type)) == network


def test_what_an_eip_can_never_become():
    assert "isp" in unchangeable(order(isp="CMCC"), eip())
    assert "AnycastEIP" in unchangeable(order(address_type="AnycastEIP"), eip())
    assert BY_CVM in unchangeable(order(BY_CVM, 0), eip())
    assert unchangeable(order(BY_CVM, 0), eip("", None)) == ""
    assert unchangeable(order(IN_PACKAGE, 9, "bwp-1"), eip()) == ""


def test_what_an_annotation_cannot_ask_of_an_eip_that_is_there():
    assert unchangeable_wish(order(mbps=9, name="x"), order()) == ""
    wish = order(isp="CMCC", egress="center_egress2", tags=(("a", "b"),))
    assert unchangeable_wish(wish, order()) == (
        "InternetServiceProvider is BGP, not CMCC; Egress is none, not center_egress2; "
        "Tags is none, not {'a': 'b'}"
    )


def test_what_an_eip_shows():
    shown = eip(IN_PACKAGE, 7, "bwp-1")
    assert [value_of(kind, shown) for kind in ChangeKind] == [NAME, "7", IN_PACKAGE, "bwp-1"]
    assert value_of(ChangeKind.BANDWIDTH, eip("", None)) == ""
